"""Commands of root's on a device: what they make in the store is its owner's, and what they hand out is root's."""
import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from agent.config.load import keep_as_good
from agent.host.files import write_output
from agent.host.users import as_before, give_to_caller, step_down
from agent.store import clips, pause
from agent.store.database import connect
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.cli.cli import environment
from tests.conftest import HandClock
from tests.rigs.store.users import Premises
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
    path = home.config
    path.write_text(f'[store]\nfolder = "{home.folders.root}"\nruntime = "{home.runtime}"\n'
                    '[[camera]]\nname = "yard"\nsource = "file:/yard.mp4"\n')
    path.chmod(0o640)
    os.chown(path, 0, home.users.gids["taimat"])
    return path


def as_root(folder: Path, *words: object, user: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """The command by the system's Python, as on a device: the tests' own may be root's alone."""
    return subprocess.run([*user, PYTHON, "-m", "agent", *map(str, words)], cwd="/", env=environment(folder), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=HANG_S)


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The system's Python has what the command needs."""
    if as_root(tmp_path_factory.mktemp("home"), "--version").returncode:
        pytest.skip("Debian's packages are incomplete, see scripts/test")


STRANGER = ["setpriv", "--reuid=61999", "--regid=61999", "--clear-groups"]


def owners(*folders: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_uid for folder in folders for path in folder.rglob("*")}


@pytest.mark.usefixtures("complete")
def test_nothing_in_the_store_becomes_root_s(home, config, tmp_path):
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


def test_what_sudo_wrote_is_the_caller_s_but_never_what_a_link_leads_to_or_a_device(tmp_path, monkeypatch):
    package, precious = tmp_path / "package", tmp_path / "precious"
    (package / "proofs").mkdir(parents=True)
    (package / "proofs/film.mp4").write_bytes(b"")
    precious.write_text("root's")
    (package / "link").symlink_to(precious)
    give_to_caller(package)
    assert set(owners(tmp_path).values()) == {0}, "without sudo nothing changes"
    monkeypatch.setenv("SUDO_UID", "61999")
    monkeypatch.setenv("SUDO_GID", "61998")
    null = Path("/dev/null").stat()
    give_to_caller(package)
    give_to_caller(Path("/dev/null"))
    assert owners(tmp_path) == {str(package): 61999, str(package / "proofs"): 61999, str(package / "link"): 0,
                                str(package / "proofs/film.mp4"): 61999, str(precious): 0}
    assert (package.stat().st_gid, Path("/dev/null").stat().st_uid) == (61998, null.st_uid)


REFUSED = [
    ["clips", "list"], ["events", "--last", "3"], ["pause", "yard", "--for", "1h"], ["pause", "--list"], ["resume"],
    ["requests"], ["config", "check"], ["config", "show"], ["doctor"], ["pair"], ["verify"], ["busy", "yard"],
    ["export", "--last", "1h"], ["snapshot", "yard"], ["household-key"], ["run"]]
# Of the second kind the commands below "config" need no store. One start of Python does for all: each gets a fork.
IN_TURN = """
import json, os, sys
from tests.rigs.forked import TAIMAT, forked
said = [forked(TAIMAT, words, "/", os.environ) for words in json.loads(sys.argv[1])]
print(json.dumps([(each.returncode, each.stdout + each.stderr) for each in said]))
"""


@pytest.mark.usefixtures("complete")
@pytest.mark.parametrize("open_config", [False, True], ids=["file of root's", "store of the keeper's"])
def test_a_fresh_user_is_told_the_very_command_with_sudo(home, config, tmp_path, open_config: bool):
    if open_config:
        config.parent.chmod(0o755)
        config.chmod(0o644)
    typed = [[*words, "-c", str(config)] for words in REFUSED if not (open_config and words[0] == "config")]
    done = subprocess.run([*STRANGER, PYTHON, "-c", IN_TURN, json.dumps(typed)], cwd="/", env=environment(tmp_path),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=HANG_S)
    for words, (code, told) in zip(typed, json.loads(done.stdout or done.stderr), strict=True):
        assert code and "Traceback" not in told, told
        assert f"sudo taimat {shlex.join(words)}" in told and "config init" not in told, told


@pytest.mark.usefixtures("complete")
def test_what_a_fresh_user_may_not_write_is_said_with_sudo_too(home, config, tmp_path):
    for words in (["config", "init", config], ["discover", "--at", "127.0.0.9", "--write", config]):
        said = as_root(tmp_path, *words, user=STRANGER)
        assert said.returncode
        assert said.stderr.endswith(f"type: sudo taimat {shlex.join(map(str, words))}\n"), said.stderr


@pytest.mark.usefixtures("complete")
def test_root_goes_on_with_what_the_keeper_has_as_last_good(home, config, tmp_path):
    os.chown(config.parent, home.users.uids["taimat-keeper"], -1)       # beside the file lies what its owner has kept
    home.as_role("keeper", lambda: keep_as_good(config))
    config.write_text(config.read_text() + "fps = 5s\n")
    said = as_root(tmp_path, "clips", "list", "-c", config, "--json")
    assert said.returncode == 0 and "the last good configuration holds" in said.stderr
    assert as_root(tmp_path, "pause", "yard", "-c", config).returncode == 0 and pause.load(home.folders).cameras


@pytest.mark.usefixtures("complete")
def test_beside_a_wrong_file_that_was_never_right_the_users_own_store_is_looked_at():
    folder = Path(tempfile.mkdtemp(prefix="tm-"))
    with closing(connect(Folders(folder / ".local/share/taimat").create().root)) as db:
        clips.open_row(db, "yard", "motion", HandClock().now(), "h264", 640, 360)
    config = folder / ".config/taimat/taimat.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[store\n")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 61_999, 61_999)
    said = as_root(folder, "requests", user=STRANGER)
    shutil.rmtree(folder)
    assert said.returncode == 0 and "Write: [store]" in said.stderr and "last good" in said.stderr
