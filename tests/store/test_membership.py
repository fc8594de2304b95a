"""Joining is not confessing: nothing is kept for a ward that nobody joined, and leaving one empties what waits."""
import json
import sqlite3
from collections.abc import Iterator

import pytest

from agent.core.evidence.ledger.acts import Agreed
from agent.core.household.consent import TOLD
from agent.host.clock import Instant
from agent.store import announce, boots, clips, events, membership, outbox, requests, ward_settings
from agent.store.database import connect, transaction
from agent.store.decisions import consent
from agent.store.folders import Folders
from agent.store.ward_settings import NOTHING, Given
from tests.rigs.store.cards import all_acts
from tests.rigs.ward.requests import ask, decide

ALONE = Agreed(cameras={}, keep_h=240, keep_continuous_h=72)
OURS, OTHERS = (Agreed(cameras={}, keep_h=240, keep_continuous_h=72, ward=ward, text=1, told=list(TOLD))
                for ward in ("w07", "w08"))


@pytest.fixture
def lonely(folders: Folders) -> Iterator[sqlite3.Connection]:
    """A store of a household that has never been in a ward."""
    db = connect(folders.root)
    yield db
    db.close()


def settle(own: sqlite3.Connection, db: sqlite3.Connection, agreed: Agreed, now: Instant) -> bool:
    """As the keeper does at its start; whether something changed for the other roles."""
    consent.agree(own, db, agreed, now)
    return consent.follow(own, db, now)


def begin(db: sqlite3.Connection, now: Instant) -> tuple[int, int]:
    """Something moves, and a clip of it begins; the numbers of both."""
    with transaction(db):
        boots.remember(db, now.boot)
        event = events.open_row(db, "gate", "motion", now)
        seq, _ = clips.open_row(db, "gate", "motion", now, "h264", 320, 180)
        announce.motion_start(db, "gate", event, now, 0.5, [], [], None)
    return event, seq


def end(db: sqlite3.Connection, event: int, seq: int, now: Instant) -> None:
    """Both are over."""
    with transaction(db):
        events.finish(db, event, 4000, 0.5, 1, [], "1", None)
        clips.finish(db, seq, "done", 5000, 1000, 75)
        row, clip = events.get(db, event), clips.finished(db)[0]
        assert row is not None and clip.seq == seq
        announce.motion_end(db, row, now)
        announce.clip_done(db, clip, now)


def told(db: sqlite3.Connection) -> list[tuple[int, str]]:
    """Number and kind of all that waits."""
    return [(row["seq"], row["kind"]) for row in outbox.after(db, 0, 100)]


def test_nothing_from_before_a_joining_is_ever_told(own, lonely, hand_clock):
    over = begin(lonely, hand_clock.now())
    hand_clock.advance(5)
    end(lonely, *over, hand_clock.now())
    going_on = begin(lonely, hand_clock.now())
    assert told(lonely) == [] and not settle(own, lonely, ALONE, hand_clock.now())
    late = hand_clock.now()                 # something that a card which hangs lets be written only later
    hand_clock.advance(1)
    assert settle(own, lonely, OURS, hand_clock.now())
    assert outbox.append(lonely, "camera", "gate", late, "{}") is None
    hand_clock.advance(1)
    end(lonely, *going_on, hand_clock.now())
    assert told(lonely) == [], "nor the end of what began before"
    after = begin(lonely, hand_clock.now())
    end(lonely, *after, hand_clock.now())
    assert told(lonely) == [(1, "motion"), (2, "motion"), (3, "clip")], "numbered from the first on"
    assert not settle(own, lonely, OURS, hand_clock.now()) and len(told(lonely)) == 3


def test_of_an_earlier_start_of_the_machine_nothing_is_told_of_a_later_one_all(own, lonely, hand_clock):
    before = begin(lonely, hand_clock.now())
    hand_clock.boot, hand_clock.mono = "0b007002", 5.0
    settle(own, lonely, OURS, hand_clock.now())
    end(lonely, *before, hand_clock.now())
    during = begin(lonely, hand_clock.now())
    hand_clock.boot, hand_clock.mono = "0b007003", 1.0
    end(lonely, *during, hand_clock.now())
    assert [kind for _, kind in told(lonely)] == ["motion", "motion", "clip"]
    assert outbox.append(lonely, "camera", "gate", hand_clock.now(), "{}"), "a start that has no number yet"


def test_leaving_empties_what_waits_and_no_number_comes_again(own, lonely, hand_clock):
    settle(own, lonely, OURS, hand_clock.now())
    with transaction(lonely):
        for _ in range(5):
            outbox.append(lonely, "motion", "gate", hand_clock.now(), "{}")
        outbox.quarantine(lonely, 2, "schema")
        ward_settings.put(lonely, Given(ver=5, cfg={"retention_d": 3}))
    decide(lonely, ask(lonely, now=hand_clock.now()).id, "approved", "page", hand_clock.now())
    assert settle(own, lonely, ALONE, hand_clock.now())
    assert told(lonely) == [] and outbox.quarantined_n(lonely) == 0 and outbox.next_seq(lonely) == 8
    assert ward_settings.read(lonely) == NOTHING and membership.read(lonely) is None and membership.has_left(lonely)
    request, = requests.newest(lonely, 10)
    assert (request.state, request.decided_by) == ("refused", "leaving")
    assert [row.body["code"] for row in all_acts(lonely) if row.kind == "decision"] == ["approved", "refused"]
    assert outbox.append(lonely, "motion", "gate", hand_clock.now(), "{}") is None
    hand_clock.advance(1)
    settle(own, lonely, OURS, hand_clock.now())
    assert outbox.append(lonely, "motion", "gate", hand_clock.now(), "{}") == 8


def test_what_waits_for_one_ward_is_not_another_ones(own, lonely, hand_clock):
    settle(own, lonely, OURS, hand_clock.now())
    outbox.append(lonely, "motion", "gate", hand_clock.now(), "{}")
    assert settle(own, lonely, OTHERS, hand_clock.now()) and told(lonely) == []
    known = membership.read(lonely)
    assert known and (known.ward, known.text, known.telling, known.by) == ("w08", 1, list(TOLD), "settings")
    assert known.begin_of("motion") == (hand_clock.boot, 1_000_000) and not membership.has_left(lonely)


@pytest.mark.parametrize("spoiled", ["no JSON", "[]", json.dumps({"ward": 3}), "{}"])
def test_a_row_that_somebody_spoiled_is_none_until_it_is_put_right(own, lonely, hand_clock, spoiled: str):
    settle(own, lonely, OURS, hand_clock.now())
    lonely.execute("UPDATE meta SET value = ? WHERE key = 'joined'", (spoiled,))
    assert outbox.append(lonely, "motion", "gate", hand_clock.now(), "{}") is None
    assert settle(own, lonely, OURS, hand_clock.now())
    assert outbox.append(lonely, "motion", "gate", hand_clock.now(), "{}") == 1
