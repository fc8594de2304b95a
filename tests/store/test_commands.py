"""Answers to commands are kept for 30 days, by the clock that nobody can set where there is one, and within a bound."""
from dataclasses import replace

import pytest

from agent.host.clock import Instant
from agent.store import boots, commands
from agent.store.database import transaction

DAY_MS = 86_400_000
NOW = Instant("9f2c1a7e", 50 * DAY_MS, 1_795_561_300_000, "ntp")
NEXT_BOOT = replace(NOW, boot="00000002", mono_ms=5000)


def order(db, command_id, when=NOW, state="done", signed=False):
    with transaction(db):
        commands.add(db, commands.Ordered(command_id, "rebirth", "ops", state, b'{"st":"%s"}' % state.encode(), signed,
                                          "ops", b"42", when))


def later(when, days):
    return replace(when, mono_ms=when.mono_ms + round(days * DAY_MS), wall_ms=when.wall_ms + round(days * DAY_MS))


@pytest.mark.parametrize(("then", "now", "known"), [
    (NOW, later(NOW, 29.9), True),
    (NOW, later(NOW, 30.1), False),
    (NOW, replace(later(NOW, 1), wall_ms=NOW.wall_ms + 900 * DAY_MS), True),       # a lie about the date, one boot
    (NOW, later(NEXT_BOOT, 29.9), True),
    (NOW, later(NEXT_BOOT, 30.1), False),
    (NOW, replace(later(NEXT_BOOT, 30.1), clock="saved"), True),                    # who knows how old it is?
    (replace(NOW, clock="unset"), later(NEXT_BOOT, 30.1), True),
])
def test_an_answer_is_kept_for_thirty_days_and_longer_where_nobody_knows(db, then, now, known):
    for boot in (NOW.boot, NEXT_BOOT.boot):
        boots.remember(db, boot)
    order(db, "first", then)
    order(db, "second", now)
    assert (commands.answer(db, "first") is not None) == known
    assert commands.answer(db, "second") == b'{"st":"done"}'


def test_of_too_many_the_signed_and_the_unfinished_go_last(db, monkeypatch):
    monkeypatch.setattr(commands, "KEPT_N", 5)
    order(db, "signed", signed=True)
    order(db, "running", state="accepted")
    for number in range(10):
        order(db, f"plain {number}")
    kept = ["signed", "running", "plain 7", "plain 8", "plain 9"]
    assert [each for each in kept if commands.answer(db, each)] == kept
    assert db.execute("SELECT COUNT(*) FROM command").fetchone()[0] == 5


def test_a_final_answer_is_final_and_is_sent_until_somebody_has_it(db):
    order(db, "id", state="accepted")
    assert commands.unsent(db, 9) == [] and [each.id for each in commands.unfinished(db)] == ["id"]
    (running,) = commands.unfinished(db)
    assert commands.finish(db, running, "failed", b"{}") and not commands.finish(db, running, "done", b"2")
    (waiting,) = commands.unsent(db, 9)
    assert (waiting.answer, waiting.state, waiting.who, waiting.correlation) == (b"{}", "failed", "ops", b"42")
    commands.mark_sent(db, "id")
    assert commands.unsent(db, 9) == [] and commands.answer(db, "id") == b"{}"


def test_what_was_sent_without_the_wards_key_stands_in_the_way_of_no_signed_command(db):
    order(db, "id", state="accepted")
    (stranger,) = commands.unfinished(db)
    assert commands.answer(db, "id") is not None and commands.answer(db, "id", signed=True) is None
    order(db, "id", state="accepted", signed=True)
    assert commands.answer(db, "id", signed=True) is not None
    assert not commands.finish(db, stranger, "done", b"the stranger's"), "it ends nothing but its own"
    commands.answered(db, stranger, b"the stranger's")
    assert [each.answer for each in commands.unfinished(db)] == [commands.answer(db, "id", signed=True)] != [
        b"the stranger's"]
