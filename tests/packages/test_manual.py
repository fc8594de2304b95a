"""The manual pages: every command is in them, readers have nothing to complain of, twice the same bytes."""
import gzip
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.__main__ import group
from scripts.packaging import deb
from scripts.packaging import manual as pages
from tests.cli.cli import REPO
from tests.rigs.wait import HANG_S

MOMENT_S = 1_795_000_000
SOURCES = {name: REPO / f"scripts/packaging/debian/{name}/taimat.1" for name in ("recorder", "ward")}


@pytest.fixture(params=SOURCES)
def page(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A page as a package brings it."""
    packed = [deb.manual(SOURCES[request.param].read_bytes(), "0.3.0", MOMENT_S) for _ in range(2)]
    assert packed[0] == packed[1]
    page = tmp_path / "taimat.1"
    page.write_bytes(gzip.decompress(packed[0]))
    return page


def read(*command: object) -> str:
    """What a program says of a page, complaints and all."""
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is missing: apt install {'man-db' if command[0] == 'man' else command[0]}")
    done = subprocess.run([*map(str, command)], text=True, capture_output=True, timeout=HANG_S,
                          env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "120"})
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    return done.stdout


def test_man_shows_it_without_a_warning(page: Path):
    told = read("man", "--warnings", "-l", page)
    assert "2026-11-18" in told and "Taimat 0.3.0" in told and "EXIT STATUS" in told


def test_lint_finds_nothing(page: Path):
    assert read("mandoc", "-Tlint", page) == ""


def test_every_command_and_option_is_in_one_of_the_pages():
    told = "".join(path.read_text() for path in SOURCES.values())
    commands = [*pages.walk(group(), "taimat")]
    assert len(commands) > 60
    for name, command in commands:
        section = re.search(rf'^\.SS "{re.escape(pages.plain(name))}[ "].*?(?=^\.S[SH]|\Z)', told, re.M | re.S)
        assert section, name
        assert all(f".B {pages.plain(words)}\n" in section[0] for words, _ in pages.shown(command)), name
    assert "taimat ward" not in SOURCES["recorder"].read_text()
