"""A ward's configuration through a real broker: checked, kept, in effect without a restart, and reported."""
import base64
import itertools
import json
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.evidence.ledger.row import canonical
from agent.process import orders
from agent.store import ledger, ward_settings
from tests.rigs.broker import Broker
from tests.rigs.links import LinkRig
from tests.rigs.wait import until
from tests.rigs.ward import Ingest

KEY = Ed25519PrivateKey.generate()
VERS = itertools.count(10)
OWN = {"health_int_s": 60, "retention_d": 10, "log_level": "info"}


class Desk:
    """The ward's hand: asks for a configuration, and reads what became of it."""

    def __init__(self, ward: Ingest, rig: LinkRig) -> None:
        self.ward, self.rig = ward, rig
        until(lambda: ward.last("/birth"))
        self.dev = rig.dev()

    def document(self, cfg, ver=None, key=KEY, **more):
        """A document, signed unless there is no key."""
        told = {"v": 1, "ver": next(VERS) if ver is None else ver, "dev": self.dev, "cfg": cfg, **more}
        return {**told, "sig": base64.b64encode(key.sign(canonical(told))).decode()} if key else told

    def send(self, document):
        self.ward.publish(f"{self.dev}/cfg/desired", json.dumps(document).encode(), retain=True)

    def ask(self, document):
        """Ask for it, and wait for what is reported of it: a report on an earlier one may come once more meanwhile."""
        before_n = len(self.ward.all("/cfg/reported"))
        self.send(document)
        return until(lambda: next((each for each in self.reports(before_n) if each["ver"] == document["ver"]), None))

    def reports(self, from_n):
        """What was reported, without the first so many."""
        return [json.loads(each.payload) for each in self.ward.all("/cfg/reported")[from_n:]]

    def events(self, kind):
        return [event["data"] for event in self.ward.events() if event["data"]["kind"] == kind]

    def level(self):
        """What the other processes are told to log, if they are."""
        path = self.rig.runtime / orders.LINK / orders.LEVEL_FILE
        return path.read_text() if path.exists() else None


def pem(folder: Path) -> Path:
    path = folder / "command.pem"
    path.write_bytes(KEY.public_key().public_bytes(serialization.Encoding.PEM,
                                                   serialization.PublicFormat.SubjectPublicKeyInfo))
    return path


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("device")
    with Broker(folder / "broker") as broker, Ingest(broker.port, folder) as ward, \
            LinkRig(folder / "link", broker.port, f'command_key = "{pem(folder)}"\nhealth_every_s = 60') as rig:
        yield Desk(ward, rig)


def test_it_is_in_effect_at_once_and_told_everywhere(desk):
    born, health = desk.ward.last("/birth"), until(lambda: desk.ward.last("/health"))
    document = desk.document({"health_int_s": 120, "retention_d": 40, "log_level": "debug"})
    report = desk.ask(document)
    assert report == {"v": 1, "ver": document["ver"], "st": "applied", "cfg_ver": document["ver"],
                      "cfg": {"health_int_s": 120, "retention_d": 10, "log_level": "debug"},
                      "clamped": {"retention_d": "household"}}
    again = until(lambda: (birth := desk.ward.last("/birth")) and birth.get("cfg_ver") == document["ver"] and birth)
    assert (health["int_s"], "cfg_ver" in born, again["conn"]) == (60, False, born["conn"])
    assert again["cfg_sha256"] != born["cfg_sha256"] and desk.level() == "debug"
    told = until(lambda: desk.events("config"))[-1]
    assert (told["ver"], told["cfg"], told["clamped"]) == (
        document["ver"], document["cfg"], {"retention_d": "household"})
    rows = [row.body for row in ledger.waiting(desk.rig.db) if row.kind == "ward_config"]
    assert rows[-1] == {"ver": document["ver"], "cfg": document["cfg"]}


def test_what_is_not_named_goes_back_to_the_households_own(desk):
    desk.ask(desk.document({"health_int_s": 120, "log_level": "debug"}))
    assert desk.ask(desk.document({"retention_d": 5}))["cfg"] == {**OWN, "retention_d": 5} and desk.level() is None
    assert desk.ask(desk.document({}))["cfg"] == OWN


def test_what_may_not_be_is_refused_with_its_code_and_changes_nothing(desk):
    held = desk.ask(desk.document({"retention_d": 6}))
    stranger, high = Ed25519PrivateKey.generate(), 10**12
    for document, code, key in (
            (desk.document({}, high, None), "unsigned", None),
            (desk.document({}, high, stranger), "bad_signature", None),
            (desk.document({}, high, kid="0123456789abcdef"), "unknown_key", None),
            (desk.document({}, high, dev="c-000000000000"), "other_device", None),
            ({**desk.document({"retention_d": 9}, high), "cfg": {"retention_d": 3}}, "bad_signature", None),
            (desk.document({}, held["ver"] - 1), "old_version", None),
            (desk.document({"retention_d": 4}, held["ver"]), "old_version", None),
            (desk.document({"masks": []}), "unknown_setting", "masks"),
            (desk.document({"retention_d": "5"}), "bad_value", "retention_d")):
        report = desk.ask(document)
        assert (report["st"], report["code"], report.get("key")) == ("refused", code, key)
        assert (report["ver"], report["cfg_ver"], report["cfg"]) == (document["ver"], held["ver"], held["cfg"])
    suspicious = {"unsigned", "bad_signature", "unknown_key", "other_device", "old_version"}
    until(lambda: {event["code"] for event in desk.events("security")} == suspicious)
    assert ward_settings.read(desk.rig.db).cfg == {"retention_d": 6}


def test_it_holds_over_a_kill_and_comes_again_without_being_done_again(desk):
    document = desk.document({"health_int_s": 200, "log_level": "debug"})
    report = desk.ask(document)
    events_n = len(until(lambda: [each for each in desk.events("config") if each["ver"] == document["ver"]]))
    for again in range(2):
        born_n, reported_n = len(desk.ward.all("/birth")), len(desk.ward.all("/cfg/reported"))
        desk.rig.kill()
        (desk.rig.runtime / orders.LINK / orders.LEVEL_FILE).unlink(missing_ok=True)
        if again:                                   # and even if the broker has it no more
            desk.ward.publish(f"{desk.dev}/cfg/desired", b"", retain=True)
        desk.rig.start()
        until(lambda n=born_n: len(desk.ward.all("/birth")) > n)
        assert desk.ward.last("/birth")["cfg_ver"] == document["ver"] and desk.level() == "debug"
        until(lambda n=reported_n: len(desk.ward.all("/cfg/reported")) > n)
        assert desk.ward.last("/cfg/reported") == report
        assert until(lambda: desk.ward.last("/health"))["int_s"] == 200
    assert len([each for each in desk.events("config") if each["ver"] == document["ver"]]) == events_n == 1


def test_a_kill_at_any_moment_loses_no_document_and_takes_none_twice(desk):
    for delay_s in (0, 0.2):
        document = desk.document({"retention_d": 9})
        desk.send(document)
        time.sleep(delay_s)
        desk.rig.kill()
        desk.rig.start()
        until(lambda ver=document["ver"]: desk.ward.last("/cfg/reported").get("cfg_ver") == ver)
        until(lambda ver=document["ver"]: [each for each in desk.events("config") if each["ver"] == ver])
        rows = [row.body["ver"] for row in ledger.waiting(desk.rig.db) if row.kind == "ward_config"]
        assert rows.count(document["ver"]) == 1
    vers = [each["ver"] for each in desk.events("config")]
    assert vers == sorted(set(vers))


def test_a_removed_document_changes_nothing(desk):
    report = desk.ask(desk.document({"retention_d": 7}))
    desk.ward.publish(f"{desk.dev}/cfg/desired", b"", retain=True)
    assert desk.ask(desk.document({"retention_d": 8}, 1))["cfg_ver"] == report["ver"]


def test_a_household_that_wants_none_of_it_is_told_nothing_to_the_ward(tmp_path):
    with Broker(tmp_path / "broker") as broker, Ingest(broker.port, tmp_path) as ward, \
            LinkRig(tmp_path / "link", broker.port, f'command_key = "{pem(tmp_path)}"') as rig:
        desk = Desk(ward, rig)
        desk.ask(desk.document({"health_int_s": 300, "log_level": "debug"}))
        rig.stop()
        rig.config.write_text(rig.config.read_text().replace("[ward]", "[ward]\nmay_configure = false"))
        ward.publish(f"{desk.dev}/cfg/desired", b"", retain=True)
        births_n = len(ward.all("/birth"))
        rig.start()
        until(lambda: len(ward.all("/birth")) > births_n)
        assert "cfg_ver" not in ward.last("/birth") and desk.level() is None
        refused = desk.document({"health_int_s": 200})
        assert desk.ask(refused) == {"v": 1, "ver": refused["ver"], "st": "refused", "code": "not_allowed"}
