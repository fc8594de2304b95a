"""What the link asks of the keeper: by whom, within which bounds, and a keeper that is away for a while."""
import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agent.config.settings import Notify, Settings, Ward
from agent.core.household.notifications import Progress
from agent.keeper.link_desk import LinkDesk
from agent.keeper.ward_signature import WardSignature
from agent.link.store_thread import StoreThread
from agent.store import ledger, notify, outbox, ward_settings
from agent.store.commands import Ordered
from agent.store.database import connect, transaction
from agent.store.link_questions import (
    SEQS_MAX,
    LinkAnswer,
    Writer,
    finish_command,
    keep_notified,
    settle_messages,
    tell_ward,
)
from agent.store.notify import PlaceState
from tests.rigs.device.command_desk import ULID
from tests.rigs.store.joined import join
from tests.rigs.store.kept_store import link_desk
from tests.rigs.wait import HANG_S, Stopwatch, until

NOBODY = 65_534


@pytest.fixture
def db(folders):
    with contextlib.closing(connect(folders.root)) as made:
        yield join(made)


@pytest.fixture
def runtime() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="taimat-") as place:     # a socket's name must be short
        yield Path(place)


def desk(folders, clock, **settings: object) -> LinkDesk:
    return LinkDesk(folders, clock, WardSignature(Settings(**settings), folders))


def said(made: LinkDesk, question: object, user: int | None = None) -> LinkAnswer:
    answer = made.answer(msgspec.json.encode(question) + b"\n", os.geteuid() if user is None else user)
    return msgspec.json.decode(answer, type=LinkAnswer)


def fill(db, clock) -> int:
    with transaction(db):
        return outbox.append(db, "motion", "gate", clock.now(), "{}")


def test_it_answers_the_link_alone(db, folders, hand_clock):
    seq, made = fill(db, hand_clock), desk(folders, hand_clock)
    assert said(made, settle_messages([seq]), NOBODY).why == "not_yours" and outbox.waiting(db)[0] == 1
    assert said(made, settle_messages([seq])).why == "" and outbox.waiting(db)[0] == 0


@pytest.mark.parametrize("question", [
    settle_messages(list(range(SEQS_MAX + 1))), settle_messages([-1]), settle_messages([1], "x" * 65),
    tell_ward("motion", "{}"), tell_ward("security", "x" * 20_000)], ids=["many", "no number", "word", "kind", "text"])
def test_what_is_beyond_its_bounds_is_refused_and_writes_nothing(db, folders, hand_clock, question):
    fill(db, hand_clock)
    assert said(desk(folders, hand_clock), question).why.startswith("not understood") and outbox.waiting(db)[0] == 1


@pytest.mark.parametrize(("code", "level"), [(None, 1), ("oversize", 2)])
def test_a_receipt_costs_no_flush_but_a_message_set_aside_does(db, folders, hand_clock, code, level):
    seq, settings, seen = fill(db, hand_clock), Settings(), []
    with contextlib.closing(connect(folders.root)) as ours:
        ours.set_trace_callback(seen.append)
        settle_messages([seq], code).write(ours, Writer(
            hand_clock, hand_clock.now(), settings, WardSignature(settings, folders).check))
        levels = [f"PRAGMA synchronous = {word}" for word in ("NORMAL", "FULL")]
        last = [levels.index(said) + 1 for said in seen[:seen.index("COMMIT")] if said in levels][-1:]
        assert (last or [2]) == [level] and outbox.waiting(db)[0] == 0
        assert ours.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_what_the_ward_has_not_signed_is_not_kept(db, folders, hand_clock, tmp_path):
    made = desk(folders, hand_clock, ward=Ward(enabled=True, command_key=""))
    order = {"id": ULID, "iat": 7, "exp": 8, "name": "set", "args": {"retention_d": 1}}
    asked = Ordered(ULID, "set", None, "accepted", b'{"st":"accepted"}', True, "ops", None, hand_clock.now())
    answer, _ = msgspec.json.decode(said(made, finish_command(
        asked, "done", command=json.dumps(order).encode())).said, type=tuple[bytes, list[object]])
    assert json.loads(answer)["code"] == "unknown_key"
    assert ward_settings.read(db) == ward_settings.NOTHING and not ledger.waiting(db)


def test_of_phones_those_alone_are_kept_that_the_household_has_named(db, folders, hand_clock):
    made = desk(folders, hand_clock, notify=[Notify(name="Mai", url_file="/x")])
    state = PlaceState(progress=Progress(after_id=4))
    assert said(made, keep_notified({"Mai": state, "evil": state})).why == ""
    assert notify.states(db) == {"Mai": state}


def test_while_the_keeper_is_away_the_link_reads_on_and_what_it_asked_is_done_later(db, folders, hand_clock, runtime):
    seq, done = fill(db, hand_clock), []
    store = StoreThread(folders.root, runtime)
    try:
        store.ask(settle_messages([seq]), done.append)
        with Stopwatch() as watch:
            assert store.wait_for(lambda db: outbox.waiting(db)[0], HANG_S) == 1
        assert watch.fair_s < 5 and not done
        server = link_desk(folders.root, runtime, hand_clock)
        until(lambda: store.turn() or done)
        assert done == [[]] and outbox.waiting(db)[0] == 0
        server.close()
    finally:
        store.close()
