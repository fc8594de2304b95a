"""What a browser has the keeper do with recordings: seen, kept, let go, erased; by the doors of `taimat clips`."""
import os
import sqlite3

import msgspec
import pytest

from agent.config.settings import Settings, Store
from agent.core.contract.decisions import (
    BrowserQuestion,
    DecisionAnswer,
    EraseSpan,
    HoldClips,
    MarkSeen,
    ReleaseClips,
)
from agent.host.setup_folders import SetupFolders
from agent.keeper.deletion import finish_deletion, retain
from agent.keeper.desk import DecisionDesk
from agent.keeper.ledger_writer import LedgerWriter
from agent.keeper.ward_signature import WardSignature
from agent.store import clips, erase, events, holds
from agent.store.database import connect, transaction
from agent.store.decisions import browsers
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.store.cards import all_acts

SIZE_B = 1000
MIN_MS = 60_000


class FootageHouse:
    """A store with three clips a minute each, an event in the second one, and a paired browser at the desk."""

    def __init__(self, folders: Folders, db: sqlite3.Connection, own: sqlite3.Connection, clock: HandClock,
                 store: Store) -> None:
        self.folders, self.db, self.own, self.clock, self.woken_n = folders, db, own, clock, 0
        self.begin_ms, self.names = clock.wall_ms, [self.record() for _ in range(3)]
        with transaction(db):
            self.event = events.open_row(db, "gate", "motion", clock.now())
            events.tie(db, self.event, 2)
            events.end(db, self.event, 1000)
        self.desk = DecisionDesk(folders, clock, WardSignature(Settings(store=store), folders),
                                 SetupFolders.beside(folders.root / "run"), erased=self.wake)
        self.token = browsers.pair(own, db, "phone", clock.now())

    def record(self) -> str:
        with transaction(self.db):
            seq, name = clips.open_row(self.db, "gate", "continuous", self.clock.now(), "h264", 320, 180)
            clips.finish(self.db, seq, "done", MIN_MS, SIZE_B, 900)
        path = self.folders.clip(seq, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(SIZE_B))
        self.clock.advance(60)
        return name

    def wake(self) -> None:
        self.woken_n += 1

    def ask(self, question: type[BrowserQuestion], **values: object) -> str:
        line = msgspec.json.encode(question(token=self.token, **values))
        return msgspec.json.decode(self.desk.answer(line, os.geteuid()), type=DecisionAnswer).why

    def erase(self, minutes: tuple[int, int], held: bool = False, digest: str = "") -> str:
        span = {"camera": "gate", "begin_ms": self.begin_ms + minutes[0] * MIN_MS,
                "end_ms": self.begin_ms + minutes[1] * MIN_MS}
        found = erase.find(self.db, *span.values())
        seen = erase.digest(found.free + (found.held if held else []))
        return self.ask(EraseSpan, **span, held=held, digest=digest or seen)

    def hold(self, note: str = "the broken fence", days: int = 30, minutes: tuple[int, int] = (0, 1)) -> str:
        return self.ask(HoldClips, camera="gate", begin_ms=self.begin_ms + minutes[0] * MIN_MS,
                        end_ms=self.begin_ms + minutes[1] * MIN_MS, note=note, days=days)

    def release(self, note: str) -> str:
        return self.ask(ReleaseClips, camera="gate", begin_ms=self.begin_ms, end_ms=self.clock.wall_ms, note=note)

    def there(self) -> list[bool]:
        """Of each clip, whether its file is."""
        finish_deletion(self.own, self.db, self.folders, self.clock.now())
        return [self.folders.clip(number, name).exists() for number, name in enumerate(self.names, 1)]

    def told(self) -> list[str]:
        """The kinds of the ledger's rows but for the browser's own."""
        with connect(self.folders.root) as db:
            return [row.kind for row in all_acts(db) if row.kind not in ("begin", "pairing")]


@pytest.fixture
def house(folders: Folders, db, own, hand_clock) -> FootageHouse:
    db.signer = LedgerWriter(folders, hand_clock, own)
    return FootageHouse(folders, db, own, hand_clock, Store())


def test_an_event_is_seen_once_and_for_all_browsers(house):
    assert house.ask(MarkSeen, events=[house.event, 77]) == house.ask(MarkSeen, events=[house.event]) == ""
    assert [row[0] for row in house.db.execute("SELECT event FROM seen")] == [house.event]
    assert house.told() == []


def test_what_is_kept_stays_whatever_the_card_needs_until_it_is_let_go(house, hand_clock):
    assert house.hold() == ""
    (held,) = holds.placed(house.db)
    assert (held.clip.name, held.reason) == (house.names[0], "the broken fence")
    assert held.until_wall_ms == hand_clock.wall_ms + 30 * 86_400_000
    tight = Store(quota_gb=1e-7)                    # nothing of it fits
    retain(house.own, house.db, house.folders, tight, hand_clock.now(), True)
    assert house.there() == [True, False, False]
    assert house.release("the broken fence") == ""
    retain(house.own, house.db, house.folders, tight, hand_clock.now(), True)
    assert house.there()[0] is False
    assert house.told() == ["hold", "deletion", "release", "deletion"]


def test_a_wish_to_keep_that_can_not_be_says_why(house, folders, db, own, hand_clock):
    assert house.hold(note="  ") == house.hold(note="x" * 201) == house.hold(days=0) == "bad_args"
    assert house.hold(minutes=(60, 61)) == "nothing_there"
    assert house.release("another") == "nothing_there"
    with transaction(db):
        db.execute("UPDATE clip SET bytes = ? WHERE seq = 1", (1 << 50,))
    assert house.hold() == "no_room" and holds.placed(db) == []


def test_without_a_right_clock_what_is_kept_has_no_end(house, hand_clock):
    hand_clock.state = "saved"
    assert house.hold() == "" and holds.placed(house.db)[0].until_wall_ms is None


def test_erasing_takes_whole_clips_at_once_and_is_told(house):
    assert house.erase((1, 2)) == "" and house.woken_n == 1
    assert clips.get(house.db, house.names[1]).state == "deleting"        # nobody is shown it any more
    assert house.there() == [True, False, True]
    assert house.told() == ["deletion"]


def test_only_what_was_shown_is_erased(house):
    assert house.erase((0, 3), digest="0" * 64) == "too_late"
    seen = erase.digest(erase.find(house.db, "gate", house.begin_ms, house.begin_ms + 10 * MIN_MS).free)
    house.names.append(house.record())
    assert house.erase((0, 10), digest=seen) == "too_late" and house.there() == [True] * 4
    assert house.erase((30, 31)) == "nothing_there" and house.woken_n == 0


def test_what_is_kept_is_erased_only_if_that_was_said(house):
    assert house.hold() == ""
    assert house.erase((0, 1)) == "nothing_there"
    assert house.erase((0, 1), held=True) == "" and house.there() == [False, True, True]
    assert holds.placed(house.db) == []


def test_the_events_and_keys_that_go_with_clips_are_known_before(house):
    found = erase.find(house.db, "gate", house.begin_ms, house.begin_ms + 3 * MIN_MS)
    assert erase.events_of(house.db, found.free) == [house.event] and erase.keys_n(house.db, found.free) == 0
    with transaction(house.db):
        house.db.execute("UPDATE clip SET day_key = 1 + (seq > 1)")
    assert [erase.keys_n(house.db, found.free[:n]) for n in range(4)] == [0, 1, 1, 2]


def test_a_viewer_marks_as_seen_and_the_keeper_refuses_it_the_rest(house, db, own, hand_clock):
    house.token = browsers.pair(own, db, "a guest's phone", hand_clock.now())
    assert house.ask(MarkSeen, events=[house.event]) == ""
    assert house.hold() == house.release("x") == house.erase((0, 3)) == "viewer"
    assert house.there() == [True] * 3 and holds.placed(db) == []
