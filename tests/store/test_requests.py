"""Requests of the ward in the store: every step once, each with its row for the ledger and its event."""
import json
import sqlite3

import pytest

from agent.host.clock import Instant
from agent.store import boots, requests
from agent.store.database import transaction
from agent.store.requests import WAITING_MAX, RequestError
from tests.rigs.wishes import HOUR_MS, ask

NOW = Instant("0b007001", 5_000_000, 1_795_600_000_000, "ntp")


@pytest.fixture
def store(db: sqlite3.Connection) -> sqlite3.Connection:
    boots.remember(db, NOW.boot)
    return db


def noted(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """The acts for the ledger: kind, and what became of it."""
    return [(row["kind"], json.loads(row["body"]).get("code")) for row in db.execute("SELECT * FROM act ORDER BY id")]


def told(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """The events: kind, and what became of it."""
    rows = db.execute("SELECT kind, data FROM outbox ORDER BY seq")
    return [(kind, json.loads(data).get("code")) for kind, data in rows]


def test_from_the_question_to_the_receipt(store):
    asked = ask(store, now=NOW)
    assert (asked.n, asked.state, requests.waiting_n(store)) == (1, "waiting", 1)
    assert noted(store) == [] == told(store)
    approved = requests.decide(store, asked.id, "approved", "page", NOW)
    assert (approved.state, approved.decided_by, approved.decided_ms) == ("approved", "page", NOW.wall_ms)
    requests.packed(store, asked.id, 1_000, 64 * "a", 64 * "b")
    requests.sent(store, asked.id, 400)
    assert requests.get(store, 1).sent_b == 400
    with transaction(store):
        requests.deliver(store, asked.id, '{"request":"it"}', NOW)
    assert requests.find(store, asked.id).state == "delivered" and requests.open_ones(store) == []
    assert noted(store) == [("decision", "approved"), ("delivery", None)]
    assert told(store) == [("consent", "approved"), ("delivery", None)]


def test_a_rule_decides_in_the_same_moment(store):
    asked = ask(store, now=NOW, approved=True)
    assert (asked.state, asked.decided_by) == ("approved", "rule") and noted(store) == [("decision", "approved")]


@pytest.mark.parametrize("late", ["approved", "refused", "cancelled"])
def test_what_is_refused_stays_refused(store, late):
    asked = ask(store, now=NOW)
    requests.decide(store, asked.id, "refused", "command", NOW)
    with pytest.raises(RequestError, match="request 1 is refused already"):
        requests.decide(store, asked.id, late, "page", NOW)
    assert noted(store) == [("decision", "refused")]


def test_an_approval_is_taken_back_until_the_ward_has_it(store):
    asked = ask(store, now=NOW, approved=True)
    requests.packed(store, asked.id, 1_000, 64 * "a", None)
    assert requests.decide(store, asked.id, "refused", "page", NOW).state == "refused"
    with pytest.raises(RequestError), transaction(store):
        requests.deliver(store, asked.id, "{}", NOW)
    assert noted(store)[-1] == ("decision", "refused")


def test_nobody_waits_for_ever_but_only_a_clock_that_is_right_tells(store):
    asked = ask(store, now=NOW)
    later_ms = NOW.wall_ms + 24 * HOUR_MS
    unsure = Instant("0b007002", 1, later_ms, "saved")
    boots.remember(store, unsure.boot)
    assert requests.lapse(store, unsure) == []
    (lapsed,) = requests.lapse(store, Instant("0b007002", 2, later_ms, "ntp"))
    assert (lapsed.id, lapsed.state) == (asked.id, "lapsed") and told(store) == [("consent", "lapsed")]


def test_more_than_any_ward_needs_is_not_taken(store):
    for _ in range(WAITING_MAX):
        ask(store, now=NOW)
    with pytest.raises(RequestError, match="open already"):
        ask(store, now=NOW)
    assert len(requests.newest(store, 100)) == WAITING_MAX
