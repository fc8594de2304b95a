"""The ledger tells of pauses what the household has said, whoever said it, and nothing that another role says of it."""
import sqlite3

import pytest

from agent.core.evidence.ledger.acts import CameraPaused
from agent.core.household.pause import By
from agent.keeper import pause_words
from agent.keeper.ledger_writer import LedgerWriter
from agent.store import ledger, meta, pause
from agent.store.database import StoreConnection, transaction
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.store.cards import all_acts

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
    pause.lift(folders, ["yard"], hand_clock.now())
    pause.put(folders, ["gate"], None, "command", hand_clock.now())
    pause_words.tell(own, keepers, folders, CAMERAS, hand_clock.now())
    assert told(keepers) == [("pause", "gate", True), ("pause", "yard", True), ("pause", "yard", False),
                             ("pause", "gate", False), ("pause", "gate", True)]


def test_what_lasted_for_a_moment_only_is_recorded_with_its_moments(own, keepers, folders: Folders,
                                                                    hand_clock: HandClock):
    moments = []
    for change in (lambda now: pause.put(folders, ["gate"], None, "page", now),
                   lambda now: pause.put(folders, None, now.wall_ms + 2000, "command", now),
                   lambda now: pause.lift(folders, None, now)):
        moments.append(hand_clock.now().mono_ms)
        change(hand_clock.now())
        hand_clock.advance(1)
    for _ in range(2):
        pause_words.tell(own, keepers, folders, CAMERAS, hand_clock.now())
    assert told(keepers) == [("pause", "gate", True), ("pause", "gate", False), ("pause", "gate", True),
                             ("pause", "yard", True), ("pause", "gate", False), ("pause", "yard", False)]
    given, replaced, lifted = moments
    assert [row.at.mono_ms for row in all_acts(keepers)[1:]] == [given, replaced, replaced, replaced, lifted, lifted]


def test_a_pause_that_ends_by_itself_between_two_looks_is_recorded(own, keepers, folders: Folders,
                                                                   hand_clock: HandClock):
    pause.put(folders, ["gate"], hand_clock.wall_ms + 1000, "page", hand_clock.now())
    hand_clock.advance(5)
    for _ in range(2):
        pause_words.tell(own, keepers, folders, CAMERAS, hand_clock.now())
    assert told(keepers) == [("pause", "gate", True), ("pause", "gate", False)]


def test_what_an_earlier_version_recorded_is_not_recorded_again(own, keepers, folders: Folders,
                                                                hand_clock: HandClock):
    pause.put(folders, ["gate"], None, "page", hand_clock.now())
    meta.put(own, "paused", '{"gate": "page"}')
    pause_words.tell(own, keepers, folders, CAMERAS, hand_clock.now())
    assert not told(keepers)
    pause.lift(folders, None, hand_clock.now())
    pause_words.tell(own, keepers, folders, CAMERAS, hand_clock.now())
    assert told(keepers) == [("pause", "gate", False)]


def test_a_role_that_says_that_the_household_paused_is_not_believed(own, keepers, db, hand_clock: HandClock):
    signer, db.signer = db.signer, None
    with transaction(db):
        ledger.note(db, hand_clock.now(), CameraPaused(camera="gate", paused=True, by="page"))
        ledger.note(db, hand_clock.now(), CameraPaused(camera="gate", paused=True, by="schedule"))
    db.signer = signer
    assert [row.kind for row in ledger.waiting(db)] == ["unauthorised", "pause"]
