"""The broker as firmware_cfg/ward sets it up: mutual TLS, rights, the revoked; ingest and devices live with it."""
import socket
import ssl
from pathlib import Path

import pytest

from agent.ward.desk.officers import PREFIX
from tests.rigs.device.link_role import LinkRig
from tests.rigs.mqtt.broker import Broker
from tests.rigs.mqtt.certified import Client, certified, furnish, swapped
from tests.rigs.pki import Authority
from tests.rigs.wait import HANG_S, until
from tests.rigs.ward.ingest import WardIngest

DEV, OTHER = "c-7f3a9c21b04d", "c-0123456789ab"
DEBIANS = Path("/etc/mosquitto/mosquitto.conf")


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "pki", "ward-ca")


@pytest.fixture
def broker(tmp_path, authority):
    """The very files, with this test's paths and port in them."""
    broker = Broker(tmp_path / "broker")
    furnish(broker, "mosquitto.conf", authority, swapped("acl.in", {"@WARD@": "w07"}))
    with broker:
        yield broker


def test_the_ingest_needs_no_more_rights_than_it_has(tmp_path, authority, broker):
    with WardIngest(tmp_path / "ward", broker.port, ward=certified(authority, "ingest")) as ward, \
            LinkRig(tmp_path / "link", broker.port, certified(authority, DEV)) as rig:
        seqs = [rig.append() for _ in range(3)]
        until(lambda: rig.waiting_n() == 0, "the outbox is empty")
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
        "cam/v1/w07/_ward/echo", "cam/v1/w07/_all/cmd/rebirth", f"cam/v1/w08/{DEV}/evt"))
    assert all(ingest.may(topic) for topic in (f"{own}/ack", f"{own}/cmd/replay", "cam/v1/w07/_ward/state",
                                               "cam/v1/w07/_ward/echo"))
    assert not any(ingest.may(topic) for topic in (f"{own}/cmd/restart", f"{own}/cfg/desired", f"{own}/evt"))
    assert all(desk.may(topic) for topic in (f"{own}/cmd/restart", f"{own}/cmd/set", "cam/v1/w07/_all/cmd/rebirth"))
    assert not desk.may(f"{own}/cfg/desired")
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


def test_the_desk_asks_for_pictures_beside_ops_and_gives_no_other_order(authority, broker):
    ops, desk = (Client(authority, broker, name, name) for name in ("ops", "desk"))
    own = f"cam/v1/w07/{DEV}"
    assert all(desk.may(f"{own}/cmd/{name}") for name in ("clip.export", "clip.cancel", "snapshot"))
    assert not any(desk.may(topic) for topic in (
        f"{own}/cmd/restart", f"{own}/cmd/replay", f"{own}/cfg/desired", f"{own}/ack", "cam/v1/w07/_all/cmd/rebirth"))
    assert ops.may(f"{own}/cmd/rebirth"), "ops is still there"
    for client in (ops, desk):
        client.close()


def test_a_reader_hears_what_happens_and_says_nothing(authority, broker):
    """So a program of the centre looks on without `ops`, whose place at the broker is that of who gives orders."""
    device, desk, reader = (Client(authority, broker, name, name) for name in (DEV, "ops", "reader"))
    reader.hears("cam/v1/w07/#")
    own = f"cam/v1/w07/{DEV}"
    assert all(device.may(f"{own}/{tail}") for tail in ("status", "birth", "health", "evt", "rsp/ops/1"))
    assert desk.may(f"{own}/cmd/rebirth"), "ops is still there"
    until(lambda: len(reader.heard) == 4)
    assert {topic.rpartition("/")[2] for topic in reader.heard} == {"status", "birth", "health", "evt"}
    assert not any(reader.may(f"cam/v1/w07/{tail}") for tail in (
        f"{DEV}/evt", f"{DEV}/ack", f"{DEV}/cmd/replay", f"{DEV}/cfg/desired", "_ward/state", "_all/cmd/rebirth"))
    for client in (device, desk, reader):
        client.close()


@pytest.mark.parametrize("name", ["ingest", "ops", "desk", "reader"])
def test_an_account_is_no_device(authority, broker, name):
    """The rights of devices are patterns of a name, and an account has one, too."""
    account, device = (Client(authority, broker, each, each) for each in (name, DEV))
    assert not any(account.may(f"cam/v1/w07/{name}/{tail}") for tail in (
        "status", "birth", "health", "evt", "rsp/ops/1", "cfg/reported", "cfg/desired", "ack", "cmd/restart"))
    assert device.may(f"cam/v1/w07/{DEV}/status")
    for client in (account, device):
        client.close()


def test_an_officer_comes_to_the_desk_and_is_nobody_at_the_broker(authority, broker):
    """What the desk lets in has a "+" in its name: no topic can have that, whatever a client may send."""
    ops, device, officer = (Client(authority, broker, name, "") for name in ("ops", DEV, f"{PREFIX}an"))
    ops.hears("cam/v1/w07/+/status")
    officer.hears("cam/v1/w07/#")
    assert not any(officer.may(f"cam/v1/w07/{name}/status") for name in ("an", "desk", "desk-an", DEV))
    officer.close()
    context = ssl.create_default_context(cafile=authority.ca)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT         # as for a Client
    context.load_cert_chain(*authority.issue(f"{PREFIX}an"))
    with context.wrap_socket(socket.create_connection(("localhost", broker.port), HANG_S),
                             server_hostname="localhost") as raw:
        raw.sendall(packet(0x10, text("MQTT") + b"\x04\x02\x00\x3c" + text("")))
        assert raw.recv(4)[3] == 0, "CONNACK: it is let in,"
        raw.sendall(packet(0x30, text(f"cam/v1/w07/{PREFIX}an/status") + b"{}"))
        assert raw.recv(1) == b"", "and thrown out"
    assert device.may(f"cam/v1/w07/{DEV}/status")
    until(lambda: ops.heard)
    assert ops.heard == [f"cam/v1/w07/{DEV}/status"] and officer.heard == []
    for client in (ops, device):
        client.close()


def text(words: str) -> bytes:
    """As MQTT has it."""
    return len(words).to_bytes(2, "big") + words.encode()


def packet(kind: int, body: bytes) -> bytes:
    """Of up to 127 bytes."""
    return bytes((kind, len(body))) + body


@pytest.mark.skipif(not DEBIANS.exists(), reason="no mosquitto of Debian's")
@pytest.mark.parametrize("name", ["mosquitto.conf", "city.conf"])
def test_debians_own_file_takes_it_in(tmp_path, authority, name):
    """Read by Debian's, of which only the places are other ones, the broker starts, and keeps what it is to keep."""
    broker = Broker(tmp_path / "broker")
    furnish(broker, name, authority, swapped("acl.in", {"@WARD@": "w07"}))
    ours = (broker.folder / "mosquitto.conf").read_text().partition("persistence true\n")[0]
    (broker.folder / "conf.d").mkdir()
    (broker.folder / "conf.d/taimat-ward.conf").write_text(ours)
    debians = DEBIANS.read_text()
    for theirs in ("/var/lib/mosquitto", "/var/log/mosquitto", "/etc/mosquitto"):
        assert theirs in debians
        debians = debians.replace(theirs, str(broker.folder))
    (broker.folder / "mosquitto.conf").write_text(f"{debians}\nuser root\n")
    with broker:
        Client(authority, broker, "ops", "ops").close()
    assert (broker.folder / "mosquitto.db").exists()
