"""A device is thrown out: firmware_cfg/ward/kick on a real broker, the device connected, its neighbours at work."""
import subprocess
import sys

import pytest

from tests.rigs.broker import Broker
from tests.rigs.certified import FILES, certified, furnish, swapped
from tests.rigs.ingest import WardIngest
from tests.rigs.links import LinkRig
from tests.rigs.pki import Authority
from tests.rigs.wait import HANG_S, Stopwatch, until

DEV, OTHER = "c-7f3a9c21b04d", "c-0123456789ab"
REFUSED = "certificate verify failed"


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "pki", "ward-ca")


@pytest.fixture
def broker(tmp_path, authority):
    broker = Broker(tmp_path / "broker")
    furnish(broker, "mosquitto.conf", authority, swapped("acl.in", {"@WARD@": "w07"}))
    with broker:
        yield broker


def kick(authority, broker, **more):
    """Throw DEV out."""
    words = {"ward": "w07", "ca": authority.ca, "ca-key": authority.ca_key, "crl": authority.crl, "port": broker.port,
             "reload": f"kill -HUP {broker.pid}"} | more
    options = [str(word) for name, value in words.items() for word in (f"--{name}", value)]
    return subprocess.run([sys.executable, FILES / "kick", *options, authority.ca.with_name(f"{DEV}.pem")],
                          capture_output=True, text=True, timeout=HANG_S)


def test_a_revoked_device_is_out_within_five_seconds_and_stays_out(tmp_path, authority, broker):
    with WardIngest(tmp_path / "ward", broker.port, ward=certified(authority, "ingest")) as ward, \
            LinkRig(tmp_path / "bad", broker.port, certified(authority, DEV)) as rig, \
            LinkRig(tmp_path / "good", broker.port, certified(authority, OTHER)) as neighbour:
        rig.append()
        until(lambda: rig.waiting_n() == 0 and neighbour.facts().get("broker") == "connected")
        with Stopwatch() as watch:
            done = kick(authority, broker)
            assert done.returncode == 0, done.stderr
            until(lambda: rig.facts()["broker"] != "connected")
        assert watch.fair_s < 5 and done.stdout.startswith(f"{DEV}: out after ")
        until(lambda: rig.facts().get("mqtt_fault") == "tls_revoked", "it tries, and is kept out")
        tries_n, seq = broker.log.read_text().count(REFUSED), rig.append()
        until(lambda: broker.log.read_text().count(REFUSED) > tries_n + 2, "it goes on trying")
        assert rig.facts()["mqtt_connects_n"] == 1
        neighbours = [neighbour.append() for _ in range(3)]
        until(lambda: neighbour.waiting_n() == 0, "the neighbours are undisturbed")
        assert (ward.seqs(OTHER), seq in ward.seqs(DEV)) == (neighbours, False)
        assert neighbour.facts()["mqtt_connects_n"] == 1
        until(lambda: ward.device(DEV).why == "removed", "what the broker kept of it is gone")


def test_a_broker_that_does_not_heed_the_list_is_no_success(authority, broker):
    authority.issue(DEV)
    done = kick(authority, broker, reload="true")
    assert done.returncode == 1
    assert f"the broker does not heed {authority.crl}" in done.stderr


def test_what_was_revoked_before_stays_revoked_and_a_missing_list_is_named(authority, broker, tmp_path):
    authority.issue(DEV)
    before, _ = authority.issue(OTHER)
    authority.revoke(before)
    assert kick(authority, broker).returncode == 0
    assert kick(authority, broker).returncode == 0, "twice does no harm"
    listed = subprocess.run(["openssl", "crl", "-in", authority.crl, "-noout", "-text"], capture_output=True, text=True)
    serials = [subprocess.run(["openssl", "x509", "-in", path, "-noout", "-serial"], capture_output=True, text=True)
               .stdout.strip().partition("=")[2] for path in (before, before.with_name(f"{DEV}.pem"))]
    assert [listed.stdout.count(serial) for serial in serials] == [1, 1]
    done = kick(authority, broker, crl=tmp_path / "nowhere.pem")
    assert done.returncode == 1 and "nowhere.pem" in done.stderr
