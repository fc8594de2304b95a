"""The home sink at a real broker: what Home Assistant sees and may do, and what it leaves behind."""
import json
import logging

import msgspec
import pytest

from agent import __version__
from agent.config.settings import Camera
from agent.core.contract.decisions import SOCKET, DecisionAnswer, PictureForHome
from agent.host.sockets import ask
from agent.store import home, pause, updates
from agent.store.database import transaction
from agent.store.updates import UpdateOrder
from tests.rigs.mqtt.broker import Broker
from tests.rigs.mqtt.home_assistant import Assistant, retained
from tests.rigs.mqtt.home_sink import HomeRig
from tests.rigs.wait import deaf_port, until

ENDED = b"\xff\xd9"         # of a JPEG


@pytest.fixture
def assistant(broker):
    with Assistant(broker.port) as assistant:
        yield assistant


def test_a_device_with_all_its_states_is_shown_and_goes_offline_in_order(tmp_path, broker, assistant):
    with HomeRig(tmp_path, broker.port, ("gate", "yard")) as rig:
        config = until(assistant.config)
        assert config["device"]["identifiers"] == [rig.dev] and config["device"]["name"] == "Taimat HH-07-0412"
        assert len(config["components"]) == 5 + 2 * 5
        until(lambda: assistant.last("/home/status") == "online")
        until(lambda: assistant.last("yard/health"))
        lying = retained(broker.port)
        told = {part[key] for part in config["components"].values()
                for key in ("state_topic", "json_attributes_topic") if key in part}
        assert told <= set(lying)       # Home Assistant subscribes late: what is not retained it would never see
        assert lying[f"cam/v1/w00/{rig.dev}/live/gate/motion"] == b"OFF"
        rig.report(soc_temp_c=48.2, disk_free_b=9_000_000_000)
        until(lambda: json.loads(assistant.last("home/health"))["temp_c"] == 48)
        rig.beat(recording=True)
        until(lambda: assistant.last("gate/recording") == "ON")
        assert rig.stop() < 1.5
        until(lambda: assistant.last("/home/status") == "offline")


def test_motion_is_on_within_a_second_and_always_off_after_it(tmp_path, broker, assistant):
    with HomeRig(tmp_path, broker.port) as rig:
        until(lambda: assistant.last("gate/motion") == "OFF")
        event = rig.begin()
        until(lambda: assistant.last("gate/motion") == "ON")
        rig.end(event)
        assert assistant.last("gate/moved") == "None"
        rig.name(event, "person")
        until(lambda: assistant.last("gate/moved") == "person")
        until(lambda: assistant.last("gate/motion") == "OFF")
        told_n = len(assistant.all("gate/motion"))
        rig.glimpse()
        until(lambda: len(assistant.all("gate/motion")) >= told_n + 2)
        assert [each.payload for each in assistant.all("gate/motion")][-2:] == [b"ON", b"OFF"]
        rig.begin()
        until(lambda: assistant.last("gate/motion") == "ON")
        rig.beat(state="paused", paused_by="page")
        until(lambda: assistant.last("gate/motion") == "OFF")


def test_the_switch_pauses_as_the_page_does_and_a_retained_command_does_nothing(tmp_path, broker, assistant):
    with HomeRig(tmp_path, broker.port, ("gate", "yard")) as rig:
        command = until(assistant.config)["components"]["gate_pause"]["command_topic"]
        until(lambda: assistant.last("gate/pause") == "OFF")
        assistant.say(command, "ON")
        until(lambda: assistant.last("gate/pause") == "ON")
        word = pause.load(rig.folders).of("gate", rig.clock.now())
        assert (word.by, word.until_wall_ms) == ("home", None)
        assert pause.load(rig.folders).of("yard", rig.clock.now()) is None
        pause.lift(rig.folders, None, rig.clock.now())                  # on the page
        until(lambda: assistant.last("gate/pause") == "OFF")
        assistant.say(command, "ON", retain=True)
        for strange in ("on", "TOGGLE", ""):
            assistant.say(command, strange)
        assistant.say(command.replace("gate", "cellar"), "ON")
        assistant.say(command.replace("gate", "yard"), "ON")
        until(lambda: assistant.last("yard/pause") == "ON")
        assert set(pause.load(rig.folders).cameras) == {"yard"} and assistant.last("gate/pause") == "OFF"
        assistant.say(command.replace("gate", "yard"), "OFF")
        until(lambda: assistant.last("yard/pause") == "OFF")


def test_weekly_hours_show_as_paused(tmp_path, broker, assistant):
    with HomeRig(tmp_path, broker.port) as rig:
        rig.beat(state="paused", paused_by="schedule")
        until(lambda: assistant.last("gate/pause") == "ON")


def test_a_home_assistant_that_starts_is_told_everything_anew(tmp_path, broker, assistant):
    with HomeRig(tmp_path, broker.port):
        until(lambda: assistant.last("gate/health"))
        known_n = len(assistant.heard)
        assistant.say("homeassistant/status", "online")
        until(lambda: len([each for each in assistant.heard[known_n:] if each.topic.endswith("/config")]) == 1)
        until(lambda: {each.topic.rsplit("/", 1)[1] for each in assistant.heard[known_n + 1:]}
              >= {"config", "motion", "recording", "pause", "health"})


def test_switched_off_it_is_gone_from_the_broker_and_nothing_is_remembered(tmp_path, broker, assistant):
    with HomeRig(tmp_path, broker.port) as rig:
        until(lambda: assistant.last("gate/health"))
        assert home.shown(rig.db).where == ("127.0.0.1", broker.port)
        rig.stop()
        rig.settings.home.enabled = False
        rig.start()
        until(rig.ended)
        assert retained(broker.port) == {} and home.shown(rig.db) is None
        assert assistant.all("/config")[-1].payload == b""


def test_a_broker_that_forgets_what_was_removed_is_asked_again(tmp_path, broker):
    with HomeRig(tmp_path, broker.port) as rig:
        until(lambda: any("gate/health" in topic for topic in retained(broker.port)))
        rig.stop()
        broker.stop()                       # saves what it has
        broker.start()
        rig.settings.home.enabled = False
        with Assistant(broker.port) as assistant:
            rig.start()
            until(lambda: b"" in [each.payload for each in assistant.all("/config")])
            broker.kill()                   # saves nothing: the device is there again
            broker.start()
        until(rig.ended)
        assert retained(broker.port) == {}


def test_a_camera_that_is_no_more_leaves_home_assistant_and_the_broker(tmp_path, broker, assistant):
    with HomeRig(tmp_path, broker.port, ("gate", "yard")) as rig:
        until(lambda: assistant.last("yard/health"))
        rig.stop()
        rig.settings.camera = [Camera(name="gate", source="file:/film.mp4")]
        rig.start()
        until(lambda: assistant.config()["components"]["yard_motion"] == {"platform": "binary_sensor"})
        until(lambda: assistant.last("yard/motion") == "")
        until(lambda: not any("yard" in topic for topic in retained(broker.port)))
        assert "gate_motion" in home.shown(rig.db).components and "yard_motion" not in home.shown(rig.db).components


def test_at_a_new_broker_the_old_one_is_emptied(tmp_path, broker):
    with HomeRig(tmp_path, broker.port) as rig, Broker(tmp_path / "new") as new:
        until(lambda: any("motion" in topic for topic in retained(broker.port)))
        rig.stop()
        rig.settings.home.port = new.port
        rig.start()
        until(lambda: any("motion" in topic for topic in retained(new.port)))
        assert retained(broker.port) == {}


def test_a_broker_that_returns_hears_what_goes_on_and_not_what_is_over(tmp_path, broker):
    with HomeRig(tmp_path, broker.port, ("gate", "yard")) as rig:
        until(lambda: rig.facts()["home"] == "connected")
        until(lambda: "yard/motion'" in broker.log.read_text())
        broker.kill()
        until(lambda: rig.facts()["home"] == "unreachable")
        rig.glimpse("yard")
        event = rig.begin()
        broker.start()
        with Assistant(broker.port) as assistant:
            until(lambda: assistant.last("gate/motion") == "ON")
            rig.end(event)
            until(lambda: assistant.last("gate/motion") == "OFF")
        received = [line for line in broker.log.read_text().splitlines() if "Received PUBLISH from taimat-" in line]
        assert any("gate/motion'" in line and "(2 bytes)" in line for line in received)             # ON
        assert not any("yard/motion'" in line and "(2 bytes)" in line for line in received)


def test_a_wrong_password_is_told_in_the_households_words(tmp_path, caplog):
    secret = tmp_path / "password"
    secret.write_text("wrong-horse\n")
    with Broker(tmp_path / "broker", user=("taimat", "right-horse")) as broker, \
            HomeRig(tmp_path, broker.port, user="taimat", password_file=str(secret)) as rig:
        until(lambda: rig.facts().get("home_detail"))
        assert "see [home] user and password_file" in rig.facts()["home_detail"]
        assert "[ward]" not in caplog.text and "horse" not in caplog.text
        secret.write_text("right-horse\n")
        until(lambda: rig.facts()["home"] == "connected")


def test_a_missing_file_names_the_key_of_home(tmp_path):
    with HomeRig(tmp_path, deaf_port(), tls=True, ca="/nonexistent.pem") as rig:
        assert "[home] ca: No such file" in until(lambda: rig.facts().get("home_detail"))


def test_the_event_s_own_picture_comes_when_motion_ends_if_wanted_and_small_enough(
        tmp_path, broker, assistant, caplog):
    """By then the camera sees an empty scene: the picture is that of the event, as the page shows it."""
    pictures = [b"\xff\xd8first" + ENDED, b"\xff\xd8" + bytes(200_001) + ENDED, b"\xff\xd8last" + ENDED]
    with caplog.at_level(logging.WARNING), HomeRig(tmp_path, broker.port, snapshots=True) as rig:
        until(lambda: assistant.last("gate/motion") == "OFF")
        event = rig.begin()
        until(lambda: assistant.last("gate/motion") == "ON")
        assert not assistant.all("snap/gate")
        rig.end(event, pictures[0])
        until(lambda: assistant.all("snap/gate"))
        rig.end(rig.begin(), pictures[1])
        until(lambda: "too large" in caplog.text)
        rig.end(rig.begin(), pictures[2])
        until(lambda: len(assistant.all("snap/gate")) == 2)
        assert [each.payload for each in assistant.all("snap/gate")] == [pictures[0], pictures[2]]
        assert not any("snap" in topic for topic in retained(broker.port))


def test_without_the_households_wish_home_assistant_gets_no_picture(tmp_path, broker, assistant):
    with HomeRig(tmp_path, broker.port) as rig:
        until(lambda: assistant.last("gate/motion") == "OFF")
        rig.end(rig.begin(), b"\xff\xd8picture" + ENDED)
        until(lambda: [each.payload for each in assistant.all("gate/motion")][-2:] == [b"ON", b"OFF"])
        assert "image" not in str(assistant.config())
        line = msgspec.json.encode(PictureForHome(camera="gate")) + b"\n"
        assert msgspec.json.decode(ask(tmp_path / SOCKET, line), type=DecisionAnswer).picture == b""
        assert not assistant.all("snap/gate")


def software(assistant):
    """Installed, latest, in progress: as the update entity shows them."""
    return tuple(json.loads(assistant.last("/home/update") or "{}").values())


def test_a_version_that_waits_for_the_household_is_shown_and_the_button_approves_it(tmp_path, broker, assistant):
    order = UpdateOrder(id="01KAV0Z6V6M3W2Q8T1B7N5D4XE", version="9.0.0", url="https://ward/9.tar", sha256="0" * 64,
                        bytes=1)
    with HomeRig(tmp_path, broker.port) as rig:
        button = until(assistant.config)["components"]["update"]["command_topic"]
        until(lambda: software(assistant) == (__version__, __version__, False))
        assistant.say(button, "INSTALL", retain=True)       # of some other day
        with transaction(rig.db):
            updates.put(rig.db, order)
        until(lambda: software(assistant) == (__version__, "9.0.0", False))
        assistant.say(button, "install it")
        assistant.say(button, "INSTALL")
        until(lambda: software(assistant) == (__version__, "9.0.0", True))
        assert updates.read(rig.db).state == "approved"
        with transaction(rig.db):
            updates.move(rig.db, order.id, "failed", "unhealthy_rolled_back")
        until(lambda: software(assistant) == (__version__, __version__, False))
