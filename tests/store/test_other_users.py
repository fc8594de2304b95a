"""Roles as users of their own, in the folders of a device: what one lays in the other's way, and what they share."""
import fcntl
import itertools
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.capture.sockets import LiveSocket
from agent.host.datagram import Inbox
from agent.host.files import Lock, open_own, write_durably, write_once
from agent.host.runtime import camera_socket, make_ours
from agent.keeper import repair, room
from agent.keeper.canary import Canary
from agent.keeper.deletion import drop_pictures
from agent.keeper.renewal import admit_writers
from agent.store import clips, events, pause, restarts
from agent.store.clip_recovery import recover_camera
from agent.store.database import FILE, WAITING, StoreError, connect, current
from agent.store.distrust import distrust
from agent.store.encryption.clear_file import open_clip
from agent.store.sweep import Sweep
from tests.conftest import HandClock
from tests.rigs.store.users import Premises
from tests.rigs.wait import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="other users need root")
ROLES = ("capture", "keeper", "link", "web")
WRITERS, READERS = ("capture", "keeper"), ("link", "web")       # of the shared database
SECRET = b"the key that signs the ledger"


@pytest.fixture
def home() -> Iterator[Premises]:
    """A device whose keeper has a key and a lock."""
    with Premises() as made:
        made.as_role("keeper", lambda: write_durably(key_of(made), SECRET, 0o600))
        yield made


def key_of(home: Premises) -> Path:
    return home.folders.keys / "signing.key"


def key_is_whole(home: Premises) -> bool:
    return key_of(home).read_bytes() == SECRET and key_of(home).stat().st_uid == home.users.uids["taimat-keeper"]


def lay_link(home: Premises, place: Path, target: Path | None = None, role: str = "link") -> None:
    """As a role's user would that was taken over."""
    home.as_role(role, lambda: os.symlink(target or key_of(home), place))


def test_a_lock_that_is_a_link_to_the_signing_key_leaves_it_whole(home, caplog):
    lay_link(home, home.folders.lock("keeper"))
    home.as_role("keeper", lambda: Lock(home.folders.lock("keeper")) and None)
    assert key_is_whole(home)


def test_nobody_else_can_hold_a_role_s_lock_or_lay_it_aside(home):
    path = home.folders.lock("keeper")

    def hold() -> None:
        fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)

    home.as_role("keeper", lambda: Lock(path).release())
    assert [home.refuses("link", work) for work in (hold, path.unlink, lambda: path.rename(path.with_name("aside")))
            ] == ["EACCES", "EPERM", "EPERM"]


def test_a_lock_that_somebody_else_has_laid_there_holds_up_nobody(home):
    path = home.folders.lock("web")

    def squat() -> None:
        fcntl.flock(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), fcntl.LOCK_EX)
        time.sleep(0.2)

    with home.process("link", squat):
        until(path.exists)
        home.as_role("web", lambda: Lock(path).release())
    assert path.read_bytes() == b""


@pytest.mark.parametrize("name", ["pause.json.part", ".pause.json.part"])
def test_a_pause_follows_no_link_that_was_laid_where_it_is_written(home, name):
    household = home.folders.household
    assert home.refuses("link", lambda: os.symlink(key_of(home), household / name)) == "EACCES"
    assert home.refuses("capture", lambda: os.rename(household, f"{household}-aside")) == "EPERM"
    os.symlink(key_of(home), household / name)      # and even if it could
    home.as_role("keeper", lambda: pause.put(home.folders, None, None, "command", HandClock().now()) and None)
    assert key_is_whole(home) and pause.load(home.folders).everything
    assert household.stat().st_mode & 0o7777 == 0o2750


def test_a_lock_that_another_role_holds_delays_no_pause(home):
    household, held = home.folders.household, home.runtime / "held"

    def hold() -> None:
        fcntl.flock(os.open(household, os.O_RDONLY), fcntl.LOCK_EX)
        until(held.exists)

    with home.process("link", hold):
        home.as_role("keeper", lambda: pause.put(home.folders, None, None, "command", HandClock().now()) and None)
        held.touch()
    assert pause.load(home.folders).everything


def test_what_is_written_over_goes_nowhere_else(home):
    root = home.folders.root
    for name in ("ballast", "canary", "ladder-gate.json.part"):
        lay_link(home, root / name)
    home.as_role("keeper", lambda: os.close(open_own(root / "ballast", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)))
    home.as_role("keeper", lambda: write_durably(root / "canary", b"page"))
    home.as_role("keeper", lambda: write_durably(root / "ladder-gate.json", b"{}"))
    assert key_is_whole(home) and (root / "canary").read_bytes() == b"page"


def test_a_picture_and_a_clip_in_whose_place_a_link_lies_touch_nothing_behind_it(home):
    clock, folders = HandClock(), home.folders
    thumb = folders.thumbs / "gate-0b007001-5.jpg"
    home.as_role("capture", lambda: os.symlink(folders.clips, thumb))
    home.as_role("capture", lambda: write_once(thumb, b"\xff\xd8"))
    assert thumb.read_bytes() == b"\xff\xd8" and not thumb.is_symlink()

    def begin() -> tuple[int, str]:
        with closing(connect(folders.root)) as db:
            seq, name = clips.open_row(db, "gate", "motion", clock.now(), "h264", 640, 360)
        folders.part(seq, name).parent.mkdir()
        os.symlink(key_of(home), folders.part(seq, name))
        os.symlink(key_of(home), folders.clip(seq, name))
        return seq, name

    def recover() -> str:
        with closing(connect(folders.root)) as db:
            recover_camera(db, folders, "gate", clock)
            return clips.get(db, name).state

    seq, name = home.as_role("capture", begin)
    assert home.as_role("keeper", recover) == "lost" and key_is_whole(home)
    assert home.refuses("keeper", lambda: open_clip(folders.clip(seq, name), lambda *_: b"")) == "ELOOP"


def test_a_pipe_in_a_file_s_place_holds_up_nobody(home, tmp_path):
    root, clip = home.folders.root, home.folders.clip(412, "gate-9f2c1a7e-000412")
    home.as_role("capture", clip.parent.mkdir)
    for role, path in (("link", root / "ballast"), ("link", root / "canary"), ("capture", clip),
                       ("link", root / "ladder-gate.json"), ("link", home.folders.lock("keeper"))):
        home.as_role(role, lambda path=path: os.mkfifo(path, 0o666))

    def keep() -> tuple[int, int]:
        with closing(connect(root)) as db:
            room.renew_ballast(home.folders, 0)
            Lock(home.folders.lock("keeper"))
            Canary(home.folders).look(db, HandClock().now())
            walk = Sweep(db, home.folders, lambda *_: b"")
            walk.go_on(HandClock().now())
            return walk.adopted_n, walk.missing_n

    assert home.as_role("keeper", keep) == (0, 0)
    assert home.as_role("capture", lambda: restarts.load_reboots(root / "ladder-gate.json")) == restarts.NO_REBOOT
    assert (root / "ballast").stat().st_size > 4096 and (root / "canary").is_file()


def test_a_row_s_name_leads_to_nothing_outside_of_its_folder(home):
    home.as_role("keeper", lambda: drop_pictures(home.folders, ["../keys/signing.key", "..", ""]))
    assert key_is_whole(home)
    assert home.folders.clip(5, "../../keys/x").parent == home.folders.clip(5, "x").parent


def test_live_pictures_and_snapshots_are_for_page_and_keeper_alone(home):
    paths = [camera_socket(home.runtime, what, "gate") for what in ("live", "snap", "busy")]

    def look(path: Path) -> None:
        with closing(socket.socket(socket.AF_UNIX)) as sock:
            sock.connect(str(path))

    def film() -> None:
        opened = [LiveSocket(path) for path in paths]
        until(lambda: not camera_socket(home.runtime, "live", "over").parent.joinpath("on").exists())
        for each in opened:
            each.close()

    on = home.runtime / "video/on"
    on.touch()
    with home.process("capture", film):
        until(paths[-1].exists)
        answers = {role: {home.refuses(role, lambda path=path: look(path)) for path in paths} for role in ROLES}
        on.unlink()
    assert answers == {"capture": {""}, "keeper": {""}, "web": {""}, "link": {"EACCES"}}


def test_a_role_hears_where_nobody_else_can_listen(home):
    for role, other in itertools.permutations(ROLES, 2):
        assert home.refuses(other, lambda role=role: Inbox(home.runtime, role).close()) == "EACCES"
    box = home.runtime / "keeper/inbox.sock"
    home.as_role("keeper", lambda: Inbox(home.runtime, "keeper").close())
    assert home.refuses("link", box.unlink) == "EACCES"


def test_a_runtime_folder_that_another_user_has_made_is_none(home):
    place = home.runtime.parent / "shared"
    place.mkdir()
    place.chmod(0o1777)
    home.as_role("link", lambda: (place / "taimat-61202").mkdir())
    assert home.refuses("keeper", lambda: make_ours(place / "taimat-61202")) == "EPERM"
    assert home.refuses("keeper", lambda: make_ours(place / "taimat-61203")) == ""
    assert home.refuses("keeper", lambda: make_ours(home.runtime)) == ""


def write_row(home: Premises) -> int:
    """A row by whoever calls; how many there are then. The connection is closed in order."""
    with closing(connect(home.folders.root)) as db:
        events.open_row(db, "gate", "motion", HandClock().now())
        return db.execute("SELECT COUNT(*) FROM event").fetchone()[0]


def read_rows(home: Premises) -> int:
    """How many a role that only reads finds."""
    with closing(connect(home.folders.root, read_only=True)) as db:
        return db.execute("SELECT COUNT(*) FROM event").fetchone()[0]


@pytest.mark.parametrize("first", WRITERS)
def test_whoever_made_the_database_and_its_log_all_write_it_and_take_them_over(home, first):
    order = [first, *(role for role in WRITERS if role != first), first]
    counts = [home.as_role(role, lambda: write_row(home)) for role in order]
    assert counts == [1, 2, 3]
    assert [home.as_role(role, lambda: read_rows(home)) for role in READERS] == [3, 3], "nobody is at work"

    def die() -> None:
        db = connect(home.folders.root)
        events.open_row(db, "gate", "motion", HandClock().now())
        db.execute("BEGIN IMMEDIATE")
        db.execute("DELETE FROM event")
        os.kill(os.getpid(), signal.SIGKILL)

    with home.process(first, die):
        pass
    left = home.folders.root / f"{FILE}-wal"
    assert left.stat().st_size > 0 and left.stat().st_uid == home.users.uids[f"taimat-{first}"]
    assert [home.as_role(role, lambda: read_rows(home)) for role in READERS] == [4, 4], "by the log of a dead writer"
    counts = [home.as_role(role, lambda: write_row(home)) for role in reversed(order)]
    assert counts == [5, 6, 7]


@pytest.mark.parametrize("role", READERS)
def test_a_reader_follows_writers_that_come_and_go_and_holds_up_none(home, role):
    home.as_role("keeper", lambda: write_row(home))
    asked, told = home.runtime / "asked", home.runtime / "told"
    for path in (asked, told):
        path.touch()
        path.chmod(0o666)

    def follow() -> None:
        db = connect(home.folders.root, read_only=True)
        with pytest.raises(sqlite3.OperationalError):
            db.execute("DELETE FROM event")
        for number in range(1, 5):
            until(lambda number=number: asked.read_text() == str(number))
            db = current(db)
            told.write_text(f"{number}: {db.execute('SELECT COUNT(*) FROM event').fetchone()[0]}")
        db.close()

    with home.process(role, follow):
        for number in range(1, 5):
            asked.write_text(str(number))
            until(lambda number=number: told.read_text() == f"{number}: {number}")
            home.as_role(WRITERS[number % 2], lambda: write_row(home))
    assert home.as_role("keeper", lambda: write_row(home)) == 6


@pytest.mark.parametrize("role", READERS)
def test_a_role_that_reads_the_database_can_neither_write_nor_replace_nor_spoil_it(home, role):
    folder, files = home.folders.root / "db", [home.folders.root / f"{FILE}{side}" for side in ("", "-wal", "-shm")]
    release = home.runtime / "release"

    def hold() -> None:
        with closing(connect(home.folders.root)) as db:
            db.execute("SELECT * FROM event")
            until(release.exists)

    home.as_role("keeper", lambda: write_row(home))
    with home.process("capture", hold):
        until(files[2].exists)
        said = {home.refuses(role, work) for work in (
            *(lambda file=file: os.close(os.open(file, os.O_RDWR)) for file in files),
            *(lambda file=file: os.truncate(file, 0) for file in files), *(file.unlink for file in files),
            lambda: files[0].rename(folder / "old"), (folder / "taimat.db-journal").touch,
            lambda: distrust(folder, (1, files[0].stat().st_ino)) or os.listdir(folder))}
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            home.as_role(role, lambda: write_row(home))
        release.touch()
    assert said == {"EACCES"}
    assert home.as_role("keeper", lambda: write_row(home)) == 2


@pytest.mark.parametrize("maker", ["keeper", "capture", "link"])
def test_a_database_of_the_version_before_is_its_writers_alone_once_the_keeper_has_started(home, maker):
    """Then each role might make it, and all of the group wrote it; a log of the last life lies beside it."""
    path, folder = home.folders.root / FILE, home.folders.root / "db"
    rights = folder.stat()
    folder.chmod(0o2770)
    os.chown(folder, -1, home.users.gids["taimat"])

    def die() -> None:
        db = connect(home.folders.root)
        events.open_row(db, "gate", "motion", HandClock().now())
        os.kill(os.getpid(), signal.SIGKILL)

    with home.process(maker, die):
        pass
    before = Path(f"{path}-wal").stat()
    assert (before.st_gid, before.st_mode & 0o777) == (home.users.gids["taimat"], 0o660)
    os.chown(folder, -1, rights.st_gid)                 # as tmpfiles does when the package comes
    folder.chmod(rights.st_mode & 0o7777)
    old = os.open(path, os.O_RDWR)                      # of a role that has not been started anew yet
    home.as_role("keeper", lambda: admit_writers(path, home.folders.root / repair.NEW))
    for file in (each for each in (path, Path(f"{path}-wal"), Path(f"{path}-shm")) if each.exists()):
        assert (file.stat().st_gid, file.stat().st_mode & 0o777) == (home.users.gids["taimat-store"], 0o664)
    assert [home.as_role(role, lambda: write_row(home)) for role in WRITERS] == [2, 3]
    assert [home.refuses(role, lambda: os.close(os.open(path, os.O_RDWR))) for role in READERS] == ["EACCES"] * 2
    assert [home.as_role(role, lambda: read_rows(home)) for role in READERS] == [3, 3]
    inode = path.stat().st_ino
    home.as_role("keeper", lambda: admit_writers(path, home.folders.root / repair.NEW))
    assert path.stat().st_ino == inode, "once is enough"
    os.close(old)


def test_a_link_in_the_database_s_place_and_a_mended_one_of_another_user_are_no_database(home):
    root = home.folders.root
    lay_link(home, root / FILE, role="capture")
    with pytest.raises(StoreError, match="not a plain file"):
        home.as_role("capture", lambda: connect(root).close())
    home.as_role("keeper", lambda: repair.open_database(home.folders, HandClock().now())[0].close())
    assert home.as_role("keeper", lambda: write_row(home)) == 1
    lay_link(home, root / f"{FILE}{WAITING}", role="capture")
    assert home.as_role("keeper", lambda: repair.finish(home.folders)) is None
    assert home.as_role("keeper", lambda: write_row(home)) == 2 and key_is_whole(home)


def test_a_link_that_is_laid_while_the_database_is_opened_is_seen(home, monkeypatch):
    root, opened = home.folders.root, sqlite3.connect
    home.as_role("keeper", lambda: write_row(home))

    def late(name: str, **more: object) -> sqlite3.Connection:
        (root / FILE).rename(root / f"{FILE}.aside")
        os.symlink(root / f"{FILE}.aside", root / FILE)
        made = opened(name, **more)
        (root / FILE).unlink()
        (root / f"{FILE}.aside").rename(root / FILE)
        return made

    monkeypatch.setattr(sqlite3, "connect", late)
    with pytest.raises(StoreError, match="led to .*aside"):
        connect(root)


@pytest.mark.parametrize("role", ROLES)
def test_a_folder_that_is_gone_is_made_anew_for_those_alone_who_used_it(home, role):
    home.folders.thumbs.rmdir()
    home.as_role(role, lambda: home.folders.create() and None)
    if role == "link":
        assert not home.folders.thumbs.exists()
        return
    made, model = home.folders.thumbs.stat(), home.folders.clips.stat()
    assert (made.st_gid, made.st_mode) == (model.st_gid, model.st_mode)
    assert home.refuses("link", lambda: os.listdir(home.folders.thumbs)) == "EACCES"
    for other in ("capture", "keeper"):
        home.as_role(other, lambda name=other: (home.folders.thumbs / name).touch())
