"""A city's broker as firmware_cfg/ward sets up RabbitMQ: who comes in, what each may do, and a node that dies."""
import pytest

from agent.ward import rights
from agent.ward.authority.probe import BrokerDoor, Pass
from tests.rigs.device.link_role import LinkRig
from tests.rigs.mqtt.broker import Broker
from tests.rigs.mqtt.certified import swapped
from tests.rigs.wait import HANG_S, Stopwatch, until
from tests.rigs.ward import cluster, postgres
from tests.rigs.ward.authority import Hierarchy, now
from tests.rigs.ward.cluster import PORT, Cluster
from tests.rigs.ward.forwarder import WardForward, city
from tests.rigs.ward.ingest import WardIngest

LACKS = cluster.missing() or postgres.missing()
pytestmark = pytest.mark.skipif(bool(LACKS), reason=LACKS)
DEV, NEIGHBOUR, GOING = "c-7f3a9c21b04d", "c-0a1b2c3d4e5f", "c-5e4d3c2b1a09"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Hierarchy(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def nodes(tmp_path_factory, authority):
    """One node, with the wards w07 and w09 below it, and w08, whose devices come to it; this thread stands beside it.

    scripts/bench city has three.
    """
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "w08").write_text(f"{DEV}\n{NEIGHBOUR}\n{GOING}\n")
    users = rights.users_of({"w07": "", "w08": str(folder / "w08"), "w09": ""}, ingests_n=2)
    with Cluster(folder / "nodes", authority, rights.definitions(users), nodes_n=1) as made, made.network():
        yield made


@pytest.fixture
def door(authority, nodes):
    return BrokerDoor(nodes.nodes[0].host, PORT, authority.ca, int(HANG_S))


@pytest.fixture
def shown(tmp_path, authority):
    """Certificates by name."""
    return lambda name: Pass.issue(authority.issuer, name, tmp_path / f"{name}.pem", now())


def may(door, who, topic):
    """Whether it takes a message there; who may not is thrown out."""
    try:
        return door.publishes(who, topic)
    except ConnectionResetError:
        return False


def may_hear(door, who, topic, said_by):
    try:
        return bool(door.hears(who, topic, said_by))
    except ConnectionResetError:
        return False


def test_each_does_what_it_is_there_for_and_nothing_else(door, shown):
    dev, ops, own, bridge, forward, ingest = map(
        shown, (DEV, "ops-w08", "ingest-w08", "bridge-w07", "forward-w07", "ingest-1"))
    here, there = f"cam/v1/w08/{DEV}", f"cam/v1/w07/{DEV}"
    assert may_hear(door, ingest, f"{here}/evt", dev) and may_hear(door, own, "cam/v1/w08/+/evt", None) is False
    assert may_hear(door, dev, f"{here}/cmd/restart", None) is False and may_hear(door, dev, f"{here}/ack", ingest)
    assert all(may(door, dev, f"{here}/{tail}") for tail in ("status", "birth", "health", "rsp/ops/1", "cfg/reported"))
    assert not any(may(door, dev, topic) for topic in (
        f"{there}/evt", f"cam/v1/w08/{NEIGHBOUR}/evt", f"{here}/ack", f"{here}/cmd/restart", f"cam/v1/w08/{DEV}x/evt"))
    assert not may_hear(door, dev, f"cam/v1/w08/{NEIGHBOUR}/ack", ingest)
    assert may(door, ops, f"{here}/cmd/restart") and not may(door, ops, f"{here}/cfg/reported")
    assert not any(may(door, ops, topic) for topic in (f"{there}/cmd/restart", f"{here}/evt"))
    assert may(door, own, f"{here}/ack") and not may(door, own, f"{there}/ack")
    assert may(door, bridge, f"{there}/status") and not may(door, bridge, f"{there}/evt")
    assert may(door, forward, f"{there}/evt") and not any(
        may(door, forward, topic) for topic in (f"{here}/evt", f"{there}/status", "cam/v1/w09/x/evt"))
    assert may_hear(door, forward, "cam/v1/w07/+/ack", None) is False
    assert may(door, ingest, f"{there}/ack") and not may(door, ingest, f"{there}/cmd/restart")
    for stranger in ("ops", "ingest", "c-000000000000"):
        assert not may(door, shown(stranger), f"{here}/evt")


def test_a_client_id_that_is_not_the_certificates_is_turned_away(door, shown):
    assert door.verdict(shown(NEIGHBOUR)) == "in"
    assert door.verdict(shown(NEIGHBOUR)._replace(name=DEV)) == "out"


def test_who_is_revoked_is_out_at_once_and_the_neighbour_does_not_notice(authority, nodes, door, shown):
    going, neighbour = shown(GOING), shown(NEIGHBOUR)
    with door.entered(going) as gone, door.entered(neighbour) as staying:
        with Stopwatch() as watch:
            nodes.nodes[0].ctl("delete_user", GOING)
            until(lambda: gone.loop(0.05))
        assert watch.fair_s < 5 and not staying.loop(0.05)
    assert door.verdict(going) == "out" and door.verdict(neighbour) == "in"
    authority.revoke(neighbour.serial)
    nodes.heed()
    assert door.verdict(neighbour) == "out" and door.verdict(shown(NEIGHBOUR)) == "in"


@pytest.fixture
def below(tmp_path, authority, nodes):
    """The broker of the ward w07, with its bridge to the cluster, and what speaks without TLS at it."""
    cert, key = authority.account("bridge-w07")
    bridge = swapped("bridge.conf", {
        "@WARD@": "w07", "@CITY@:8883": f"{nodes.nodes[0].host}:{PORT}", "/etc/taimat-ward/city/ca.pem": authority.ca,
        "/etc/taimat-ward/city/bridge.pem": cert, "/etc/taimat-ward/city/bridge.key": key,
        "restart_timeout 5 120": "restart_timeout 1"})
    with Broker(tmp_path / "broker", lines=bridge) as broker:
        yield broker


def account(authority, host, name):
    """The lines of a table of settings with a certificate for `name`."""
    cert, key = authority.account(name)
    return f'tls = true\nhost = "{host}"\nca = "{authority.ca}"\ncert = "{cert}"\nkey = "{key}"'


def test_a_wards_reports_and_events_reach_a_city_with_two_ingests_of_which_one_is_killed(
        tmp_path, authority, nodes, below):
    host = nodes.nodes[0].host
    there = city(PORT, account(authority, host, "forward-w07"))
    with postgres.Postgres() as server:
        one, two = (WardIngest(tmp_path / own, PORT, server.url, f'wards = ["all"]\n{account(authority, host, own)}')
                    for own in ("ingest-1", "ingest-2"))
        with one, two:
            until(lambda: all(each.figures().get("taimat_ward_connected") == 1 for each in (one, two)))
            with WardIngest(tmp_path / "ward", below.port, more=there) as ward, WardForward(ward) as forward, \
                    LinkRig(tmp_path / "link", below.port) as rig:
                name = f"w07/{rig.dev()}"
                seqs = [rig.append() for _ in range(5)]
                until(lambda: one.seqs(name) == seqs)
                one.kill()
                seqs += [rig.append() for _ in range(5)]
                until(lambda: two.seqs(name) == seqs)
                until(lambda: forward.figures().get("taimat_forward_waiting_events") == 0)
                row = until(lambda: (row := two.device(name)) and row.birth and row.health and row.online and row)
                one.start()
                until(lambda: one.figures().get("taimat_ward_connected") == 1)
                assert row.holes == "[]" and two.figures()["taimat_ward_replays_asked_total"] == 0
                assert two.figures()["taimat_ward_connected"] == 1, "each has a name and a session of its own"
