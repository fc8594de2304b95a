"""The desk for commands: what is refused, what is done once, and what stands after a kill between any two steps."""
import base64
import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.core.contract import wire
from agent.core.evidence.ledger.row import canonical
from agent.keeper import link_desk
from agent.link.commands import COMMANDS_A_MINUTE
from agent.link.verifier import LOOK_EVERY_S
from agent.mqtt.messages import Arrived
from agent.store.database import StoreConnection, connect, transaction
from agent.store.outbox import append
from tests.rigs.device.command_desk import NOW, TOPICS, ULID, DeskRig, HandClock, arrived, command
from tests.rigs.examples import examples
from tests.rigs.wait import HANG_S, until

DAY_MS = 86_400_000
SUSPICIOUS = ("retained", "elsewhere", "other_order", "unknown_key")
KEY, KEY_OF_NOBODY = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
SIGNED = {"dev": TOPICS.dev, "sig": "AAAA"}


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def rig(tmp_path, clock):
    rig = DeskRig(tmp_path, clock)
    yield rig
    rig.close()


@pytest.mark.parametrize(("message", "time", "name", "answer"), [
    (command(), "ntp", "rebirth", ("done", None)),
    (command(), "ntp", "dance", ("refused", "unsupported")),
    (command(exp=NOW.wall_ms), "ntp", "rebirth", ("expired", None)),
    (command(exp=NOW.wall_ms + 31 * DAY_MS), "ntp", "rebirth", ("refused", "exp_too_far")),
    (command(retained=True), "ntp", "rebirth", ("refused", "retained")),
    (command(response=f"{TOPICS.root}/evt"), "ntp", "rebirth", ("refused", "elsewhere")),
    (command(response="cam/v1/w07/c-000000000000/rsp/ops/x"), "ntp", "rebirth", ("refused", "elsewhere")),
    (command(response=None), "ntp", "rebirth", ("done", None)),
    (command(), "unset", "replay", ("refused", "clock_unset")),
    (command(exp=1), "unset", "rebirth", ("done", None)),
    (command(), "ntp", "replay", ("refused", "bad_args")),
    (command(args={"from": 9, "to": 3}), "ntp", "replay", ("refused", "bad_args")),
    (command(args={"role": "root"}), "ntp", "restart", ("refused", "bad_args")),
    (command(args={"role": "link"}), "ntp", "restart", ("refused", "unsigned")),
    (command(args={"role": "link"}, name="update", **SIGNED), "ntp", "restart", ("refused", "other_order")),
    (command(args={"role": "link"}, name="restart", **SIGNED), "ntp", "restart", ("refused", "unknown_key")),
    (command(), "ntp", "clip.export", ("refused", "bad_args")),
    (command(args={"request": ULID}), "ntp", "clip.cancel", ("refused", "unsigned")),
    (command(args={"cam": "gate"}), "ntp", "snapshot", ("refused", "bad_args")),
])
def test_every_command_gets_its_answer_and_is_told_of(rig, clock, message, time, name, answer):
    clock.moment = replace(NOW, clock=time)
    rig.handler.handle(message, name, to_all=False)
    rig.settle()
    (outgoing,) = rig.due()
    told = json.loads(outgoing.payload)
    assert (told["st"], told.get("code")) == answer
    assert outgoing.topic == f"{TOPICS.root}/rsp/ops/{ULID[:-2]}00"
    assert (outgoing.correlation, outgoing.expiry_s) == (b"42", 7 * 86_400)
    (event,) = rig.events()
    assert (event["name"], event["st"], event.get("code")) == (name, *answer)
    assert [each["code"] for each in rig.events("security")] == [answer[1]] * (answer[1] in SUSPICIOUS)


def test_a_repeated_command_gets_the_same_answer_is_done_once_and_told_of_once(rig, clock):
    rig.handler.handle(command(), "rebirth", to_all=False)
    first = rig.payloads()
    clock.step(90)
    rig.handler.handle(command(retained=True), "replay", to_all=False)
    assert rig.payloads() == first
    assert (rig.births_n, len(rig.events())) == (1, 1)


def test_what_the_broker_gave_is_confirmed_when_it_is_on_the_card(rig):
    confirmed = []
    rig.handler.handle(replace(command(), confirm=lambda: confirmed.append(1)), "rebirth", to_all=False)
    assert not confirmed
    rig.settle()
    assert confirmed == [1]


def test_a_command_to_all_is_done_and_answered_later(rig, clock):
    assert rig.ask(command(), "rebirth", to_all=True) == [] and rig.births_n == 0
    clock.step(15)
    assert rig.answers() == [("done", None)] and rig.births_n == 1
    assert rig.ask(command(1, args={"from": 1, "to": 2}), "replay", to_all=True) == []
    clock.step(15)
    assert rig.answers() == [("refused", "not_to_all")]


def test_a_storm_of_commands_is_counted_not_answered(rig):
    answers = [each for number in range(90) for each in rig.ask(command(number), "rebirth")]
    assert len(answers) == len(rig.events()) == COMMANDS_A_MINUTE
    assert rig.audit.seen_n == 90 - COMMANDS_A_MINUTE


def test_a_storm_without_signature_takes_nothing_from_the_wards_orders(tmp_path, clock):
    """Sixty a minute, some under the id that the ward is about to use: its order is carried out all the same."""
    rig = signing_rig(tmp_path, clock)
    for number in range(60):
        rig.ask(command(number, args={"role": "link"}), "restart")
    assert rig.ask(order(7), "restart") == [("done", None)]
    assert rig.ask(order(7), "restart") == [], "what is known already is answered as often as anything"
    clock.step(61)
    assert rig.ask(order(7), "restart") == [("done", None)]
    rig.close()


def test_a_storm_of_bad_signatures_is_counted_and_a_good_one_among_them_is_obeyed(tmp_path, clock):
    rig = signing_rig(tmp_path, clock)
    for number in range(90):
        rig.handler.handle(order(number, KEY_OF_NOBODY), "restart", to_all=False)
    rig.handler.handle(order(95), "restart", to_all=False)
    answers = until(rig.answers)
    assert answers.count(("refused", "bad_signature")) == COMMANDS_A_MINUTE and answers[-1] == ("done", None)
    assert len(rig.events()) == COMMANDS_A_MINUTE + 1
    rig.close()


class SigningRig(DeskRig):
    """Its orders are signed by the ward, and their checks are waited for."""

    def settle(self) -> None:
        until(lambda: self.flows.turn() or self.flows.wait_s() != LOOK_EVERY_S, "the check is over")
        super().settle()


def signing_rig(folder, clock) -> SigningRig:
    path = folder / "command.pem"
    path.write_bytes(KEY.public_key().public_bytes(serialization.Encoding.PEM,
                                                   serialization.PublicFormat.SubjectPublicKeyInfo))
    return SigningRig(folder, clock, str(path))


def order(number: int, key: Ed25519PrivateKey | None = None) -> Arrived:
    """To start the keeper anew, signed by the ward's key or by another."""
    told = {"v": 1, "id": f"{ULID[:-2]}{number:02d}", "iat": NOW.wall_ms, "exp": NOW.wall_ms + 600_000,
            "dev": TOPICS.dev, "name": "restart", "args": {"role": "keeper"}}
    told["sig"] = base64.b64encode((key or KEY).sign(canonical(told))).decode()
    return arrived(json.dumps(told).encode())


def messages(rig, count):
    def write(db):
        with transaction(db):
            return [append(db, "motion", "gate", NOW, "{}") for _ in range(count)]
    return rig.store.write(write)


def test_a_replay_offers_what_is_there_and_announces_what_is_not(rig):
    seqs = messages(rig, 10)
    rig.drain.offers.cursor = 10
    for seq in seqs[3:]:
        rig.drain.offers.offered(seq, rig.clock.mono_s())
        rig.drain.offers.taken(seq)
    rig.store.write(lambda db: db.execute("DELETE FROM outbox WHERE seq <= 3 OR seq = 6"))
    rig.drain.offers.settled([6])
    assert rig.drain.offers.due(rig.clock.mono_s(), 20) == []
    rig.handler.handle(command(args={"from": 2, "to": 7}), "replay", to_all=False)
    (payload,) = rig.payloads()
    assert json.loads(payload)["data"] == {"again_n": 3, "missing_n": 3, "upto": 7}
    assert rig.drain.offers.due(rig.clock.mono_s(), 20) == [4, 5, 7]
    assert rig.events("gap") == [{"code": "not_kept", "missing": [[2, 3], [6, 6]], "n": 3}]


def test_a_replay_of_what_never_was_announces_nothing(rig):
    messages(rig, 2)
    rig.handler.handle(command(args={"from": 100, "to": 2**62}), "replay", to_all=False)
    assert json.loads(rig.payloads()[0])["data"]["missing_n"] == 0
    assert rig.events("gap") == []


def test_a_hint_of_the_time_is_answered_with_ours(rig):
    rig.handler.handle(command(args={"utc_ms": NOW.wall_ms - 500}), "time_hint", to_all=False)
    assert json.loads(rig.payloads()[0])["data"] == {
        "boot": NOW.boot, "mono_ms": NOW.mono_ms, "clock": "ntp", "utc_ms": NOW.wall_ms, "off_ms": 500}


def test_diagnostics_tell_numbers_and_no_words_of_others(rig):
    rig.handler.handle(command(), "diagnostics", to_all=False)
    told = json.loads(rig.payloads()[0])["data"]
    assert told["link"] == {"outbox_n": 3} and {"agent", "os", "python", "sqlite", "store"} <= told["versions"].keys()


# A kill after each step, and what the next life makes of it.

def test_killed_before_it_was_recorded_the_broker_brings_it_again(tmp_path, clock):
    confirmed = []
    rig = DeskRig(tmp_path, clock)
    rig.store.wait_for(lambda _: None, HANG_S)
    message = replace(command(), confirm=lambda: confirmed.append(1))
    rig.store.close()
    rig.handler.handle(message, "rebirth", to_all=False)
    assert not confirmed and rig.births_n == 0
    after = DeskRig(tmp_path, clock)
    assert after.ask(message, "rebirth") == [("done", None)] and after.births_n == 1 and confirmed == [1]
    after.close()


def test_killed_between_record_and_deed_it_is_answered_as_interrupted_and_never_done(tmp_path, clock):
    rig = DeskRig(tmp_path, clock)
    rig.handler.handle(command(), "rebirth", to_all=True)        # recorded now, done 15 s later
    rig.settle()
    rig.close()
    after = DeskRig(tmp_path, clock)
    after.handler.up()
    assert after.answers() == [("failed", "interrupted")]
    assert after.ask(command(), "rebirth") == [("failed", "interrupted")] and after.births_n == 0
    assert [(each["st"], each["code"]) for each in after.events()] == [("failed", "interrupted")]
    after.close()


def test_killed_between_deed_and_answer_the_answer_is_sent_until_somebody_gets_it(tmp_path, clock):
    rig = DeskRig(tmp_path, clock)
    rig.handler.handle(command(args={"from": 1, "to": 5}), "replay", to_all=False)
    rig.settle()
    rig.close()
    for _ in range(2):
        after = DeskRig(tmp_path, clock)
        after.handler.up()
        assert after.answers() == [("done", None)]
        after.close()
    after = DeskRig(tmp_path, clock)
    after.handler.answered(f"{ULID[:-2]}00")
    after.handler.up()
    assert after.answers() == [] and len(after.events()) == 1
    after.close()


JSON = st.recursive(st.none() | st.booleans() | st.integers(-2**70, 2**70) | st.floats() | st.text(max_size=20),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
                    max_leaves=8)
@contextlib.contextmanager
def denying(monkeypatch: pytest.MonkeyPatch, change: int) -> Iterator[None]:
    """The keeper's database refuses this kind of change to commands."""
    def opened(*given: object) -> StoreConnection:
        db = connect(*given)
        db.set_authorizer(lambda what, table, *_: sqlite3.SQLITE_DENY if (what, table) == (change, "command")
                          else sqlite3.SQLITE_OK)
        return db

    with monkeypatch.context() as patch:
        patch.setattr(link_desk, "connect", opened)
        yield


def test_a_card_that_takes_no_answer_is_asked_again(rig, clock, monkeypatch):
    with denying(monkeypatch, sqlite3.SQLITE_UPDATE):
        assert rig.ask(command(), "rebirth") == [] and (rig.births_n, rig.events()) == (0, [])
    clock.step(6)
    assert rig.answers() == [("done", None)] and rig.births_n == 1


def test_a_card_that_takes_no_command_is_no_reason_for_silence(rig, monkeypatch):
    with denying(monkeypatch, sqlite3.SQLITE_INSERT):
        assert rig.ask(command(), "rebirth") == [("failed", "store")] and rig.births_n == 0
    assert rig.ask(command(), "rebirth") == [("done", None)]


def test_connections_that_come_and_go_do_not_multiply_an_answer(rig):
    rig.ask(command(), "rebirth")
    for _ in range(3):
        rig.handler.up()
        rig.settle()
    assert rig.answers() == [("done", None)]


def test_an_answer_that_was_ready_before_the_connection_was_up_is_not_lost(rig):
    rig.ask(command(), "rebirth")
    rig.handler.answered(f"{ULID[:-2]}00")
    rig.handler.handle(command(), "rebirth", to_all=False)       # kept by the broker, it comes before the SUBACK
    rig.settle()
    rig.handler.up()
    assert rig.answers() == [("done", None)]


WORDS = st.text("abc./-", min_size=1, max_size=9)
ARGS = st.fixed_dictionaries({}, optional=dict.fromkeys(("from", "to", "utc_ms"), st.integers(0, 2**63 - 1) | JSON)
                             | {"role": st.sampled_from(["link", "root"]) | JSON, "cam": WORDS})
ORDERS = st.fixed_dictionaries(
    {"id": st.from_regex(r"[0-9A-HJKMNP-TV-Z]{26}", fullmatch=True), "iat": st.integers(0, 2**48),
     "exp": st.sampled_from([0, NOW.wall_ms + 5000, NOW.wall_ms + 2**40])},
    optional={"args": ARGS, "by": WORDS, "kid": WORDS, "sig": st.text(max_size=128), "v": st.integers(0, 2),
              "dev": st.just(TOPICS.dev), "name": WORDS, "more": JSON})
NAMES = st.sampled_from(["rebirth", "replay", "time_hint", "restart", "clip.export", "pause.state"]) | WORDS


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(order=ORDERS | JSON, name=NAMES, to_all=st.booleans(),
       response=st.none() | WORDS.map(f"{TOPICS.root}/rsp/{{}}".format))
def test_whatever_comes_is_answered_or_called_bad(rig, clock, order, name, to_all, response):
    clock.step(61)
    clock.moment = replace(clock.moment, wall_ms=NOW.wall_ms)
    payload = json.dumps(order).encode(errors="replace")
    try:
        wire.decode(wire.Command, payload)
    except wire.BadPayload:
        with pytest.raises(wire.BadPayload):
            rig.handler.handle(arrived(payload, response), name, to_all)
        return
    rig.handler.handle(arrived(payload, response), name, to_all)
    early = rig.answers()
    clock.step(16)
    assert len([*early, *rig.answers()]) == 1
