"""A real recorder's helper at the ward's real door, behind its real proxy: enrolled, ready, renewed, and thrown out."""
import msgspec
import pytest

from agent.host.ward_folder import KEY, shown
from agent.ward.enrolment.papers import bundle_text
from tests.rigs.device.enrolling import Recorder, Talking
from tests.rigs.mqtt.broker import Broker, Tls
from tests.rigs.ward.enrolment import ServedWard


@pytest.fixture
def ward(tmp_path):
    with ServedWard(tmp_path / "ward") as ward:
        ward.enrols(ward.lists("HH-1", "HH-2"))
        yield ward


@pytest.fixture
def broker(ward, tmp_path):
    cert, key = ward.pki.server("localhost")
    with Broker(tmp_path / "broker", host="127.0.0.1",
                tls=Tls(ward.pki.ca, cert, key, clients_ca=ward.pki.ca)) as broker:
        yield broker


def card(ward: ServedWard, serial: str, broker: Broker) -> str:
    """The bundle, with the ports that this ward has here."""
    return bundle_text(msgspec.structs.replace(
        ward.bundle(serial), host="localhost", enrol_port=ward.proxy.enrol_port, door_port=ward.door_port,
        broker_port=broker.port))


def standing(ward: ServedWard, serial: str):
    """What the book has of it."""
    with ward.book.look() as entries:
        return next(each for each in entries.states() if each.place.serial == serial)


def test_from_a_list_of_the_ward_s_to_a_recorder_that_works_and_a_second_key(ward, broker, tmp_path):
    recorder = Recorder(tmp_path / "recorder")
    recorder.config.write_text('[[camera]]\nname = "gate"\nsource = "file:/srv/gate.mp4"\n')
    recorder.boot_with(card(ward, "HH-1", broker))
    with Talking(recorder.runtime):
        recorder.enrol(longest_s=600)
    record, first = recorder.ward.record(), (recorder.ward.current / KEY).read_bytes()
    assert record.called == "Phường Bến Nghé" and standing(ward, "HH-1").dev == record.dev
    assert standing(ward, "HH-1").ready.is_green
    recorder.set_up()
    assert not recorder.ward.claim.exists()
    recorder.enrol(days=500)
    assert (recorder.ward.current / KEY).read_bytes() != first and recorder.ward.record().dev == record.dev


def test_a_copied_card_is_refused_and_rings(ward, broker, tmp_path):
    bundle = card(ward, "HH-2", broker)
    for name in ("first", "copy"):
        recorder = Recorder(tmp_path / name)
        recorder.boot_with(bundle)
        recorder.enrol()
    assert shown(recorder.runtime).code == "claim_used" and recorder.ward.record() is None
    with ward.book.look() as entries:
        assert [each.serial for each in entries.alarms()] == ["HH-2"]
