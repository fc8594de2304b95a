"""requirements.lock: all that setup.cfg and the ward's package name is pinned, in versions that they allow."""
import configparser
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts.packaging import wheels
from tests.rigs.wait import HANG_S

REPO = Path(__file__).resolve().parents[2]
SECTIONS = ("run", "ward", "npm", "test")


def names(lines: str) -> list[Requirement]:
    return [Requirement(line) for line in lines.split("\n") if line]


def settings() -> configparser.ConfigParser:
    read = configparser.ConfigParser(inline_comment_prefixes="#")
    read.read(REPO / "setup.cfg")
    return read


NEEDS = {
    "run": names(settings()["options"]["install_requires"]),
    "ward": [need for need in map(Requirement, tomllib.loads(
        (REPO / "agent/ward/pyproject.toml").read_text())["project"]["dependencies"]) if need.name != "taimat"],
    **{extra: names(settings()["options.extras_require"][extra]) for extra in ("npm", "test")}}


def pinned(*sections: str) -> dict[str, str]:
    """Version by name."""
    return {name: re.match(r"[^=]+==([^\s;]+)", block)[1]
            for each in sections for name, block in wheels.section(each).items()}


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_and_those_before_it_pin_all_that_is_asked_for(name: str):
    versions = pinned(*SECTIONS[:SECTIONS.index(name) + 1])
    assert NEEDS[name]
    for need in NEEDS[name]:
        assert need.name.lower() in versions, need
        assert need.specifier.contains(versions[need.name.lower()]), need


def test_each_package_is_in_one_section_and_has_hashes():
    blocks = [(name, block) for each in SECTIONS for name, block in wheels.section(each).items()]
    assert len({name for name, _ in blocks}) == len(blocks)
    assert all("--hash=sha256:" in block for _, block in blocks)


def test_no_registry_is_named():
    assert "//" not in wheels.LOCK.read_text()


def test_the_command_in_its_head_gives_one_section():
    command = re.search(r"awk '.*'", wheels.LOCK.read_text())[0]
    said = subprocess.run(f"{command} {wheels.LOCK.name}", shell=True, cwd=REPO, capture_output=True, text=True)
    told = {line.split("==")[0] for line in said.stdout.splitlines() if "==" in line}
    assert told == wheels.section("run").keys()


def test_pip_can_read_all_of_it(tmp_path: Path):
    """No hash is missing, no line is odd: without an index, pip complains of the first package and of nothing else."""
    python = next((each for each in (sys.executable, sys._base_executable) if subprocess.run(
        [each, "-m", "pip", "--version"], capture_output=True).returncode == 0), None)
    if python is None:
        pytest.skip("no pip: apt install python3-pip")
    asked = subprocess.run([python, "-m", "pip", "install", "--dry-run", "--no-index", "--require-hashes",
                            "--target", tmp_path, "-r", wheels.LOCK], capture_output=True, text=True, timeout=HANG_S,
                           env={"PIP_CONFIG_FILE": "/dev/null", "HOME": str(tmp_path)})
    assert "No matching distribution found for" in asked.stderr


@pytest.mark.parametrize("architecture", wheels.MACHINES)
def test_both_wheels_are_there_for(architecture: str):
    try:
        files = wheels.fetched(architecture)
    except wheels.NoWheel as none:
        pytest.skip(str(none))
    assert [each.name.split("-")[0] for each in files] == ["av", "opencv_python_headless"]
    for each in files:
        python, abi, platform = each.stem.split("-")[2:]
        assert abi == "abi3" and int(python.removeprefix("cp3")) <= 13
        assert platform.endswith(wheels.MACHINES[architecture])
