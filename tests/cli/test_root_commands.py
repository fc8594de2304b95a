"""Commands of root's on a device: what they make in the store is its owner's, and what they hand out is root's."""
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.host.files import write_output
from agent.host.users import as_before, step_down
from agent.store import clips, pause
from agent.store.database import connect
from agent.store.decisions import database as decisions
from tests.cli.cli import environment
from tests.conftest import HandClock
from tests.rigs.users import Premises
from tests.rigs.wait import HANG_S

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="other users need root")
PYTHON = "/usr/bin/python3"
COMMANDS = [["pause", "yard", "--for", "1h"], ["clips", "hold", "--last", "1h", "--reason", "test", "--camera", "yard"],
            ["config", "show"], ["household-key"], ["verify"], ["clips", "erase", "--all", "--yes"]]


@pytest.fixture
def home() -> Iterator[Premises]:
    """A device that has recorded a clip."""
    with Premises() as made:
        def record() -> None:
            with closing(connect(made.folders.root)) as db:
                clips.open_row(db, "yard", "motion", HandClock().now(), "h264", 640, 360)
        made.as_role("keeper", lambda: decisions.connect(made.folders).close())
        made.as_role("capture", record)
        yield made


@pytest.fixture
def config(home: Premises, tmp_path: Path) -> Path:
    path = tmp_path / "taimat.toml"
    path.write_text(f'[store]\nfolder = "{home.folders.root}"\nruntime = "{home.runtime}"\n'
                    '[[camera]]\nname = "yard"\nsource = "file:/yard.mp4"\n')
    return path


def as_root(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """The command by the system's Python, as on a device: the tests' own may be root's alone."""
    return subprocess.run([PYTHON, "-m", "agent", *map(str, words)], cwd="/", env=environment(folder), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=HANG_S)


def owners(*folders: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_uid for folder in folders for path in folder.rglob("*")}


def test_nothing_in_the_store_becomes_root_s(home, config, tmp_path):
    if as_root(tmp_path, "--version").returncode:
        pytest.skip("Debian's packages are incomplete, see scripts/test")
    before = owners(home.folders.root, home.runtime)        # the folder of root's own part of an update is root's
    for words in COMMANDS:
        said = as_root(tmp_path, *words, "-c", config)
        assert "Traceback" not in said.stderr and "Permission" not in said.stderr, (words, said.stderr)
    assert pause.load(home.folders).cameras
    owned = owners(home.folders.root, home.runtime)
    assert [path for path, user in owned.items() if user == 0 and before.get(path) != 0] == []


def test_a_person_s_file_is_written_with_the_rights_that_the_command_began_with(home, tmp_path):
    target, inside = tmp_path / "now.jpg", home.folders.household / "pause.json"      # the first is below root's own

    def work() -> list[int]:
        step_down(home.folders.root)
        seen = [os.geteuid()]
        inside.write_bytes(b"{}")
        with as_before():
            write_output(target, b"\xff\xd8")
            seen.append(os.geteuid())
        return [*seen, os.geteuid()]

    keeper = home.users.uids["taimat-keeper"]
    assert home.as_role("root", work) == [keeper, 0, keeper]
    assert (inside.stat().st_uid, target.stat().st_uid) == (keeper, 0)


def test_a_link_where_a_person_s_file_goes_is_replaced_and_a_device_is_written_to(tmp_path):
    precious, target = tmp_path / "precious", tmp_path / "now.jpg"
    precious.write_text("mine")
    target.symlink_to(precious)
    write_output(target, b"\xff\xd8")
    write_output(Path("/dev/null"), b"\xff\xd8")
    assert precious.read_text() == "mine" and target.read_bytes() == b"\xff\xd8" and not Path("/dev/null").is_file()
