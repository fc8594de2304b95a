"""Devices are thrown out by `taimat ward revoke`, at a real broker and a real proxy, their neighbours at work."""
import shutil

import pytest

from agent.ward.authority.probe import OUT_STATUS, Pass, status_at_door
from agent.ward.enrolment.book import EnrolmentBook, IssuedCertificate
from tests.rigs.device.link_role import LinkRig
from tests.rigs.wait import Stopwatch, until
from tests.rigs.ward.ingest import WardIngest
from tests.rigs.ward.machine import serial
from tests.rigs.ward.proxy import MISSING

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
DEV, OTHER = "c-7f3a9c21b04d", "c-0123456789ab"
REFUSED = "certificate verify failed"


def status(ward, certificate) -> int:
    """What the proxy says to who shows this."""
    both = certificate[0].with_suffix(".both")
    both.write_bytes(certificate[0].read_bytes() + certificate[1].read_bytes())
    return status_at_door("localhost", ward.door_port, ward.places.ca, Pass("", both, 0))


def test_a_revoked_device_is_out_within_five_seconds_and_stays_out(tmp_path, ward):
    bad_files, good_files = ward.device(DEV), ward.device(OTHER)
    with WardIngest(tmp_path / "ingest", ward.broker.port, ward=ward.own_account("ingest")) as ingest, \
            LinkRig(tmp_path / "bad", ward.broker.port, ward.account(*bad_files)) as rig, \
            LinkRig(tmp_path / "good", ward.broker.port, ward.account(*good_files)) as neighbour:
        rig.append()
        until(lambda: rig.waiting_n() == 0 and neighbour.facts().get("broker") == "connected")
        with Stopwatch() as watch:
            done = ward.run("revoke", ward.reload, bad_files[0])
            assert done.returncode == 0, done.stderr
            until(lambda: rig.facts()["broker"] != "connected")
        assert watch.fair_s < 5 and "out of the broker and of the proxy after" in done.stdout
        assert (status(ward, bad_files), status(ward, good_files)) == (OUT_STATUS, 404)
        until(lambda: rig.facts().get("mqtt_fault") == "tls_revoked", "it tries, and is kept out")
        tries_n, seq = ward.broker.log.read_text().count(REFUSED), rig.append()
        until(lambda: ward.broker.log.read_text().count(REFUSED) > tries_n + 2, "it goes on trying")
        assert rig.facts()["mqtt_connects_n"] == 1
        neighbours = [neighbour.append() for _ in range(3)]
        until(lambda: neighbour.waiting_n() == 0, "the neighbours are undisturbed")
        assert (ingest.seqs(OTHER), seq in ingest.seqs(DEV)) == (neighbours, False)
        assert neighbour.facts()["mqtt_connects_n"] == 1
        until(lambda: ingest.device(DEV).why == "removed", "what the broker kept of it is gone")


def test_a_broker_or_a_proxy_that_does_not_heed_the_list_is_no_success(ward):
    certificate, _ = ward.device(DEV)
    done = ward.run("revoke", "--reload=true", certificate)
    assert done.returncode == 1 and f"the broker does not apply {ward.places.crl}" in done.stderr
    assert serial(certificate) in ward.listed(), "it is on the list all the same"
    done = ward.run("revoke", f"--reload=kill -HUP {ward.broker.pid}", certificate)
    assert done.returncode == 1 and f"the proxy does not apply {ward.places.crl}" in done.stderr
    ward.broker.stop()
    done = ward.run("revoke", "--reload=true", certificate)
    assert done.returncode == 1 and "it may still be in: localhost:" in done.stderr
    ward.broker.start()


def test_its_proxy_is_asked_by_a_ward_that_does_not_know_its_own_name(ward):
    """A router may lead the name to the ward from outside, and nowhere from within."""
    ward.edit('"localhost"                    # the address of', '"ward.invalid"                # the address of')
    done = ward.run("revoke", ward.reload, ward.device(DEV)[0])
    assert "out of the broker and of the proxy after" in done.stdout, done.stdout + done.stderr


def test_who_is_meant_is_found_by_book_file_or_number(ward):
    made = {dev: ward.device(dev)[0] for dev in (DEV, OTHER)}
    with EnrolmentBook(ward.places.authority).change() as entries:
        entries.add(IssuedCertificate(number=serial(made[DEV]), dev=DEV, serial="HH-0412", made_ms=0, until_ms=1 << 50))
    for word in (DEV, DEV, "HH-0412", f"0x{serial(made[OTHER]):x}"):
        done = ward.run("revoke", ward.reload, word)
        assert done.returncode == 0, done.stderr
    assert {serial(path) for path in made.values()} <= ward.listed()
    with EnrolmentBook(ward.places.authority).look() as entries:
        assert entries.certificates(DEV)[0].why == "revoke"
    for word, said in (("c-00000000ffff", "knows no such device"), (str(ward.config), "not a certificate in PEM")):
        done = ward.run("revoke", ward.reload, word)
        assert done.returncode == 1 and said in done.stderr


def test_without_its_list_nothing_is_revoked_and_the_remedy_is_told(ward):
    certificate, _ = ward.device(DEV)
    (path,) = ward.places.authority.glob("issuing-*.crl")
    shutil.move(path, path.with_suffix(".gone"))
    done = ward.run("revoke", ward.reload, certificate)
    assert done.returncode == 1 and str(path) in done.stderr and "taimat ward restore" in done.stderr
