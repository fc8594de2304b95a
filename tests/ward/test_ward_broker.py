"""The broker as firmware_cfg/ward sets it up: mutual TLS, rights, the revoked; ingest and devices live with it."""
import os
import ssl
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from tests.rigs.broker import Broker
from tests.rigs.ingest import WardIngest
from tests.rigs.links import LinkRig
from tests.rigs.pki import Authority
from tests.rigs.wait import until

WARD = Path(__file__).resolve().parents[2] / "firmware_cfg" / "ward"
DEV, OTHER = "c-7f3a9c21b04d", "c-0123456789ab"
REFUSED = 0x87


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "pki", "ward-ca")


@pytest.fixture
def broker(tmp_path, authority):
    """The very files, with this test's paths and port in them."""
    broker = Broker(tmp_path / "broker")
    cert, key = authority.issue("broker")
    text = (WARD / "mosquitto.conf").read_text()
    for theirs, ours in (
            ("listener 8883", f"listener {broker.port} 127.0.0.1"), ("/etc/mosquitto/taimat/ward-ca.pem", authority.ca),
            ("/etc/mosquitto/taimat/broker.pem", cert), ("/etc/mosquitto/taimat/broker.key", key),
            ("/etc/mosquitto/taimat/crl.pem", authority.revoke()), ("/etc/mosquitto/taimat.acl", tmp_path / "acl"),
            ("/var/lib/mosquitto", broker.folder)):
        assert theirs in text
        text = text.replace(theirs, str(ours))
    text += f"log_dest file {broker.log}\n" + ("user root\n" if os.geteuid() == 0 else "")
    (broker.folder / "mosquitto.conf").write_text(text)
    (tmp_path / "acl").write_text((WARD / "acl.in").read_text().replace("@WARD@", "w07"))
    (tmp_path / "acl").chmod(0o600)
    with broker:
        yield broker


def certified(authority, name):
    """The lines of a [ward] table with a certificate for `name`."""
    cert, key = authority.issue(name)
    return f'tls = true\nhost = "localhost"\nca = "{authority.ca}"\ncert = "{cert}"\nkey = "{key}"'


class Client:
    """Somebody with a certificate, who gives whatever client id."""

    def __init__(self, authority, broker, name, client_id):
        self.refusals, self.heard, self.up, self.subscribed = [], [], False, False
        self._client = client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5)
        context = ssl.create_default_context(cafile=authority.ca)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT         # the tests' authority leaves out what 3.13 insists on
        context.load_cert_chain(*authority.issue(name))
        client.tls_set_context(context)
        client.on_connect = lambda *_: setattr(self, "up", True)
        client.on_subscribe = lambda *_: setattr(self, "subscribed", True)
        client.on_publish = lambda _c, _d, _m, reason, _p: self.refusals.append(reason.value)
        client.on_message = lambda _c, _d, message: self.heard.append(message.topic)
        client.connect("localhost", broker.port)
        client.loop_start()
        until(lambda: self.up)

    def may(self, topic):
        """Whether the broker lets it publish there."""
        self._client.publish(topic, b"{}", 1)
        return until(lambda: self.refusals and [self.refusals.pop()]) != [REFUSED]

    def hears(self, topic):
        """Listen to `topic`; returns when the broker knows."""
        self._client.subscribe(topic, 1)
        until(lambda: self.subscribed)

    def close(self):
        """Go."""
        self._client.disconnect()
        self._client.loop_stop()


def test_the_ingest_needs_no_more_rights_than_it_has(tmp_path, authority, broker):
    with WardIngest(tmp_path / "ward", broker.port, ward=certified(authority, "ingest")) as ward, \
            LinkRig(tmp_path / "link", broker.port, certified(authority, DEV)) as rig:
        seqs = [rig.append() for _ in range(3)]
        until(lambda: rig.waiting_n() == 0, 20, "the outbox is empty")
        assert ward.seqs(DEV) == seqs
        row = until(lambda: (row := ward.device(DEV)) and row.health and row.birth and row)
        assert row.online and row.conn == 1 and row.top == seqs[-1]
        until(lambda: ward.figures()['taimat_ward_devices{state="online"}'] == 1)
        ward.stop()
    assert "refused" not in ward.log.read_text()


def test_each_does_what_it_is_there_for_and_nothing_else(authority, broker):
    device, ingest, desk = (Client(authority, broker, name, name) for name in (DEV, "ingest", "ops"))
    own, others = f"cam/v1/w07/{DEV}", f"cam/v1/w07/{OTHER}"
    assert all(device.may(f"{own}/{tail}") for tail in (
        "status", "birth", "health", "evt", "rsp/ops/1", "cfg/reported"))
    assert not any(device.may(topic) for topic in (
        f"{others}/evt", f"{own}/ack", f"{own}/cmd/restart", f"{own}/cfg/desired", "cam/v1/w07/_ward/state",
        "cam/v1/w07/_all/cmd/rebirth", f"cam/v1/w08/{DEV}/evt"))
    assert all(ingest.may(topic) for topic in (f"{own}/ack", f"{own}/cmd/replay", "cam/v1/w07/_ward/state"))
    assert not any(ingest.may(topic) for topic in (f"{own}/cmd/restart", f"{own}/cfg/desired", f"{own}/evt"))
    assert all(desk.may(topic) for topic in (f"{own}/cmd/restart", f"{own}/cfg/desired", "cam/v1/w07/_all/cmd/rebirth"))
    assert not any(desk.may(topic) for topic in (f"{own}/ack", f"{own}/evt", "cam/v1/w07/_ward/state"))
    for client in (device, ingest, desk):
        client.close()


def test_a_device_hears_nothing_of_its_neighbours_and_can_not_pass_for_one(authority, broker):
    device, other, desk = (Client(authority, broker, *names) for names in ((DEV, DEV), (OTHER, DEV), ("ops", "ops")))
    for client in (device, other):
        client.hears("cam/v1/w07/#")
    desk.may(f"cam/v1/w07/{DEV}/cmd/rebirth")
    desk.may(f"cam/v1/w07/{OTHER}/cmd/rebirth")
    until(lambda: device.heard and other.heard)
    assert device.heard == [f"cam/v1/w07/{DEV}/cmd/rebirth"] and other.heard == [f"cam/v1/w07/{OTHER}/cmd/rebirth"]
    for client in (device, other, desk):
        client.close()


def test_a_revoked_device_does_not_come_back(tmp_path, authority, broker):
    lines = certified(authority, DEV)
    with LinkRig(tmp_path / "link", broker.port, lines) as rig:
        until(lambda: rig.facts().get("broker") == "connected")
        authority.revoke(tmp_path / "pki" / f"{DEV}.pem")
        broker.reload()
        until(lambda: "Reloading config" in broker.log.read_text())
        rig.kill()
        rig.start()
        until(lambda: rig.facts().get("mqtt_fault"), what="it is kept out")
        assert rig.facts()["mqtt_fault"] in ("tls_revoked", "closed") and rig.facts()["broker"] != "connected"
