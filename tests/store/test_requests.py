"""Requests of the ward in the store: every step once, each with its row for the ledger and its event."""
import json
import sqlite3
from dataclasses import replace

import pytest

from agent.host.clock import Instant
from agent.store import boots, clips, commands, requests
from agent.store.commands import Ordered, follow
from agent.store.database import transaction
from agent.store.decisions import decided
from agent.store.requests import WAITING_MAX, RequestError
from tests.rigs.store.cards import all_acts
from tests.rigs.ward.requests import HOUR_MS, as_keeper, ask, decide, insert

NOW = Instant("0b007001", 5_000_000, 1_795_600_000_000, "ntp")


@pytest.fixture
def store(db: sqlite3.Connection) -> sqlite3.Connection:
    boots.remember(db, NOW.boot)
    return db


def noted(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """What is noted for the ledger: kind, and what became of it."""
    return [(row.kind, row.body.get("code")) for row in all_acts(db) if row.kind != "begin"]


def told(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """The events: kind, and what became of it."""
    rows = db.execute("SELECT kind, data FROM outbox ORDER BY seq")
    return [(kind, json.loads(data).get("code")) for kind, data in rows]


def test_from_the_question_to_the_receipt(store):
    asked = ask(store, now=NOW)
    assert (asked.n, asked.state, requests.waiting_n(store)) == (1, "waiting", 1)
    assert noted(store) == [] == told(store)
    approved = decide(store, asked.id, "approved", "page", NOW)
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
    decide(store, asked.id, "refused", "command", NOW)
    with pytest.raises(RequestError, match="request 1 is refused already"):
        decide(store, asked.id, late, "page", NOW)
    assert noted(store) == [("decision", "refused")]


def test_an_approval_is_taken_back_until_the_ward_has_it(store):
    asked = ask(store, now=NOW, approved=True)
    requests.packed(store, asked.id, 1_000, 64 * "a", None)
    assert decide(store, asked.id, "refused", "page", NOW).state == "refused"
    with pytest.raises(RequestError), transaction(store):
        requests.deliver(store, asked.id, "{}", NOW)
    assert noted(store)[-1] == ("decision", "refused")


@pytest.mark.parametrize("cut", ["before the shared row", "behind it"])
def test_a_word_that_a_cut_left_half_told_is_told_once(store, cut):
    asked = ask(store, now=NOW)
    with as_keeper(store) as own:
        if cut == "behind it":
            decided.decide(own, store, asked.id, asked.digest, "approved", "page", NOW)
            own.execute("UPDATE decision SET told = 0")
        else:
            own.execute("UPDATE decision SET code = 'approved', by = 'page', wall_ms = ?, told = 0", (NOW.wall_ms,))
        assert decided.tell(own, store) and not decided.tell(own, store)
    assert requests.find(store, asked.id).state == "approved"
    assert noted(store) == [("decision", "approved")] and told(store) == [("consent", "approved")]


def test_a_row_says_what_was_decided_whoever_writes_into_it(store):
    asked = ask(store, now=NOW)
    store.execute("UPDATE request SET state = 'approved', decided_by = 'page', decided_ms = ?", (NOW.wall_ms,))
    with as_keeper(store) as own:
        assert decided.put_right(own, store, asked.id) and not decided.put_right(own, store, asked.id)
    assert requests.find(store, asked.id) == asked and noted(store) == []


def test_a_decision_is_kept_as_long_as_its_command_could_come_again(store):
    asked = ask(store, now=NOW, approved=True)
    with as_keeper(store) as own:
        for days, kept in ((29, True), (31, False)):
            later = replace(NOW, wall_ms=NOW.wall_ms + days * 24 * HOUR_MS)
            decided.forget(own, store, later)
            assert (decided.find(own, asked.id) is not None) == kept


def test_who_leaves_its_ward_has_refused_all_that_was_open(store):
    asked = [ask(store, now=NOW), ask(store, now=NOW, approved=True), ask(store, now=NOW)]
    decide(store, asked[2].id, "refused", "page", NOW)
    with as_keeper(store) as own:
        decided.refuse_all(own, store, "leaving", NOW)
    found = [requests.find(store, each.id) for each in asked]
    assert [(each.state, each.decided_by) for each in found] == [
        ("refused", "leaving"), ("refused", "leaving"), ("refused", "page")]


def test_what_the_ward_has_cancelled_is_not_delivered_any_more(store):
    asked = ask(store, now=NOW, approved=True)
    requests.packed(store, asked.id, 1_000, 64 * "a", None)
    requests.cancel(store, asked.id, b"signed")
    with pytest.raises(RequestError, match="cancelled"), transaction(store):
        requests.deliver(store, asked.id, "{}", NOW)
    with pytest.raises(RequestError):
        requests.cancel(store, asked.id, b"signed")


def test_more_than_any_ward_needs_is_not_taken(store):
    for _ in range(WAITING_MAX):
        ask(store, now=NOW)
    with pytest.raises(RequestError, match="open already"):
        insert(store, now=NOW)
    assert len(requests.newest(store, 100)) == WAITING_MAX


@pytest.mark.parametrize(("clock", "code"), [("saved", "undated"), ("ntp", None)])
def test_the_ward_hears_before_the_household_agrees_that_nothing_will_come_of_it(store, clock, code):
    asked = ask(store, now=NOW)
    with transaction(store):
        start = replace(NOW, boot="0ld0b007", wall_ms=asked.begin_ms + 1000, clock=clock)
        seq, _ = clips.open_row(store, asked.camera, "continuous", start, "h264", 640, 360)
        clips.finish(store, seq, "done", 60_000, 1, 900)
        commands.add(store, Ordered(asked.id, "clip.export", "ops", "accepted", b'{"st":"accepted"}', True, "ops", None,
                                    NOW))
    [(_, answer)] = follow(store, NOW)
    told = json.loads(answer)
    assert (told["st"], told.get("code"), told["request"]) == ("waiting_consent", code, asked.n)
