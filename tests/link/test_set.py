"""The ward's command `set` through a real broker: in effect without a restart, reported, and kept for good."""
import json
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.process import orders
from agent.store import ledger, ward_settings
from agent.store.database import transaction
from agent.store.ward_settings import Given
from tests.rigs.device.link_role import LinkRig
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import until
from tests.rigs.ward.ops import KEY, Ops, st
from tests.rigs.ward.receiver import Ingest

OWN = {"health_int_s": 60, "retention_d": 10, "log_level": "info"}


class Desk(Ops):
    """The ward's hand: sets, and reads what came of it."""

    def set(self, **wish):
        return self.signed("set", wish)

    def events(self, kind):
        return [event["data"] for event in self.ward.events() if event["data"]["kind"] == kind]

    def reported(self, cfg):
        """The newest report, once it has these settings."""
        return until(lambda: (told := self.ward.last("/cfg/reported")) and told["cfg"] == cfg and told)

    def level(self):
        """What the other processes are told to log, if they are."""
        path = self.rig.runtime / orders.LINK / orders.LEVEL_FILE
        return path.read_text() if path.exists() else None

    def restart(self):
        """Kill the link and start it; return once it has reported again."""
        births_n = len(self.ward.all("/birth"))
        self.rig.kill()
        self.rig.start()
        until(lambda: len(self.ward.all("/birth")) > births_n)


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
    wish = {"health_int_s": 120, "retention_d": 40, "log_level": "debug"}
    holds = {"cfg": wish | {"retention_d": 10}, "clamped": {"retention_d": "household"}}
    answer = desk.set(**wish)
    assert st(answer) == ("done", None) and answer["data"] == holds
    told = until(lambda: desk.events("config"))[-1]
    assert (told["cfg"], told["clamped"]) == (wish, holds["clamped"])
    assert desk.reported(holds["cfg"]) == {"v": 1, "ver": told["ver"], **holds}
    again = until(lambda: (birth := desk.ward.last("/birth")) and birth.get("cfg_ver") == told["ver"] and birth)
    assert (health["int_s"], "cfg_ver" in born, again["conn"]) == (60, False, born["conn"])
    assert again["cfg_sha256"] != born["cfg_sha256"] and desk.level() == "debug"
    rows = [row.body for row in ledger.waiting(desk.rig.db) if row.kind == "ward_config"]
    assert rows[-1] == {"ver": told["ver"], "cfg": wish}


def test_what_is_not_named_goes_back_to_the_households_own(desk):
    desk.set(health_int_s=120, log_level="debug")
    assert desk.set(retention_d=5)["data"]["cfg"] == {**OWN, "retention_d": 5}
    until(lambda: desk.level() is None)
    assert desk.set()["data"] == {"cfg": OWN}


def test_what_may_not_be_is_refused_with_its_code_and_changes_nothing(desk):
    desk.set(retention_d=6)
    held = ward_settings.read(desk.rig.db)
    for args, code, more in (
            ({}, "unsigned", {"key": None}), ({}, "bad_signature", {"key": Ed25519PrivateKey.generate()}),
            ({}, "unknown_key", {"kid": "0123456789abcdef"}), ({}, "other_order", {"dev": "c-000000000000"}),
            ({"retention_d": 4}, "old_version", {"iat": held.ver - 1}),
            ({"retention_d": 4}, "old_version", {"iat": held.ver}), ({"masks": []}, "bad_args", {}),
            ({"retention_d": "5"}, "bad_args", {}), ({"log_level": None}, "bad_args", {})):
        assert st(desk.signed("set", args, **more)) == ("refused", code)
    assert ward_settings.read(desk.rig.db) == held and desk.reported({**OWN, "retention_d": 6})["ver"] == held.ver


def test_it_holds_over_kills_and_is_done_once(desk):
    order = desk.payload({"health_int_s": 200, "log_level": "debug"}, KEY, dev=desk.dev, name="set")
    desk.send("set", order)
    first = until(lambda: desk.answers(order))[0]
    report = desk.reported({**OWN, "health_int_s": 200, "log_level": "debug"})
    for _ in range(2):
        reported_n = len(desk.ward.all("/cfg/reported"))
        (desk.rig.runtime / orders.LINK / orders.LEVEL_FILE).unlink(missing_ok=True)
        desk.restart()
        assert desk.ward.last("/birth")["cfg_ver"] == order["iat"] and desk.level() == "debug"
        until(lambda n=reported_n: len(desk.ward.all("/cfg/reported")) > n)
        assert desk.ward.last("/cfg/reported") == report and until(lambda: desk.ward.last("/health"))["int_s"] == 200
    desk.send("set", order)
    until(lambda: len(desk.answers(order)) > 1)
    assert desk.answers(order)[-1] == first
    assert [each["ver"] for each in desk.events("config")].count(order["iat"]) == 1


def test_a_kill_at_any_moment_leaves_an_answer_that_is_true(desk):
    for delay_s in (0, 0.2):
        order = desk.payload({"retention_d": 9}, KEY, dev=desk.dev, name="set")
        desk.send("set", order)
        time.sleep(delay_s)
        desk.restart()
        answer = st(until(lambda order=order: desk.answers(order))[-1])
        assert answer in (("done", None), ("failed", "interrupted"))
        assert (answer[0] == "done") == (ward_settings.read(desk.rig.db).id == order["id"])


def test_a_document_of_an_earlier_version_holds_until_the_next_command_whatever_its_number(desk):
    """What waits at the broker on that version's topic is not heard any more, and is no breach either."""
    desk.rig.kill()
    with transaction(desk.rig.db):
        ward_settings.put(desk.rig.db, Given(ver=9_000_000_000_000, cfg={"retention_d": 4}))
    desk.ward.publish(f"{desk.dev}/cfg/desired", b'{"v":1,"ver":9000000000001,"cfg":{"retention_d":3}}', retain=True)
    before_n = len(desk.events("security"))
    desk.restart()
    assert desk.reported({**OWN, "retention_d": 4})["ver"] == desk.ward.last("/birth")["cfg_ver"] == 9_000_000_000_000
    assert desk.set(retention_d=8)["data"]["cfg"]["retention_d"] == 8
    assert desk.reported({**OWN, "retention_d": 8}) and len(desk.events("security")) == before_n


def test_a_household_that_wants_none_of_it_is_told_nothing_to_the_ward(tmp_path):
    with Broker(tmp_path / "broker") as broker, Ingest(broker.port, tmp_path) as ward, \
            LinkRig(tmp_path / "link", broker.port, f'command_key = "{pem(tmp_path)}"') as rig:
        desk = Desk(ward, rig)
        desk.set(health_int_s=300, log_level="debug")
        until(lambda: desk.level() == "debug")
        rig.stop()
        rig.desk.close()
        rig.config.write_text(rig.config.read_text().replace("[ward]", "[ward]\nmay_configure = false"))
        rig.open_desk()
        births_n = len(ward.all("/birth"))
        rig.start()
        until(lambda: len(ward.all("/birth")) > births_n)
        assert "cfg_ver" not in ward.last("/birth") and desk.level() is None
        assert st(desk.set(health_int_s=200)) == ("refused", "not_allowed")
        assert json.loads(ward.all("/cfg/reported")[-1].payload)["cfg"]["health_int_s"] == 300
