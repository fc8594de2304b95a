"""What Home Assistant is told: its own rules hold, whatever the cameras are called; states say what the report says."""
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import home_assistant as states
from agent.core.contract.facts import CameraFacts
from agent.core.contract.wire.topics import Topics
from agent.core.health.conditions import CODES, Condition
from agent.core.health.facts import HostFacts
from agent.core.health.report import Report
from agent.core.home_assistant import HomeDevice, HomeTopics, components, discovery, retained
from agent.look.device_words import home_texts
from tests.rigs.mqtt.home_assistant import accept, plain

pytestmark = pytest.mark.core

VI, EN = home_texts("vi"), home_texts("en")
TOPICS = HomeTopics("homeassistant", Topics("w07", "c-0123456789ab"))
names = st.from_regex("[a-z0-9][a-z0-9-]{0,23}", fullmatch=True)
devices = st.builds(HomeDevice, name=st.just("Taimat"), version=st.just("1.0"),
                    model=st.sampled_from(["Raspberry Pi 5", None]), names=st.sampled_from([VI.names, EN.names]),
                    snapshots=st.booleans(),
                    cameras=st.lists(names, min_size=1, max_size=4, unique_by=lambda name: name.replace("-", "")
                                     ).map(tuple))


@given(devices, st.dictionaries(st.text(max_size=9), st.sampled_from(["switch", "sensor"]), max_size=2))
def test_home_assistant_accepts_every_device(device: HomeDevice, gone: dict[str, str]):
    config = discovery(TOPICS, device, gone)
    accept(TOPICS.config, msgspec.json.decode(msgspec.json.encode(config)))
    alive = components(TOPICS, device)
    assert len(alive) == 5 + len(device.cameras) * (6 if device.snapshots else 5)
    assert {key: part for key, part in config["components"].items() if key not in alive} == {
        key: {"platform": platform} for key, platform in gone.items() if key not in alive}


@given(st.lists(names, max_size=3, unique=True))
def test_what_is_removed_is_all_that_was_retained_and_never_a_picture(cameras: list[str]):
    emptied = retained(TOPICS, cameras)
    device = HomeDevice("Taimat", "", "1", VI.names, tuple(cameras), True)
    told = {value for part in components(TOPICS, device).values() for key, value in part.items()
            if key in ("state_topic", "json_attributes_topic")}
    assert set(emptied) == told | {TOPICS.config, TOPICS.status}
    assert len(emptied) == len(set(emptied)) and all(plain(topic) for topic in emptied)


@given(names)
def test_a_command_is_known_by_its_topic_alone(camera: str):
    assert TOPICS.paused_camera(TOPICS.pause_set(camera)) == camera
    for topic in (TOPICS.live(camera, "pause"), TOPICS.pause_set(f"{camera}/x"), TOPICS.assistant,
                  "x" + TOPICS.pause_set("a")):
        assert TOPICS.paused_camera(topic) is None


def report(*conditions: Condition, **host: object) -> Report:
    return Report(0.0, HostFacts(**host), (), {}, (), None, conditions)


def condition(code: str, camera: str | None = None) -> Condition:
    return Condition(code=code, severity=CODES[code].severity, since_mono_s=0.0, camera=camera)


def test_a_healthy_device_says_so_and_what_is_unknown_is_null():
    assert states.device_state(report(), EN, {}) == states.DeviceState(
        health=EN.names["good"], temp_c=None, free_gb=None, kept_d=None)
    told = states.device_state(report(soc_temp_c=51.7, disk_free_b=12_340_000_000), VI, {})
    assert (told.health, told.temp_c, told.free_gb) == (VI.names["good"], 52, 12.3)


def test_what_is_wrong_with_a_camera_is_told_with_its_remedy_and_the_worst_first():
    wrong = report(condition("camera_slow", "gate"), condition("camera_auth", "gate"), condition("hot"))
    told = states.camera_state(wrong, "gate", EN)
    assert (told.problem, told.title) == ("ON", "The camera refuses the password") and "password" in told.remedy
    assert states.camera_state(wrong, "yard", EN) == states.CameraState(problem="OFF", title=None, remedy=None)
    assert states.device_state(wrong, EN, {}).health == (
        "gate: The picture stutters; gate: The camera refuses the password; Too hot")


def test_a_state_is_never_longer_than_home_assistant_takes():
    told = states.device_state(report(*(condition(code, "camera-with-a-long-name") for code in CODES)), VI, {})
    assert len(told.health) == states.CHARS_MAX and told.health.endswith("…")


@pytest.mark.parametrize(("state", "moving"), [("ok", True), ("retrying", True), ("paused", False), ("failed", False)])
def test_what_sees_nothing_sees_nothing_move(state: str, moving: bool):
    facts = CameraFacts(camera="gate", state=state, recording=True)
    assert states.moves({"gate"}, "gate", facts) is moving is states.records(facts)
    assert not states.moves({"yard"}, "gate", facts)
    assert states.moves({"gate"}, "gate", None) and not states.records(None)


def test_a_camera_is_called_by_its_title_and_known_by_its_name():
    device = HomeDevice("Nhà bà Sáu", None, "1", VI.names, ("gate", "yard"), False,
                        {"gate": "Cổng trước", "yard": "yard"})
    parts = components(TOPICS, device)
    assert parts["gate_motion"]["name"] == f"Cổng trước {VI.names['motion']}"
    assert parts["gate_motion"]["default_entity_id"] == "binary_sensor.taimat_gate_motion"
    assert parts["yard_motion"]["name"] == f"yard {VI.names['motion']}"
    told = states.device_state(report(condition("camera_slow", "gate")), EN, {"gate": "Cổng trước"})
    assert told.health == "Cổng trước: The picture stutters"
