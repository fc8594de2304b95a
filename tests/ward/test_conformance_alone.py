"""The check as the maker of another device installs it: in an environment of its own, without recorder and ward."""
import importlib.metadata
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import __version__
from scripts.packaging.distributions import builder, wheel
from tests.rigs.mqtt.broker import MOSQUITTO, Broker
from tests.rigs.wait import HANG_S
from tests.rigs.ward.rogue_device import Rogue

REPO = Path(__file__).resolve().parents[2]
TOOL = REPO / "scripts" / "conformance"
ABOUT = tomllib.loads((TOOL / "pyproject.toml").read_text())["project"]
DEV = "c-7f3a9c21b04d"


def needed(names: set[str]) -> Iterator[importlib.metadata.Distribution]:
    """The distributions of these names, and those that they need, as this environment has them."""
    waiting, seen = [*names], set[str]()
    while waiting:
        if (name := waiting.pop()) not in seen:
            seen.add(name)
            found = importlib.metadata.distribution(name)
            yield found
            waiting += [re.match(r"[\w.-]+", need)[0] for need in found.requires or () if "extra ==" not in need]


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """The folder of commands of a fresh environment with the tool, and of this one's libraries what it asks for."""
    if not builder() or not importlib.util.find_spec("ensurepip"):
        pytest.skip("no setuptools of 70.1 or newer, or no pip: apt install python3-venv")
    folder = tmp_path_factory.mktemp("alone")
    venv.create(folder, with_pip=True)
    checkout = tmp_path_factory.mktemp("checkout")
    for part in ("agent", "scripts"):
        shutil.copytree(REPO / part, checkout / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    made = wheel(checkout / TOOL.relative_to(REPO), tmp_path_factory.mktemp("wheel"))
    subprocess.run([folder / "bin/python", "-m", "pip", "install", "-q", "--no-index", "--no-deps", made],
                   check=True, timeout=HANG_S)
    (there,) = folder.glob("lib/python*/site-packages")
    for library in needed({re.match(r"[\w-]+", each)[0] for each in ABOUT["dependencies"]}):
        for path in {library.locate_file(file.parts[0]) for file in library.files if file.parts[0] != ".."}:
            if not (there / path.name).exists():
                (there / path.name).symlink_to(path)
    return folder / "bin"


def test_it_finds_what_another_device_breaks(alone, tmp_path):
    if not MOSQUITTO:
        pytest.skip("no mosquitto")
    with Broker(tmp_path / "broker") as broker, Rogue(broker.port, DEV, ("obeys_retained",)):
        (tmp_path / "ward.toml").write_text(f'[ward]\nward = "w07"\nhost = "127.0.0.1"\nport = {broker.port}\n'
                                            "tls = false\n")
        ran = subprocess.run([alone / "taimat-conformance", "device", DEV, "--minutes=0.01", "--json", "--config",
                              "ward.toml"], cwd=tmp_path, env={}, capture_output=True, text=True, timeout=HANG_S)
    found = {each["rule"]: each["verdict"] for each in map(json.loads, ran.stdout.splitlines())}
    assert (ran.returncode, ran.stderr) == (1, "")
    assert [rule for rule, verdict in found.items() if verdict == "fail"] == ["cmd.retained"]
    assert found["cmd.answered"] == "pass"


def test_without_a_configuration_it_says_what_to_write(alone, tmp_path):
    ran = subprocess.run([alone / "taimat-conformance", "subscriber", "--config", "none.toml"], cwd=tmp_path, env={},
                         capture_output=True, text=True, timeout=HANG_S)
    assert (ran.returncode, ran.stdout) == (78, "")
    assert ran.stderr.startswith("none.toml: No such file; write one with [ward] ward, host and port")


def test_it_is_of_the_version_of_the_contract():
    assert ABOUT["version"] == __version__
    assert sys.version_info >= tuple(map(int, ABOUT["requires-python"].removeprefix(">=").split(".")))
