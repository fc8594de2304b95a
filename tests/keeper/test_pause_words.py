"""The ledger tells of pauses what the household has said, whoever said it, and nothing that another role says of it."""
import sqlite3

import pytest

from agent.core.evidence.ledger import CameraPaused
from agent.core.household.pause import By
from agent.keeper import pause_words
from agent.store import ledger, pause
from agent.store.database import StoreConnection, transaction
from agent.store.decisions.database import mark
from agent.store.folders import Folders
from tests.conftest import HandClock

CAMERAS = ["gate", "yard"]


@pytest.fixture
def keepers(own: StoreConnection, db: StoreConnection) -> StoreConnection:
    """The shared database as the keeper has it."""
    db.mark = mark(own)
    return db


def told(db: sqlite3.Connection) -> list[tuple[str, str, object]]:
    return [(row.kind, row.body.get("camera", ""), row.body.get("paused")) for row in ledger.waiting(db)]


@pytest.mark.parametrize("by", ["page", "command", "home"])
def test_a_word_is_told_once_from_its_moment_on_and_its_end_too(own, keepers, folders: Folders, hand_clock: HandClock,
                                                                by: By):
    pause.put(folders, ["gate"], hand_clock.wall_ms + 60_000, by, hand_clock.now())
    given = hand_clock.now()
    hand_clock.advance(2)
    for _ in range(2):
        pause_words.tell(own, keepers, folders, CAMERAS, hand_clock.now())
    assert told(keepers) == [("pause", "gate", True)]
    assert ledger.waiting(keepers)[0].at.mono_ms == given.mono_ms and ledger.waiting(keepers)[0].body["by"] == by
    hand_clock.advance(60)
    pause_words.tell(own, keepers, folders, CAMERAS, hand_clock.now())
    assert told(keepers)[1:] == [("pause", "gate", False)]


def test_another_word_and_all_cameras_are_told_each(own, keepers, folders: Folders, hand_clock: HandClock):
    pause.put(folders, None, None, "page", hand_clock.now())
    pause_words.tell(own, keepers, folders, CAMERAS, hand_clock.now())
    pause.lift(folders, ["yard"])
    pause.put(folders, ["gate"], None, "command", hand_clock.now())
    pause_words.tell(own, keepers, folders, CAMERAS, hand_clock.now())
    assert told(keepers) == [("pause", "gate", True), ("pause", "yard", True), ("pause", "gate", False),
                             ("pause", "gate", True), ("pause", "yard", False)]


def test_a_role_that_says_that_the_household_paused_is_not_believed(own, keepers, db, hand_clock: HandClock):
    db.mark = None
    with transaction(db):
        ledger.note(db, hand_clock.now(), CameraPaused(camera="gate", paused=True, by="page"))
        ledger.note(db, hand_clock.now(), CameraPaused(camera="gate", paused=True, by="schedule"))
    db.mark = mark(own)
    assert [row.kind for row in ledger.waiting(db)] == ["unauthorised", "pause"]
