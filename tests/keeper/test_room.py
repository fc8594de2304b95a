"""Room on a full card before its databases open: what goes, what never does, and that the ledger has it in the end."""
import contextlib
import json
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.config.settings import Camera, Settings, Store
from agent.core.contract.facts import Beat
from agent.core.evidence.ledger.row import decode
from agent.host.datagram import Inbox, Outlet
from agent.host.stop import Stop
from agent.keeper import room
from agent.keeper.main import Keeper
from agent.process.heartbeat import Heartbeat
from agent.process.role import Role, once_there_is_room
from agent.store import clips, holds, ledger, meta
from agent.store.card_fault import NO_ROOM, fault_of
from agent.store.clips import Clip
from agent.store.database import FILE, StoreError, connect
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.powercut.disk import logged_disk, mend, missing, plugged_in
from tests.rigs.powercut.log import FATES, Log, Replay
from tests.rigs.store.small_card import MKFS, SIZE_B, empty, fill_bytes, fill_files, small_card

CLIP_B = 1_000_000
AMPLE_B = 1 << 40
CUTS_N = 20
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")


class FullCard:
    """A store with a large camera's clips and a small one's, whose databases are closed; strangers fill its card."""

    def __init__(self, card: Path, place: Path, clock: HandClock) -> None:
        self.card, self.place, self.clock = card, place, clock
        self.folders = Folders(card / "store").create()
        self.runtime = place / "run"
        self.runtime.mkdir(exist_ok=True)
        self.gate: list[Clip] = []
        self.yard: list[Clip] = []

    def with_a_past(self) -> "FullCard":
        """Clips that were recorded by a keeper that is no more, and no ballast."""
        with self.keeper() as keeper:
            keeper.round(asked_for_space=False)
            for _ in range(12):
                self.gate.append(self.record(keeper.db, "gate", CLIP_B))
            for _ in range(2):
                self.yard.append(self.record(keeper.db, "yard", CLIP_B // 2))
            self.folders.ballast.unlink()
        return self

    def record(self, db: sqlite3.Connection, camera: str, size_b: int) -> Clip:
        """A finished clip."""
        seq, name = clips.open_row(db, camera, "motion", self.clock.now(), "h264", 320, 180)
        self.folders.clip(seq, name).parent.mkdir(exist_ok=True)
        self.folders.clip(seq, name).write_bytes(os.urandom(size_b))
        clips.finish(db, seq, "done", 1000, size_b, 10)
        found = clips.get(db, name)
        assert found is not None
        return found

    @contextlib.contextmanager
    def keeper(self) -> Iterator[Keeper]:
        """A keeper's life, from the opening of its databases on."""
        settings = Settings(store=Store(folder=str(self.folders.root), free_floor_pct=0),
                            camera=[Camera(name=name, source="picamera:0") for name in ("gate", "yard")])
        heart, stop = Heartbeat("keeper", "keeper", self.runtime, self.clock), Stop()
        role = Role(settings, None, self.folders, self.runtime, self.clock, heart, stop)

        def opened(attempt):
            return once_there_is_room(heart, stop, self.folders.root, attempt, self.give)
        keeper = Keeper(role, opened(lambda: connect(self.folders.root)),
                        opened(lambda: decisions.connect(self.folders)), Outlet(self.runtime))
        yield keeper
        keeper.own.close()
        keeper.db.close()

    def give(self) -> bool:
        """As the keeper does before it tries again."""
        return room.give(self.folders, self.clock, lambda: None)

    def hold(self, held: list[Clip]) -> None:
        """The household's hold on these clips."""
        with contextlib.closing(decisions.connect(self.folders)) as own, \
                contextlib.closing(connect(self.folders.root)) as db:
            holds.place(own, db, held, "case 7", None, self.clock.now(), AMPLE_B)

    def there(self, found: list[Clip]) -> list[bool]:
        """Whether each has its file."""
        return [self.folders.clip(clip.seq, clip.name).exists() for clip in found]

    def told(self) -> list[tuple[int, str]]:
        """What the ledger says of deletions, signed or not yet: when, and which clip for room."""
        with contextlib.closing(connect(self.folders.root)) as db:
            rows = [*(row for line in ledger.lines(db) if (row := decode(line.doc))), *ledger.waiting(db)]
            return [(row.at.mono_ms, name) for row in rows if row.kind == "deletion" and row.body["why"] == "space"
                    for name in row.body["clips"]]


@pytest.fixture
def full(tmp_path: Path, hand_clock: HandClock) -> Iterator[FullCard]:
    """Not full yet."""
    with small_card(tmp_path, "-N", "256") as card:
        yield FullCard(card, tmp_path, hand_clock).with_a_past()


def goes_on(full: FullCard) -> None:
    """The databases are opened, and the keeper's rounds go well, at the latest when room was made once more."""
    with full.keeper() as keeper:
        keeper.round(asked_for_space=False)
        if keeper.fault:
            keeper.round(asked_for_space=False)
        assert keeper.fault is None
        assert keeper.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_the_ballast_is_all_that_goes_while_there_is_one(full: FullCard):
    full.folders.ballast.write_bytes(bytes(CLIP_B))
    fill_bytes(full.card)
    goes_on(full)
    assert not full.folders.ballast.exists() and all(full.there(full.gate + full.yard)) and not full.told()


@pytest.mark.parametrize("fill", [fill_bytes, fill_files])
def test_without_a_ballast_the_oldest_of_the_largest_camera_go_and_the_ledger_tells_when(full: FullCard, fill):
    full.hold(full.gate[:1])
    fill(full.card)
    assert fault_of(opening(full), full.folders.root) in NO_ROOM
    went_mono_ms = full.clock.now().mono_ms
    assert full.give()
    full.clock.advance(3600)
    goes_on(full)
    gone = [clip for clip, there in zip(full.gate, full.there(full.gate), strict=True) if not there]
    assert gone == full.gate[1:1 + len(gone)] and 1 < len(gone) < 9 and all(full.there(full.yard))
    assert full.told() == [(went_mono_ms, clip.name) for clip in gone]
    with contextlib.closing(connect(full.folders.root)) as db:
        assert [clip.name for clip in clips.in_state(db, "deleted")] == [clip.name for clip in gone]
    goes_on(full)
    assert len(full.told()) == len(gone)            # once


def opening(full: FullCard) -> Exception:
    """What opening the databases ends with."""
    with pytest.raises(StoreError) as raised:
        decisions.connect(full.folders).close()
    return raised.value


@pytest.mark.needs.with_args(missing)
def test_a_power_cut_at_any_write_leaves_no_clip_gone_without_its_act(tmp_path: Path, hand_clock: HandClock):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    dice = random.Random(seed)
    with logged_disk(tmp_path, SIZE_B, *MKFS, "-N", "256") as disk:
        before = FullCard(disk.mount, tmp_path, hand_clock).with_a_past()
        before.hold(before.gate[:1])
        fill_bytes(disk.mount)
        began_b = disk.log_b()
        assert before.give()
        goes_on(before)
        subprocess.run(["sync", "--file-system", disk.mount], check=True)
    log = Log.read(disk.log)
    entries = range(log.number(began_b), len(log.entries) + 1)
    with contextlib.closing(Replay(log, tmp_path / "flushed", SIZE_B)) as replay:
        for cut in sorted(dice.sample(entries, CUTS_N)):
            fate = dice.choice(FATES)
            replay.cut(cut, fate, dice, tmp_path / "cut")
            assert mend(tmp_path / "cut")[0] <= 1
            with plugged_in(tmp_path / "cut", tmp_path / "after"):
                after = FullCard(tmp_path / "after", tmp_path, hand_clock)
                goes_on(after)
                gone = {clip.name for clip in before.gate if not any(after.there([clip]))}
                told = [name for _, name in after.told()]
                assert sorted(told) == sorted(gone) and before.gate[0].name not in gone, (cut, fate)
                with contextlib.closing(connect(after.folders.root)) as db:
                    assert {clip.name for clip in clips.in_state(db, "deleted")} == gone, (cut, fate)
                    assert not clips.in_state(db, "lost") and not clips.in_state(db, "deleting"), (cut, fate)


def test_a_line_that_a_cut_has_torn_deletes_nothing_and_hides_no_other(full: FullCard):
    page = full.folders.keys / room.NOTE
    whole = json.dumps({"at": {"boot": "b", "mono_ms": 1, "wall_ms": 2, "clock": "ntp"}, "clips": [full.gate[0].name]})
    torn = whole.replace(full.gate[0].name, full.gate[1].name)[:-10]
    page.write_bytes(f"\n{whole}\n\n{torn}".encode().ljust(room.PAGE_B, b"\0"))
    fill_bytes(full.card)
    assert full.give()
    goes_on(full)
    assert full.told()[0] == (1, full.gate[0].name) and not page.read_bytes().strip(b"\0")


@pytest.mark.parametrize("left_b", [4096, 8192, 32_768, 36_864, 65_536, 131_072, 262_144, 300_000])
def test_a_little_room_is_enough_or_as_good_as_none(full: FullCard, left_b: int):
    fill_bytes(full.card)
    os.truncate(full.card / "stranger-0", (full.card / "stranger-0").stat().st_size - left_b)
    goes_on(full)


@pytest.mark.parametrize("left_n", [1, 2, 3, 4, 5])
def test_room_for_a_few_files_is_enough_or_as_good_as_none(full: FullCard, left_n: int):
    fill_files(full.card)
    for number in range(left_n):
        (full.card / f"stranger-files/{number}").unlink()
    goes_on(full)


def test_the_newest_clip_of_each_camera_and_what_is_held_or_pinned_never_go(full: FullCard):
    with contextlib.closing(connect(full.folders.root)) as db:
        holds.pin(db, "r1", full.gate[:2])
    full.hold(full.gate[2:-1] + full.yard[:1])
    fill_bytes(full.card)
    assert not full.give() and all(full.there(full.gate + full.yard))


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(os.urandom(4096))])
def test_nothing_goes_while_nobody_knows_what_the_household_holds(full: FullCard, spoil):
    full.hold(full.gate[:1])
    spoil(full.folders.keys / decisions.FILE)
    fill_bytes(full.card)
    assert not full.give() and all(full.there(full.gate + full.yard))


@pytest.mark.parametrize("released", [False, True])
def test_without_the_shared_rows_clips_go_only_if_nothing_was_released_to_the_ward(full: FullCard, released: bool):
    if released:
        with contextlib.closing(decisions.connect(full.folders)) as own:
            own.execute("INSERT INTO decision VALUES ('r1', 'd', 1, 1, 'approved', 'page', 'b', 1, 1, 'ntp', 1)")
    (full.folders.root / FILE).unlink()
    fill_bytes(full.card)
    assert full.give() != released
    assert all(full.there(full.gate)) == released
    if not released:
        goes_on(full)
        gone = [clip.name for clip, there in zip(full.gate, full.there(full.gate), strict=True) if not there]
        assert [name for _, name in full.told()] == gone


def test_what_a_killed_process_left_in_its_log_is_read_though_there_is_no_room_for_an_index(full: FullCard):
    """Holds that are in the log alone, as after a power cut: the index beside it is gone."""
    code = ("import os, sys; from pathlib import Path; from agent.store.decisions import database\n"
            "from agent.store.folders import Folders; own = database.connect(Folders(Path(sys.argv[1])))\n"
            "for name in sys.argv[2:]: own.execute(\"INSERT INTO hold VALUES (?, 'x', NULL, 'placed')\", (name,))\n"
            "os._exit(0)")
    subprocess.run([sys.executable, "-c", code, str(full.folders.root), *(clip.name for clip in full.gate[:2])],
                   check=True)
    (full.folders.keys / f"{decisions.FILE}-shm").unlink()
    fill_bytes(full.card)
    assert full.give()
    assert full.there(full.gate)[:3] == [True, True, False]
    goes_on(full)
    assert full.there(full.gate)[:3] == [True, True, False]


def test_a_database_that_is_open_and_full_gets_room_from_clips_once_the_ballast_is_gone(full: FullCard):
    with full.keeper() as keeper:
        keeper.round(asked_for_space=False)
        full.record(keeper.db, "gate", CLIP_B)      # is to be hashed
        full.folders.ballast.unlink(missing_ok=True)
        fill_bytes(full.card)
        with pytest.raises(sqlite3.OperationalError, match="full"):
            for number in range(10_000):            # until its log has no room left
                meta.put(keeper.db, "stranger", f"{number}" * 1000)
        keeper.round(asked_for_space=False)
        assert keeper.fault and not full.there(full.gate)[0]
        keeper.round(asked_for_space=False)
        assert keeper.fault is None
    assert [name for _, name in full.told()][0] == full.gate[0].name


def test_who_waits_for_a_full_card_says_so_and_goes_on_once_strangers_leave(full: FullCard):
    (full.folders.keys / decisions.FILE).unlink()           # so nothing may go
    fill_bytes(full.card)
    attempts = []

    class Leaving(Stop):
        def wait(self, timeout: float | None = None) -> bool:
            if len(attempts) == 3:
                empty(full.card)
            full.clock.advance(timeout or 0)
            return False
    heart = Heartbeat("keeper", "keeper", full.runtime, full.clock)
    (full.runtime / "link").mkdir()
    with contextlib.closing(Inbox(full.runtime, "link")) as inbox:
        once_there_is_room(heart, Leaving(), full.folders.root,
                           lambda: (attempts.append(1), decisions.connect(full.folders).close()), full.give)
        beats = [each for each in inbox.waiting() if isinstance(each, Beat)]
    assert len(attempts) == 4 and len(beats) == 3
