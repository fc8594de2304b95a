"""What is asked of the store all the time costs the same with many clips as with few."""
import sqlite3
from collections.abc import Callable

import pytest

from agent.store import clips, events, retention_queries
from agent.store.clips import reaching_into
from agent.store.database import transaction
from tests.conftest import HandClock
from tests.store.sqlite_steps import steps_n

MANY_N = 3000
STEPS_MAX = 3000            # of SQLite's machine; reading every clip takes more than ten times as many
ASKED: dict[str, Callable[[sqlite3.Connection, HandClock], object]] = {
    "what a start closes": lambda db, clock: clips.in_state(db, "open", "gate"),
    "what is to be deleted": lambda db, clock: clips.in_state(db, "deleting"),
    "what waits for its digest": lambda db, clock: clips.unhashed(db),
    "which clips show an event": lambda db, clock: clips.reaching(db, "gate", clock.now()),
    "whose footage is gone": lambda db, clock: events.drop_orphaned_thumbs(db, [1]),
    "which deleted rows are too many": lambda db, clock: clips.forget_deleted(db, 10),
    "a page of a camera's clips": lambda db, clock: clips.finished(db, "gate", 10),
    "the newest number": lambda db, clock: retention_queries.newest_seq(db)}


@pytest.fixture
def stocked(db: sqlite3.Connection, hand_clock: HandClock) -> sqlite3.Connection:
    """A store with many clips, each of them of an event, all hashed."""
    with transaction(db):
        for _ in range(MANY_N):
            seq, _ = clips.open_row(db, "gate", "motion", hand_clock.now(), "h264", 320, 180)
            clips.finish(db, seq, "done", 1000, 1000, 10)
            clips.put_digest(db, seq, "0" * 64)
            event = events.open_row(db, "gate", "motion", hand_clock.now())
            events.tie(db, event, seq)
            events.finish(db, event, 1000, 0.5, 1, [], "2", f"{seq}.jpg")
            hand_clock.advance(10)
    return db


def test_no_question_that_is_asked_all_the_time_reads_all_clips(stocked, hand_clock: HandClock):
    asked = {name: steps_n(stocked, lambda ask=ask: ask(stocked, hand_clock)) for name, ask in ASKED.items()}
    assert {name: count for name, count in asked.items() if count > STEPS_MAX} == {}
    assert steps_n(stocked, lambda: clips.totals(stocked)) > STEPS_MAX


def test_a_short_time_out_of_many_clips_reads_the_index_and_few_clips(stocked, hand_clock: HandClock):
    end_ms = hand_clock.wall_ms - 3_600_000
    found = []
    took_n = steps_n(stocked, lambda: found.extend(reaching_into(stocked, "gate", end_ms - 60_000, end_ms)))
    assert len(found) == 6 and took_n < 12 * MANY_N
