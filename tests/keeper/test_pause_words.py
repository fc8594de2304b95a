"""The ledger tells of pauses what the household has said, whoever said it, and nothing that another role says of it."""
import sqlite3

import pytest

from agent.core.evidence.ledger import CameraPaused
from agent.core.household.pause import By
from agent.keeper import pause_words
from agent.keeper.ledger_writer import LedgerWriter
from agent.store import ledger, pause
from agent.store.database import StoreConnection, transaction
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.cards import all_acts

CAMERAS = ["gate", "yard"]


@pytest.fixture
def keepers(own: StoreConnection, db: StoreConnection, folders: Folders, hand_clock: HandClock) -> StoreConnection:
    """The shared database as the keeper has it."""
    db.signer = LedgerWriter(folders, hand_clock, own)
    return db


def told(db: sqlite3.Connection) -> list[tuple[str, str, object]]:
    return [(row.kind, row.body.get("camera", ""), row.body.get("paused")) for row in all_acts(db)][1:]


@pytest.mark.parametrize("by", ["page", "command", "home"])
def test_a_word_is_told_once_from_its_moment_on_and_its_end_too(own, keepers, folders: Folders, hand_clock: HandClock,
                                                                by: By):
    pause.put(folders, ["gate"], hand_clock.wall_ms + 60_000, by, hand_clock.now())
    given = hand_clock.now()
    hand_clock.advance(2)
    for _ in range(2):
        pause_words.tell(own, keepers, folders, CAMERAS, hand_clock.now())
    assert told(keepers) == [("pause", "gate", True)]
    assert all_acts(keepers)[1].at.mono_ms == given.mono_ms and all_acts(keepers)[1].body["by"] == by
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
    signer, db.signer = db.signer, None
    with transaction(db):
        ledger.note(db, hand_clock.now(), CameraPaused(camera="gate", paused=True, by="page"))
        ledger.note(db, hand_clock.now(), CameraPaused(camera="gate", paused=True, by="schedule"))
    db.signer = signer
    assert [row.kind for row in ledger.waiting(db)] == ["unauthorised", "pause"]
