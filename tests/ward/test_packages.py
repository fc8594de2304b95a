"""Two distributions, one package: a recorder has no file of the ward's end, and a ward has both."""
import configparser
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from agent import __version__
from scripts.packaging.distributions import builder, wheel
from tests.rigs.wait import HANG_S

REPO = Path(__file__).resolve().parents[2]
WARD = REPO / "agent" / "ward"
ABOUT = tomllib.loads((WARD / "pyproject.toml").read_text())["project"]


def files(of: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(of).namelist() if name.startswith("agent/")}


# What an editable installation of this very tree would find beside the folder.
STRICT = """
import sys
sys.meta_path = [each for each in sys.meta_path if "editable" not in f"{each!r} {getattr(each, '__module__', '')}"]
"""
COMMAND = "from agent.__main__ import main; main()"


def said(folder: Path, code: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A Python that finds of Taimat what was installed into `folder`, and nothing else."""
    return subprocess.run([sys.executable, "-c", STRICT + code, *words], cwd=folder,
                          env=os.environ | {"PYTHONPATH": str(folder)},
                          capture_output=True, text=True, check=False, timeout=HANG_S)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> tuple[Path, Path]:
    if not builder():
        pytest.skip("no setuptools of 70.1 or newer")
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.cfg", "pyproject.toml", "README.md"):
        shutil.copy(REPO / name, source)
    shutil.copytree(REPO / "agent", source / "agent",
                    ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    return (wheel(source, tmp_path_factory.mktemp("recorder")),
            wheel(source / "agent" / "ward", tmp_path_factory.mktemp("ward")))


def test_each_file_of_the_package_is_in_one_of_the_two(wheels):
    recorder, ward = map(files, wheels)
    kept = {str(path.relative_to(REPO)) for path in (REPO / "agent").rglob("*.py")}
    assert not {name for name in recorder if name.startswith("agent/ward/")}
    assert {name for name in ward if not name.startswith("agent/ward/")} == set()
    assert {name for name in recorder | ward if name.endswith(".py")} == kept
    assert "agent/ward/default.toml" in ward and "agent/config/default.toml" in recorder
    texts = {str(path.relative_to(REPO)) for ending in ("sql", "toml", "txt", "html")
             for path in (REPO / "agent").rglob(f"*.{ending}")} - {"agent/ward/pyproject.toml"}
    assert texts <= recorder | ward
    assert "agent/ward/desk/templates/desk.html" in ward and "agent/look/static/page.css" in recorder


def test_a_recorder_says_what_a_ward_installs(wheels, tmp_path):
    zipfile.ZipFile(wheels[0]).extractall(tmp_path)
    answer = said(tmp_path, COMMAND, "ward", "ingest")
    assert answer.returncode == 69 and "pip install . ./agent/ward" in answer.stderr


def test_together_they_are_one_package(wheels, tmp_path):
    for each in wheels:
        zipfile.ZipFile(each).extractall(tmp_path)
    answer = said(tmp_path, "import agent.store.database, agent.ward.ingest as ward; print(ward.__file__)")
    assert answer.stdout.strip() == str(tmp_path / "agent" / "ward" / "ingest.py"), answer.stderr
    answer = said(tmp_path, COMMAND, "ward", "watch", "--once", "--config", tmp_path / "ward.toml")
    assert answer.returncode == 78 and "make one with: taimat ward init" in answer.stderr


def test_both_are_of_one_version_and_the_tests_have_what_a_ward_needs():
    assert ABOUT["version"] == __version__ and f"taimat =={__version__}" in ABOUT["dependencies"]
    settings = configparser.ConfigParser(inline_comment_prefixes="#")
    settings.read(REPO / "setup.cfg")
    tested = settings["options.extras_require"]["test"].split("\n")
    assert {need for need in ABOUT["dependencies"] if not need.startswith("taimat")} <= set(tested)
