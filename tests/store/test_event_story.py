"""What an event carries, in its row and its messages."""
import json
import sqlite3

from agent.config.zones import ZONES_MAX
from agent.core.contract import wire
from agent.core.contract.wire import Entry
from agent.core.vision.event_notes import PATH_MAX
from agent.host.clock import Instant
from agent.store import announce, clips, events, outbox
from tests.conftest import HandClock

PATH = [[0, 1, 100, 200, 50, 90], [2, 1, 110, 200, 50, 90]]
MESSAGE_B_MAX = 4096


def finished(db: sqlite3.Connection, start: Instant, **keys: object) -> events.StoredEvent:
    """An event that is over."""
    number = events.open_row(db, "gate", "motion", start, ["path"])
    events.finish(db, number, 5000, 0.5, 1, [[0.1, 0.2, 0.3, 0.4]], "1", None, **keys)
    found = events.get(db, number)
    assert found is not None
    return found


def test_a_row_keeps_zones_path_and_settings(db, hand_clock: HandClock):
    event = finished(db, hand_clock.now(), zones=["path", "cổng"], path=PATH, settings="0123456789ab")
    assert (event.zones, event.path, event.settings) == (["path", "cổng"], PATH, "0123456789ab")


def test_an_event_that_goes_on_or_was_cut_has_the_zones_that_opened_it(db, hand_clock: HandClock):
    number = events.open_row(db, "gate", "motion", hand_clock.now(), ["gate"])
    assert events.get(db, number).zones == ["gate"]
    events.cut(db, number, 100)
    announce.motion_end(db, events.get(db, number), hand_clock.now())
    told, = (json.loads(row["data"]) for row in outbox.after(db, 0, 10))
    assert (told["cut"], told["zones"]) == (True, ["gate"]) and not {"path", "detector", "settings"} & told.keys()


def test_the_message_of_its_end_tells_them(db, hand_clock: HandClock):
    announce.motion_end(db, finished(db, hand_clock.now(), zones=["a", "b"], path=PATH, settings="0123456789ab"),
                        hand_clock.now())
    told, = (json.loads(row["data"]) for row in outbox.after(db, 0, 10))
    assert told == {"event": 1, "phase": "end", "start_ms": 1_000_000, "dur_ms": 5000, "score": 0.5,
                    "zones": ["a", "b"], "tracks_n": 1, "boxes": [[0.1, 0.2, 0.3, 0.4]], "path": PATH, "detector": "1",
                    "settings": "0123456789ab"}


def test_the_largest_message_of_an_event_is_small(db, hand_clock: HandClock):
    hand_clock.advance(9_000_000)
    zones = [f"{'ổ' * 18}{number}" for number in range(10, 10 + ZONES_MAX)]
    seq, _ = clips.open_row(db, "c" * 24, "motion", hand_clock.now(), "h264", 1920, 1080)
    clips.finish(db, seq, "done", 900_123, 123_456_789, 9000)
    clips.put_digest(db, seq, "0" * 64)
    number = events.open_row(db, "c" * 24, "motion", hand_clock.now(), zones)
    events.tie(db, number, seq)
    events.finish(db, number, 900_123, 0.98765, 987, [[0.1234, 0.2345, 0.3456, 0.4567]] * 24, "1.2.3", None,
                  zones=zones, path=[[98_765, 987, 987, 876, 765, 654]] * PATH_MAX, settings="0123456789ab")
    announce.motion_end(db, events.get(db, number), hand_clock.now(), continues=98_765)
    row, = outbox.after(db, 0, 10)
    entry = Entry(**{name: row[name] for name in Entry._fields})._replace(seq=12_345_678)
    assert len(wire.cloud_event("w" * 24, "c-7f3a9c21b04d", entry, hist=True)) <= MESSAGE_B_MAX
