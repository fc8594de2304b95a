"""The keeper notes what the household agrees to by its settings, and then the other roles may keep messages for a ward.
"""
import sqlite3
from typing import Any

import pytest

from agent.config.settings import Settings, Store, Ward
from agent.core.evidence.ledger.row import decode
from agent.core.household import consent
from agent.host.datagram import Outlet
from agent.host.stop import Stop
from agent.keeper.main import Keeper
from agent.process.heartbeat import Heartbeat
from agent.process.role import Role
from agent.store import ledger, membership, outbox
from agent.store.database import connect
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.conftest import HandClock


@pytest.fixture
def life(folders: Folders, hand_clock: HandClock):
    """A start of the keeper with [ward] set like this, a round, and its end; returns all consents in the ledger."""
    def live(ward: Ward, later: Ward | None = None) -> list[dict[str, Any]]:
        settings = Settings(store=Store(folder=str(folders.root), free_floor_pct=1), ward=ward)
        heart = Heartbeat("keeper", "keeper", folders.root, hand_clock)
        role = Role(settings, None, folders, folders.root, hand_clock, heart, Stop())
        keeper = Keeper(role, connect(folders.root), decisions.connect(folders), Outlet(folders.root))
        keeper.round(asked_for_space=False)
        assert keeper.fault is None
        hand_clock.advance(10)
        rows = [row for line in ledger.lines(keeper.db) if (row := decode(line.doc))]
        keeper.close()
        return [row.body for row in rows if row.kind == "consent"]
    return live


def keep(folders: Folders, clock: HandClock) -> int | None:
    """The number of a message that some role writes now; None: it is not kept."""
    db: sqlite3.Connection = connect(folders.root)
    try:
        return outbox.append(db, "motion", "gate", clock.now(), "{}")
    finally:
        db.close()


def test_a_joining_begins_with_a_consent_and_a_leaving_ends_it(life, folders, hand_clock):
    alone, = life(Ward())
    assert not {"ward", "text", "told", "by"} & alone.keys() and keep(folders, hand_clock) is None
    _, joined = life(Ward(enabled=True, ward="w07"))
    assert (joined["ward"], joined["text"], joined["by"]) == ("w07", consent.VERSION, "settings")
    assert joined["told"] == list(consent.TOLD) and keep(folders, hand_clock) == 1
    assert len(life(Ward(enabled=True, ward="w07"))) == 2, "noted once"
    assert keep(folders, hand_clock) == 2, "and what waits while the ward is away goes on waiting"
    *_, left = life(Ward(ward="w07"))
    assert "ward" not in left and keep(folders, hand_clock) is None
    db = connect(folders.root)
    assert outbox.waiting(db)[0] == 0 and outbox.next_seq(db) == 3
    db.close()


def test_a_later_text_is_not_agreed_to_by_an_update(life, folders, hand_clock, monkeypatch):
    life(Ward(enabled=True, ward="w07"))
    monkeypatch.setattr(consent, "VERSION", consent.VERSION + 1)
    monkeypatch.setattr(consent, "TOLD", (*consent.TOLD, "faces"))
    assert len(life(Ward(enabled=True, ward="w07"))) == 1
    *_, again = life(Ward(enabled=True, ward="w07", may_configure=False))
    assert again["text"] == consent.VERSION - 1 and "faces" not in again["told"], "another setting is no new joining"
    *_, anew = life(Ward(enabled=True, ward="w08"))
    assert anew["text"] == consent.VERSION and "faces" in anew["told"]


def test_the_keeper_puts_right_what_another_role_has_changed(folders, hand_clock):
    settings = Settings(store=Store(folder=str(folders.root), free_floor_pct=1))
    role = Role(settings, None, folders, folders.root, hand_clock,
                Heartbeat("keeper", "keeper", folders.root, hand_clock), Stop())
    keeper = Keeper(role, connect(folders.root), decisions.connect(folders), Outlet(folders.root))
    keeper.round(asked_for_space=False)
    membership.put(keeper.db, membership.Membership(ward="w07", told=["motion"]))
    assert keep(folders, hand_clock) == 1
    keeper.round(asked_for_space=False)
    assert membership.read(keeper.db) is None and outbox.waiting(keeper.db)[0] == 0
    keeper.close()
