"""What the link makes of a ward's document, on a real store and with a clock moved by hand: no broker, no waiting."""
import base64
import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.config.settings import Settings, Ward
from agent.core.contract import wire
from agent.core.evidence.ledger.row import canonical
from agent.core.household.ward_settings import KEYS
from agent.host.clock import Instant
from agent.link.actions import SettingsInForce
from agent.link.audit import Audit, EventWriter
from agent.link.configuration import DOCUMENTS_A_MINUTE, Configuration
from agent.link.flow import FlowRunner
from agent.link.report import Reporter
from agent.link.verifier import WAITING_MAX, Verifier
from agent.store import identity, outbox, ward_settings
from agent.store.folders import COMMAND_KEYS, Folders
from agent.store.ward_settings import Given
from tests.rigs.desk import NOW, TOPICS, CountedPresence, HandClock
from tests.rigs.examples import examples
from tests.rigs.joined import join
from tests.rigs.kept_store import KeptStore
from tests.rigs.wait import HANG_S

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


class Desk:
    """One life of it, in `folder`."""

    def __init__(self, folder: Path, ward: Ward | None = None) -> None:
        self.clock, folders = HandClock(), Folders(folder).create()
        key = folder / "key.pem"
        key.write_bytes(KEY.public_key().public_bytes(serialization.Encoding.PEM,
                                                      serialization.PublicFormat.SubjectPublicKeyInfo))
        (folders.household / identity.FILE).write_text(TOPICS.dev)
        own = Settings(ward=msgspec.structs.replace(ward or Ward(enabled=True), command_key=str(key)))
        self.store = KeptStore(folder, self.clock, own)
        self.store.write(join)
        pen = EventWriter(self.store, lambda: None)
        self.audit = Audit(pen, self.clock)
        self.verifier = Verifier(str(key), folders.household / COMMAND_KEYS, self.clock)
        self.presence = CountedPresence(own, self.clock)
        self.in_force = SettingsInForce(own, folder, Reporter(own, folders, self.clock, pen), self.presence)
        self.in_force.apply(self.store.wait_for(ward_settings.read, None))
        flows = FlowRunner(self.store, self.verifier, self.clock)
        self.configuration = Configuration(TOPICS, self.audit, flows, self.in_force, lambda: None)

    def settle(self) -> None:
        """Let the checker and the store's thread do all that there is to do."""
        for _ in range(2):
            while self.verifier.wait_s() < 1:
                self.verifier.turn()
                time.sleep(0.005)
            self.store.settle()

    def reports(self, *payloads: bytes) -> list[tuple[int, str, str | None]]:
        """Hand documents in; what is reported in the end."""
        for payload in payloads:
            self.configuration.receive(payload)
        self.settle()
        told = [json.loads(each.payload) for each in self.configuration.due()]
        return [(each["ver"], each["st"], each.get("code")) for each in told]

    def kept(self) -> Given:
        """What is on the card."""
        return self.store.wait_for(ward_settings.read, HANG_S)

    def events(self, kind: str) -> list[dict[str, object]]:
        """What was told to the ward, by kind."""
        rows = self.store.wait_for(lambda db: outbox.after(db, 0, 10_000), HANG_S)
        return [json.loads(row["data"]) for row in rows or [] if row["kind"] == kind]

    def close(self) -> None:
        """End this life."""
        self.store.close()


def document(cfg: object, ver: object = 18, **more: object) -> bytes:
    """A document as the ward signs it."""
    told = {"v": 1, "ver": ver, "dev": TOPICS.dev, "cfg": cfg, **more}
    return json.dumps({**told, "sig": base64.b64encode(KEY.sign(canonical(told))).decode()}).encode()


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def test_the_same_document_is_answered_from_memory_and_done_once(desk):
    payload = document({"retention_d": 5})
    assert desk.reports(payload) == [(18, "applied", None)]
    births_n = desk.presence.births_n
    desk.configuration.receive(payload)
    assert desk.verifier.wait_s() == float("inf"), "nothing is checked again"
    assert desk.reports() == [(18, "applied", None)] and desk.presence.births_n == births_n
    refused = document({"retention_d": 5}, 17)
    assert desk.reports(refused) == desk.reports(refused) == [(17, "refused", "old_version")]
    assert desk.audit.seen_n == 1 and len(desk.events("config")) == 1
    assert desk.kept().digest == hashlib.sha256(payload).hexdigest()


def test_the_next_life_goes_on_with_it_and_with_its_number(desk, tmp_path):
    payload = document({"health_int_s": 200})
    desk.reports(payload)
    desk.close()
    after = Desk(tmp_path)
    assert after.in_force.ver == 18 and after.in_force.weighed().values["health_int_s"] == 200
    assert after.reports(document({}, 17)) == [(17, "refused", "old_version")]
    after.configuration.up()
    assert after.reports() == [(18, "applied", None)] and after.reports(payload) == [(18, "applied", None)]
    after.close()


def test_of_two_that_are_checked_at_once_the_newer_one_holds_whatever_comes_last(desk):
    desk.reports(document({"retention_d": 7}, 20), document({"retention_d": 4}, 19))
    assert desk.kept().ver == desk.in_force.ver == 20
    assert [event["ver"] for event in desk.events("config")] == [20]


def test_the_same_words_signed_anew_are_the_same_document(desk):
    desk.reports(document({"retention_d": 7}))
    assert desk.reports(document({"retention_d": 7}, by="w07/officer-118")) == [(18, "applied", None)]
    assert len(desk.events("config")) == 1


def test_what_could_not_be_checked_may_come_again(desk):
    for _ in range(WAITING_MAX):
        desk.verifier.check(b"{}", lambda _: None)
    desk.verifier._chance = lambda n: n - 1
    good = document({"retention_d": 7})
    desk.configuration.receive(good)
    [busy] = desk.configuration.due()
    assert json.loads(busy.payload)["code"] == "busy"
    desk.settle()
    assert desk.reports(good) == [(18, "applied", None)]


def test_a_card_that_takes_nothing_is_told_of_and_asked_again(desk):
    payload = document({"retention_d": 7})
    desk.store.write(lambda db: db.execute("ALTER TABLE meta RENAME TO gone"))
    assert desk.reports(payload) == [(18, "refused", "store")] and desk.in_force.ver is None
    desk.store.write(lambda db: db.execute("ALTER TABLE gone RENAME TO meta"))
    assert desk.reports(payload) == [(18, "applied", None)]


def test_a_storm_is_counted_and_over_with_its_minute(desk):
    for n in range(DOCUMENTS_A_MINUTE):
        desk.configuration.receive(b'{"ver":%d,"cfg":{}}' % n)
    assert desk.reports(document({"retention_d": 7})) == [(DOCUMENTS_A_MINUTE - 1, "refused", "unsigned")]
    assert [event["code"] for event in desk.events("security")] == ["unsigned", "config_storm"]
    desk.clock.step(61)
    assert desk.reports(document({"retention_d": 7})) == [(18, "applied", None)]


def test_it_needs_no_clock(tmp_path):
    desk = Desk(tmp_path)
    desk.clock.moment = replace(NOW, clock="unset", wall_ms=0)
    assert desk.reports(document({"retention_d": 7})) == [(18, "applied", None)]
    assert isinstance(desk.clock.now(), Instant)
    desk.close()


plain = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
                     lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=9), some, max_size=3),
                     max_leaves=6)
fields = st.fixed_dictionaries({}, optional={
    "v": plain, "ver": st.integers(-1, 40) | plain, "dev": st.just(TOPICS.dev) | plain, "kid": plain,
    "sig": st.just("AAAA") | plain, "later": plain,
    "cfg": st.dictionaries(st.sampled_from([*KEYS, "masks"]), st.integers(0, 400) | plain, max_size=3) | plain})


@given(payload=st.binary(max_size=60) | fields.map(json.dumps).map(str.encode) | plain.map(json.dumps).map(str.encode))
@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_what_is_not_signed_changes_nothing_whatever_it_says(desk, payload):
    desk.clock.step(61)
    try:
        desk.configuration.receive(payload)
    except wire.BadPayload as bad:
        assert len(str(bad)) < 40
    desk.store.turn()
    for report in desk.configuration.due():
        told = json.loads(report.payload)
        assert told["st"] == "refused" and len(report.payload) < 1000
    assert desk.in_force.ver is None


@given(cfg=st.dictionaries(st.sampled_from(list(KEYS)), st.integers(-5, 400) | st.sampled_from(["info", "debug", True]),
                           max_size=3), ver=st.integers(0, 40))
@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_a_signed_one_is_applied_within_the_households_limits_or_refused_as_a_whole(desk, cfg, ver):
    before = desk.in_force.given
    desk.clock.step(61)
    [(told_ver, state, code)] = desk.reports(document(cfg, ver))
    holds = desk.in_force.weighed().values
    assert told_ver == ver and desk.kept() == desk.in_force.given
    assert (state == "applied") == ((desk.in_force.given.ver, desk.in_force.given.cfg) == (ver, cfg))
    if state == "refused":
        assert desk.in_force.given == before
        assert code in ("bad_value", "old_version")
    assert holds["health_int_s"] >= 30 and 3 <= holds["retention_d"] <= 10 and holds["log_level"] in ("info", "debug")
