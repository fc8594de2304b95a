"""The message that describes the device to Home Assistant, by its device-based MQTT discovery."""
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.core.contract.home.topics import HomeTopics

VI = {"motion": "chuyển động", "recording": "đang ghi", "problem": "sự cố", "pause": "tạm dừng", "snapshot": "ảnh",
      "moved": "vừa thấy", "health": "Tình trạng", "temperature": "Nhiệt độ", "free": "Chỗ trống",
      "kept": "Số ngày lưu", "update": "Phiên bản", "good": "Mọi thứ đều ổn"}
EN = {"motion": "motion", "recording": "recording", "problem": "problem", "pause": "paused", "snapshot": "picture",
      "moved": "seen last", "health": "Health", "temperature": "Temperature", "free": "Free space", "kept": "Days kept",
      "update": "Software", "good": "Everything is fine"}
NAMES = {"vi": VI, "en": EN}


Component = dict[str, object]
INSTALL = "INSTALL"         # the update entity's button sends this
ON_OFF = {"payload_on": "ON", "payload_off": "OFF"}


@dataclass(frozen=True, slots=True)
class HomeDevice:
    """The device as Home Assistant shows it."""

    name: str                           # for people
    model: str | None                   # of the computer, if known
    version: str
    language: str                       # vi | en
    cameras: tuple[str, ...]
    snapshots: bool
    labels: Mapping[str, str] = field(default_factory=dict)     # titles of cameras that have one


def discovery(topics: HomeTopics, device: HomeDevice, gone: Mapping[str, str]) -> Component:
    """Builds the message. `gone` are the components (key -> platform) of an earlier message that no longer exist."""
    parts = components(topics, device)
    # Home Assistant refuses the whole message if it has a null here
    model = {"model": device.model} if device.model else {}
    return {
        "device": {"identifiers": [topics.own.dev], "name": device.name, "manufacturer": "Taimat",
                   "sw_version": device.version, **model},
        "origin": {"name": "Taimat", "sw_version": device.version},
        "availability": [{"topic": topics.status}],
        "qos": 1,
        # Home Assistant removes a component that has only its platform.
        "components": {**{key: {"platform": platform} for key, platform in gone.items() if key not in parts}, **parts}}


def components(topics: HomeTopics, device: HomeDevice) -> dict[str, Component]:
    """Returns all components by key. A camera's keys contain "_", which camera names do not, so all keys differ."""
    words = NAMES[device.language]
    parts = {key: {"name": words[key], **part} for key, part in _of_device(topics).items()}
    for camera in device.cameras:
        for key, part in _of_camera(topics, camera, device.snapshots).items():
            parts[f"{camera}_{key}"] = {"name": f"{device.labels.get(camera, camera)} {words[key]}", **part}
    for key, part in parts.items():
        part["unique_id"] = f"{topics.own.dev}_{key}"
        part["default_entity_id"] = f"{part['platform']}.{_slug(f'taimat-{key}')}"
    return parts


def _slug(text: str) -> str:
    return "_".join(re.findall("[a-z0-9]+", text))


def _of_device(topics: HomeTopics) -> dict[str, Component]:
    shared: Component = {"platform": "sensor", "state_topic": topics.health, "entity_category": "diagnostic"}
    measured = {**shared, "state_class": "measurement"}
    return {
        "health": {**shared, "value_template": "{{ value_json.health }}", "icon": "mdi:heart-pulse"},
        "temperature": {**measured, "value_template": "{{ value_json.temp_c }}", "device_class": "temperature",
                        "unit_of_measurement": "°C"},
        "free": {**measured, "value_template": "{{ value_json.free_gb }}", "device_class": "data_size",
                 "unit_of_measurement": "GB"},
        "kept": {**measured, "value_template": "{{ value_json.kept_d }}", "device_class": "duration",
                 "unit_of_measurement": "d"},
        "update": {"platform": "update", "state_topic": topics.update, "command_topic": topics.update_set,
                   "payload_install": INSTALL, "device_class": "firmware", "entity_category": "config"}}


def _of_camera(topics: HomeTopics, camera: str, snapshots: bool) -> dict[str, Component]:
    problem = topics.problem(camera)
    parts: dict[str, Component] = {
        "motion": {"platform": "binary_sensor", "state_topic": topics.motion(camera), "device_class": "motion",
                   **ON_OFF},
        "moved": {"platform": "sensor", "state_topic": topics.moved(camera), "icon": "mdi:motion-sensor"},
        "recording": {"platform": "binary_sensor", "state_topic": topics.recording(camera), "device_class": "running",
                      **ON_OFF},
        "problem": {"platform": "binary_sensor", "state_topic": problem, "device_class": "problem",
                    "value_template": "{{ value_json.problem }}", "json_attributes_topic": problem,
                    "entity_category": "diagnostic", **ON_OFF},
        "pause": {"platform": "switch", "state_topic": topics.pause(camera), "command_topic": topics.pause_set(camera),
                  "icon": "mdi:cctv-off", **ON_OFF}}
    if snapshots:
        parts["snapshot"] = {"platform": "image", "image_topic": topics.snapshot(camera)}
    return parts
