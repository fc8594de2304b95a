"""The link with both its brokers: neither learns what is the other's, and trouble at home is none for the ward."""
import pytest

from agent.core.contract.facts import Beat, CameraFacts
from agent.store import events, home
from agent.store.database import transaction
from tests.rigs.device.link_role import LinkRig
from tests.rigs.mqtt.broker import Broker
from tests.rigs.mqtt.home_assistant import Assistant, retained
from tests.rigs.wait import until
from tests.rigs.ward.receiver import Ingest


@pytest.fixture
def ward_broker(tmp_path):
    with Broker(tmp_path / "ward") as broker:
        yield broker


@pytest.fixture
def home_broker(tmp_path):
    with Broker(tmp_path / "home") as broker:
        yield broker


def at_home(port: int, enabled: str = "true") -> str:
    return (f'[home]\nenabled = {enabled}\nhost = "localhost"\nport = {port}\n'
            '[[camera]]\nname = "gate"\nsource = "file:/film.mp4"\n')


def test_each_broker_hears_what_is_meant_for_it(tmp_path, ward_broker, home_broker):
    with Ingest(ward_broker.port, tmp_path) as ward, Assistant(home_broker.port) as assistant, \
            LinkRig(tmp_path / "link", ward_broker.port, more=at_home(home_broker.port)) as rig:
        until(assistant.config)
        rig.outlet.send(Beat(role="capture", unit="capture@network", pid=1, mono_s=0.0, up_s=1.0,
                             cameras=[CameraFacts(camera="gate", state="ok", recording=True)]), "link")
        until(lambda: assistant.last("gate/recording") == "ON")
        with transaction(rig.db):
            events.open_row(rig.db, "gate", "motion", rig.clock.now())
        seq = rig.append()
        until(lambda: assistant.last("gate/motion") == "ON")
        until(lambda: [event["seq"] for event in ward.events()] == [seq])
        until(lambda: rig.facts().get("home") == "connected")
        until(lambda: assistant.last("home/health"))
        assert all("/home/" in each.topic or "/live/" in each.topic or "homeassistant/" in each.topic
                   for each in assistant.heard)
        assert {topic.rsplit("/", 1)[1] for topic in retained(ward_broker.port)} <= {"status", "birth", "health"}
        rig.kill()
        until(lambda: assistant.last("/home/status") == "offline", "the will")
        rig.start()
        until(lambda: assistant.last("/home/status") == "online")


def test_a_broker_at_home_that_hangs_holds_up_nothing(tmp_path, ward_broker, home_broker):
    with Ingest(ward_broker.port, tmp_path) as ward, \
            LinkRig(tmp_path / "link", ward_broker.port, more=at_home(home_broker.port)) as rig:
        until(lambda: rig.facts().get("home") == "connected")
        home_broker.freeze()
        seqs = [rig.append() for _ in range(20)]
        until(lambda: [event["seq"] for event in ward.events()] == seqs)
        until(lambda: rig.waiting_n() == 0)
        assert rig.stop() < 4.0


def test_the_link_that_finds_it_switched_off_takes_the_device_away(tmp_path, home_broker):
    away = "enabled = false"
    with LinkRig(tmp_path / "link", 1, away, at_home(home_broker.port)) as rig:
        until(lambda: len(retained(home_broker.port)) > 4)
        rig.stop()
        text = rig.config.read_text()
        rig.config.write_text(text.replace(at_home(home_broker.port), at_home(home_broker.port, "false")))
        rig.start()
        until(lambda: retained(home_broker.port) == {})
        until(lambda: home.shown(rig.db) is None)
        assert rig.facts()["broker"] == "off"
