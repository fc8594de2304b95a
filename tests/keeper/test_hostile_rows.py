"""Rows of the shared database that a lost role has written: the keeper goes on with its rounds, whatever they hold."""
import logging

import pytest

from agent.keeper.main import Keeper
from agent.store import events, ledger
from agent.store.clip_recovery import recover_camera
from tests.rigs.device.keeper import keeper_of
from tests.rigs.store.hostile_rows import fill, overwrite


@pytest.fixture
def keeper(folders, db, hand_clock, caplog: pytest.LogCaptureFixture) -> Keeper:
    caplog.set_level(logging.CRITICAL + 1)          # what was raised holds cursors, and these an old view of the rows
    made = keeper_of(folders, hand_clock)
    made.round(asked_for_space=False)
    fill(db)
    return made


@pytest.mark.parametrize("number", [2**50, 2**53, 2**62, 2**63 - 1, -2**62, -2**63, -1])
def test_no_number_in_a_row_ends_the_keeper(keeper: Keeper, db, hand_clock, number: int) -> None:
    overwrite(db, number, "x")
    for _ in range(3):
        hand_clock.advance(70)
        keeper.round(asked_for_space=True)
    assert keeper.fault is None


NO_TEXT = "CAST(x'ff' AS TEXT)"
AT = "boot, mono_ms, wall_ms, clock"
SPOILED = [
    f"UPDATE clip SET camera = {NO_TEXT}", f"UPDATE request SET officer = {NO_TEXT}", "UPDATE request SET state = 'x'",
    f"UPDATE hold SET reason = {NO_TEXT}", f"UPDATE meta SET value = {NO_TEXT}", "UPDATE meta SET value = '[[[{'",
    f"INSERT INTO act (kind, {AT}, body) VALUES ({NO_TEXT}, 'b', 1, 1, 'ntp', '{{}}')",
    f"INSERT INTO act (kind, {AT}, body) VALUES ('update', 'b', 1, 1, 'ntp', {NO_TEXT})"]


@pytest.mark.parametrize("row", SPOILED)
def test_no_text_in_a_row_holds_up_the_keeper(keeper: Keeper, db, hand_clock, row: str) -> None:
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute(row)
    for _ in range(3):
        hand_clock.advance(70)
        keeper.round(asked_for_space=True)
    assert keeper.fault is None and not ledger.waiting(db)


LISTS = ("'[[[{'", "'7'", "'[1,{\"a\":2}]'", "'{\"a\":1}'", NO_TEXT, f"'{'[' * 90_000}'")


@pytest.mark.parametrize("text", LISTS, ids=lambda text: text[:12])
def test_no_list_in_an_event_keeps_a_camera_from_recording_again(folders, db, hand_clock, text: str) -> None:
    """What its recorder does first after a start: closing what an earlier life has left open."""
    fill(db)
    db.execute(f"UPDATE event SET zones = {text}, boxes = {text}, path = {text}")
    recover_camera(db, folders, "gate", hand_clock)
    assert not events.unfinished(db, "gate")
