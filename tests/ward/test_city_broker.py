"""The city's broker and the ward's bridge as firmware_cfg/ward sets them up, in two real mosquittos."""
import pytest

from tests.rigs.device.link_role import LinkRig
from tests.rigs.mqtt.broker import Broker
from tests.rigs.mqtt.certified import Client, certified, furnish, swapped
from tests.rigs.pki import Authority
from tests.rigs.wait import until
from tests.rigs.ward.forwarder import WardForward, city
from tests.rigs.ward.ingest import WardIngest

DEV = "c-7f3a9c21b04d"
THERE = f"w07/{DEV}"


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "city-pki", "city-ca")


@pytest.fixture
def above(tmp_path, authority):
    """The city's broker, for the wards w07 and w08."""
    broker = Broker(tmp_path / "city-broker")
    rights = [swapped("acl.city", {}), *(swapped("acl.city.in", {"@WARD@": ward}) for ward in ("w07", "w08"))]
    furnish(broker, "city.conf", authority, "".join(rights))
    with broker:
        yield broker


@pytest.fixture
def wards_authority(tmp_path):
    return Authority(tmp_path / "ward-pki", "ward-ca")


@pytest.fixture
def below(tmp_path, authority, wards_authority, above):
    """The broker of the ward w07 with its bridge to the city's."""
    cert, key = authority.issue("bridge-w07")
    bridge = swapped("bridge.conf", {
        "@WARD@": "w07", "@CITY@:8883": f"localhost:{above.port}", "/etc/taimat-ward/city/ca.pem": authority.ca,
        "/etc/taimat-ward/city/bridge.pem": cert, "/etc/taimat-ward/city/bridge.key": key,
        "restart_timeout 5 120": "restart_timeout 1"})
    broker = Broker(tmp_path / "ward-broker")
    furnish(broker, "mosquitto.conf", wards_authority, swapped("acl.in", {"@WARD@": "w07"}), bridge)
    with broker:
        yield broker


@pytest.fixture
def ingest(tmp_path, authority, above):
    """The city's."""
    lines = f'wards = ["all"]\n{certified(authority, "ingest")}'
    with WardIngest(tmp_path / "city", above.port, ward=lines) as ingest:
        until(lambda: ingest.figures().get("taimat_ward_connected") == 1)
        yield ingest


def test_how_devices_are_crosses_the_bridge_and_comes_again_after_the_link_was_cut(
        tmp_path, wards_authority, above, below, ingest):
    with LinkRig(tmp_path / "link", below.port, certified(wards_authority, DEV)) as rig:
        rig.append()
        row = until(lambda: (row := ingest.device(THERE)) and row.birth and row.health and row.online and row)
        above.kill()
        rig.stop()
        above.start()
        until(lambda: ingest.device(THERE).why == "shutdown")
        rig.start()
        row = until(lambda: (again := ingest.device(THERE)).online and again.health_ms > row.health_ms and again)
        assert row.conn == 2 and ingest.seqs() == [], "events have their own way"


def test_forwarder_and_ingest_need_no_more_rights_than_they_have(
        tmp_path, authority, wards_authority, above, below, ingest):
    where = city(above.port, certified(authority, "forward-w07"))
    with WardIngest(tmp_path / "ward", below.port, ward=certified(wards_authority, "ingest"), more=where) as ward, \
            WardForward(ward) as forward, \
            LinkRig(tmp_path / "link", below.port, certified(wards_authority, DEV)) as rig:
        seqs = [rig.append() for _ in range(3)]
        until(lambda: ingest.seqs(THERE) == seqs)
        until(lambda: forward.figures().get("taimat_forward_waiting_events") == 0)
        forward.stop()
        ingest.stop()
    assert "refus" not in forward.log.read_text() + ingest.log.read_text()


def test_each_does_what_it_is_there_for_and_nothing_else(authority, above):
    names = ("forward-w07", "bridge-w07", "forward-w08", "ingest-1")
    forward, bridge, neighbour, ingest = clients = [Client(authority, above, name, name) for name in names]
    own, others = f"cam/v1/w07/{DEV}", f"cam/v1/w08/{DEV}"
    forward.hears("cam/v1/#")
    neighbour.hears("cam/v1/#")
    ingest.hears("$share/ingest/cam/v1/+/+/evt")
    assert forward.may(f"{own}/evt") and all(bridge.may(f"{own}/{what}") for what in ("status", "birth", "health"))
    assert not any(forward.may(topic) for topic in (
        f"{others}/evt", f"{own}/status", f"{own}/ack", f"{own}/cmd/replay"))
    assert not any(bridge.may(topic) for topic in (f"{own}/evt", f"{others}/status", f"{own}/ack"))
    assert ingest.may(f"{own}/ack") and ingest.may(f"{own}/cmd/replay")
    assert not any(ingest.may(f"{own}/{tail}") for tail in ("evt", "cmd/restart", "cfg/reported"))
    until(lambda: len(forward.heard) == 2 and ingest.heard)
    assert forward.heard == [f"{own}/ack", f"{own}/cmd/replay"] and not neighbour.heard
    assert ingest.heard == [f"{own}/evt"]
    for client in clients:
        client.close()
