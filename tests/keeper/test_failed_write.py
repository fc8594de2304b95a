"""A card that fails for some seconds: what is committed afterwards, and every announced clip, is on the card."""
import contextlib
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.capture.recorder import RETRY_AFTER_S
from agent.config.settings import Settings, Store
from agent.host.datagram import Outlet
from agent.host.files import sha256
from agent.host.stop import Stop
from agent.keeper.main import Keeper
from agent.keeper.renewal import forget_cached_log
from agent.keeper.repair import open_database, open_own
from agent.process.heartbeat import Heartbeat
from agent.process.role import Role
from agent.store import clips, meta
from agent.store.database import CHECKPOINT_EVERY_N, FILE, connect, transaction
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.powercut import places
from tests.rigs.powercut.disk import Disk, logged_disk, mend, missing, plugged_in
from tests.rigs.powercut.log import Log, Replay
from tests.rigs.store.cards import findings
from tests.sim.day import FRAME_S, GATE
from tests.sim.parts import Writer

pytestmark = pytest.mark.needs.with_args(missing)

CARD_B = 64 << 20
ROOT = Path(__file__).parents[2]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with logged_disk(tmp_path / "disk", CARD_B) as made:
        yield made


@pytest.fixture
def start(disk: Disk, tmp_path: Path, hand_clock: HandClock) -> Iterator[Callable[[], Keeper]]:
    """Begins a keeper's life: it opens the store as the role does."""
    folders, lives = Folders(disk.mount / "store").create(), list[Keeper]()

    def begin() -> Keeper:
        forget_cached_log(folders.root / FILE)
        own, _ = open_own(folders)
        db, _ = open_database(folders)
        role = Role(Settings(store=Store(folder=str(folders.root), free_floor_pct=1)), None, folders, tmp_path,
                    hand_clock, Heartbeat("keeper", "keeper", tmp_path, hand_clock), Stop())
        lives.append(Keeper(role, db, own, Outlet(tmp_path)))
        return lives[-1]

    yield begin
    disk.trouble()
    for life in lives:
        life.close()


@pytest.fixture
def keeper(start: Callable[[], Keeper]) -> Keeper:
    return start()


@contextlib.contextmanager
def after_a_cut(disk: Disk, tmp_path: Path) -> Iterator[Folders]:
    """The store as the next boot finds it if the power goes now, and the card keeps every write."""
    log, image = Log.read(disk.log), tmp_path / "image"
    with contextlib.closing(Replay(log, tmp_path / "flushed", CARD_B)) as replay:
        replay.cut(len(log.entries), "kept", random.Random(0), image)
    assert mend(image)[0] in (0, 1)
    with plugged_in(image, tmp_path / "after"):
        yield Folders(tmp_path / "after/store")


def put(db: sqlite3.Connection, key: str) -> None:
    with transaction(db):
        meta.put(db, key, "x" * 3000)


def put_all(db: sqlite3.Connection, keys: list[str]) -> None:
    for key in keys:
        put(db, key)


def test_what_is_committed_after_a_failed_write_survives_a_power_cut(disk, keeper, tmp_path):
    keeper.round(asked_for_space=False)
    put_all(keeper.db, before := [f"before {n}" for n in range(20)])
    disk.data_fails()
    with pytest.raises(sqlite3.OperationalError):
        put_all(keeper.db, [f"meanwhile {n}" for n in range(3)])
    keeper.round(asked_for_space=False)
    assert keeper.facts().card_fault == "card_io"
    disk.trouble()
    for _ in range(2):
        keeper.round(asked_for_space=False)
    assert keeper.fault is None
    put_all(keeper.db, after := [f"after {n}" for n in range(60)])
    with after_a_cut(disk, tmp_path) as folders, contextlib.closing(connect(folders.root)) as db:
        assert [key for key in before + after if meta.get(db, key) is None] == []


@pytest.fixture
def writer(disk: Disk, keeper: Keeper, hand_clock: HandClock, tmp_path: Path) -> Iterator[Writer]:
    made = Writer(GATE, keeper.role.folders, hand_clock, Outlet(tmp_path))
    yield made
    made.end()


def film(writer: Writer, hand_clock: HandClock, seconds: float) -> None:
    for _ in range(round(seconds / FRAME_S)):
        hand_clock.advance(FRAME_S)
        writer.film()


def digests(folders: Folders, db: sqlite3.Connection) -> dict[str, str]:
    return {clip.name: sha256(folders.clip(clip.seq, clip.name)) for clip in clips.finished(db, limit=100)}


@pytest.mark.parametrize("fails_s", [2.5, 12.0])
def test_of_a_clip_that_was_open_at_an_error_the_card_has_what_is_announced(disk, keeper, writer, hand_clock, tmp_path,
                                                                            fails_s):
    folders = keeper.role.folders
    keeper.round(asked_for_space=False)
    film(writer, hand_clock, 4)
    disk.data_fails()
    film(writer, hand_clock, fails_s)
    assert writer.recorder.fault == "card_io"
    disk.trouble()
    for _ in range(2):
        keeper.round(asked_for_space=False)
        film(writer, hand_clock, 2 * RETRY_AFTER_S)
    writer.end()
    keeper.round(asked_for_space=False)
    assert writer.recorder.fault is None and keeper.fault is None
    announced = digests(folders, keeper.db)
    assert len(announced) >= 2 and writer.recorder.dropped_n > 0
    with after_a_cut(disk, tmp_path) as found, contextlib.closing(connect(found.root)) as db:
        assert digests(found, db) == announced
        assert findings(found) == []


FRESH_PROCESS = '''
import sys
from pathlib import Path
from agent.store import meta
from agent.store.database import CHECKPOINT_EVERY_N, FILE, connect, transaction
db = connect(Path(sys.argv[1]))
print(meta.get(db, "before 0") is not None)
for commit in (lambda: meta.put(db, "alone", "x"), lambda: transaction(db).__enter__()):
    try:
        commit()
    except Exception as error:
        print(type(error).__name__)
'''


def test_a_process_that_starts_after_a_failed_write_reads_and_does_not_commit(disk, keeper):
    keeper.round(asked_for_space=False)
    put(keeper.db, "before 0")
    disk.data_fails()
    with pytest.raises(sqlite3.OperationalError):
        put_all(keeper.db, ["meanwhile 0", "meanwhile 1"])
    disk.trouble()

    def said() -> list[str]:
        return subprocess.run([sys.executable, "-c", FRESH_PROCESS, keeper.role.folders.root], cwd=ROOT, check=True,
                              capture_output=True, text=True).stdout.split()

    assert said() == ["True", "Distrusted", "Distrusted"]
    for _ in range(2):
        keeper.round(asked_for_space=False)
    assert said() == ["True"]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_checkpoint_that_fails_is_no_secret(disk, keeper, start, tmp_path, restarts):
    """SQLite's own checkpoints keep it to themselves; a later one then copies onto blocks that the card has lost."""
    keeper.round(asked_for_space=False)
    log = Path(f"{keeper.db.path}-wal")
    put_all(keeper.db, keys := [f"before {n}" for n in range(CHECKPOINT_EVERY_N)])
    disk.trouble("EIO", where=places.without([(0, CARD_B)], [*disk.extents(log), *disk.journal(), *disk.metadata()]))
    with pytest.raises(sqlite3.OperationalError):
        put_all(keeper.db, [f"meanwhile {n}" for n in range(CHECKPOINT_EVERY_N)])
    assert keeper.db.distrusted()
    disk.trouble()
    if restarts:
        keeper.close()
        keeper = start()
    for _ in range(2):
        keeper.round(asked_for_space=False)
    put_all(keeper.db, after := [f"after {n}" for n in range(2 * CHECKPOINT_EVERY_N)])
    with after_a_cut(disk, tmp_path) as folders, contextlib.closing(connect(folders.root)) as db:
        assert [key for key in keys + after if meta.get(db, key) is None] == []


def test_who_stops_in_the_middle_of_the_trouble_leaves_the_log_for_the_next_start(disk, keeper, start, tmp_path):
    keeper.round(asked_for_space=False)
    put_all(keeper.db, keys := [f"before {n}" for n in range(CHECKPOINT_EVERY_N - 2)])
    disk.data_fails()
    with pytest.raises(sqlite3.OperationalError):
        put_all(keeper.db, [f"meanwhile {n}" for n in range(CHECKPOINT_EVERY_N)])
    disk.trouble()
    keeper.close()
    assert Path(f"{keeper.db.path}-wal").stat().st_size
    again = start()
    put_all(again.db, after := [f"after {n}" for n in range(2 * CHECKPOINT_EVERY_N)])
    with after_a_cut(disk, tmp_path) as folders, contextlib.closing(connect(folders.root)) as db:
        assert [key for key in keys + after if meta.get(db, key) is None] == []


def test_the_keepers_own_database_gets_other_blocks_too(disk, keeper, start, tmp_path):
    keeper.round(asked_for_space=False)
    put(keeper.own, "before")
    disk.data_fails()
    with pytest.raises(sqlite3.OperationalError):
        put_all(keeper.own, [f"meanwhile {n}" for n in range(3)])
    disk.trouble()
    keeper.round(asked_for_space=False)
    assert keeper.role.stop.is_set()            # what it is to go on with is opened by its next life
    keeper.close()
    again = start()
    put_all(again.own, after := [f"after {n}" for n in range(60)])
    with after_a_cut(disk, tmp_path) as folders, contextlib.closing(decisions.connect(folders)) as own:
        assert [key for key in ["before", *after] if meta.get(own, key) is None] == []
