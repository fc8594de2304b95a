"""The messages to Home Assistant, in its own format: topics, the description of the device, the states of its entities.

Pure. docs/design/household.md has the reasons. An unknown value is null, never 0. Topics on the household's own broker
are below the device's `home`, `live` and `snap`, except for those of Home Assistant.
"""
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec import Struct

from agent.core.contract.facts import CameraFacts, KeeperFacts
from agent.core.contract.wire.topics import Topics
from agent.core.health.conditions import Condition, ConditionText
from agent.core.health.report import Report

CHARS_MAX = 255             # Home Assistant's limit for a state
# The states of a camera, retained: ON while something moves, the word for what moved last (core.household.labels), ON
# while a clip is written, CameraState, ON while it is paused.
STATES = ("motion", "moved", "recording", "health", "pause")
BLIND = ("paused", "failed")        # camera states without motion detection


class HomeTexts(NamedTuple):
    """The texts in one language: agent/look/i18n."""

    names: Mapping[str, str]                    # of the entities, and "good" for a device without conditions
    conditions: Mapping[str, ConditionText]     # by their codes


@dataclass(frozen=True, slots=True)
class HomeTopics:
    """The topics of one device. Camera names contain neither wildcards nor slashes."""

    prefix: str                         # Home Assistant looks for devices below it: "homeassistant"
    own: Topics

    @property
    def config(self) -> str:
        """The description of the device; retained, and empty once the device is removed."""
        return f"{self.prefix}/device/{self.own.dev}/config"

    @property
    def assistant(self) -> str:
        """Home Assistant sends "online" here after its start."""
        return f"{self.prefix}/status"

    @property
    def status(self) -> str:
        """ "online" or "offline"; retained; also the will's topic."""
        return f"{self.own.root}/home/status"

    @property
    def health(self) -> str:
        return f"{self.own.root}/home/health"

    @property
    def update(self) -> str:
        return f"{self.own.root}/home/update"

    @property
    def update_set(self) -> str:
        return f"{self.own.root}/home/update/set"

    def live(self, camera: str, what: str) -> str:
        """The topic of a state of the camera, one of STATES; retained."""
        return f"{self.own.root}/live/{camera}/{what}"

    def pause_set(self, camera: str) -> str:
        return f"{self.live(camera, 'pause')}/set"

    def snapshot(self, camera: str) -> str:
        """A JPEG; never retained."""
        return f"{self.own.root}/snap/{camera}"

    @property
    def subscriptions(self) -> tuple[str, ...]:
        return self.pause_set("+"), self.update_set, self.assistant

    def paused_camera(self, topic: str) -> str | None:
        """Returns the camera that a command on `topic` pauses; None for any other topic."""
        before, after = self.pause_set("+").split("+")
        name = topic.removeprefix(before).removesuffix(after)
        return name if topic == self.pause_set(name) and "/" not in name else None


def retained(topics: HomeTopics, cameras: list[str]) -> list[str]:
    """Returns all retained topics of a device, in the order in which they must be emptied."""
    return [topics.config, topics.status, topics.health, topics.update,
            *(topics.live(camera, state) for camera in cameras for state in STATES)]


Component = dict[str, object]
INSTALL = "INSTALL"         # the update entity's button sends this
ON_OFF = {"payload_on": "ON", "payload_off": "OFF"}


@dataclass(frozen=True, slots=True)
class HomeDevice:
    """The device as Home Assistant shows it."""

    name: str                           # for people
    model: str | None                   # of the computer, if known
    version: str
    names: Mapping[str, str]            # of the entities, by their keys: HomeTexts
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
    parts = {key: {"name": device.names[key], **part} for key, part in _of_device(topics).items()}
    for camera in device.cameras:
        for key, part in _of_camera(topics, camera, device.snapshots).items():
            parts[f"{camera}_{key}"] = {"name": f"{device.labels.get(camera, camera)} {device.names[key]}", **part}
    for key, part in parts.items():
        part["unique_id"] = f"{topics.own.dev}_{key}"
        part["default_entity_id"] = f"{part['platform']}.{'_'.join(re.findall('[a-z0-9]+', f'taimat-{key}'))}"
    return parts


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
    binary: Component = {"platform": "binary_sensor", **ON_OFF}
    motion, moved, recording, problem, pause = (topics.live(camera, state) for state in STATES)
    parts: dict[str, Component] = {
        "motion": {**binary, "state_topic": motion, "device_class": "motion"},
        "moved": {"platform": "sensor", "state_topic": moved, "icon": "mdi:motion-sensor"},
        "recording": {**binary, "state_topic": recording, "device_class": "running"},
        "problem": {**binary, "state_topic": problem, "device_class": "problem",
                    "value_template": "{{ value_json.problem }}", "json_attributes_topic": problem,
                    "entity_category": "diagnostic"},
        "pause": {"platform": "switch", "state_topic": pause, "command_topic": topics.pause_set(camera),
                  "icon": "mdi:cctv-off", **ON_OFF}}
    if snapshots:
        parts["snapshot"] = {"platform": "image", "image_topic": topics.snapshot(camera)}
    return parts


class DeviceState(Struct, kw_only=True, frozen=True):
    health: str                         # one sentence
    temp_c: float | None
    free_gb: float | None
    kept_d: float | None                # days that footage stays, of the camera with the shortest time


class CameraState(Struct, kw_only=True, frozen=True):
    problem: str                        # ON | OFF
    title: str | None
    remedy: str | None


class UpdateState(Struct, kw_only=True, frozen=True):
    installed_version: str
    latest_version: str                 # the installed version if there is no update
    in_progress: bool


def on_off(value: bool) -> bytes:
    """Returns the state of a switch or a binary sensor."""
    return b"ON" if value else b"OFF"


def device_state(report: Report, texts: HomeTexts, labels: Mapping[str, str]) -> DeviceState:
    """Returns the device's state. `labels` has the titles of cameras that have one."""
    temp_c, free_b, kept_d = report.host.soc_temp_c, report.host.disk_free_b, _kept_d(report)
    return DeviceState(
        health=_sentence(report.conditions, texts, labels),
        temp_c=None if temp_c is None else round(temp_c),      # more digits would change with each report
        free_gb=None if free_b is None else round(free_b / 1e9, 1),
        kept_d=None if kept_d is None else round(kept_d, 1))


def camera_state(report: Report, camera: str, texts: HomeTexts) -> CameraState:
    """Returns the worst condition of `camera` above "info", and its remedy."""
    wrong = [each for each in report.conditions if each.camera == camera and each.severity != "info"]
    if not wrong:
        return CameraState(problem="OFF", title=None, remedy=None)
    worst = min(wrong, key=lambda each: each.severity != "alarm")
    text = texts.conditions[worst.code]
    return CameraState(problem="ON", title=text.title, remedy=text.remedy)


def moves(open_events: Iterable[str], camera: str, facts: CameraFacts | None) -> bool:
    """Whether something moves in the picture of `camera`. `open_events` are the cameras of open events."""
    return camera in open_events and (facts is None or facts.state not in BLIND)


def records(facts: CameraFacts | None) -> bool:
    return facts is not None and facts.state not in BLIND and bool(facts.recording)


def _sentence(conditions: Iterable[Condition], texts: HomeTexts, labels: Mapping[str, str]) -> str:
    parts = [f"{labels.get(each.camera, each.camera)}: {title}" if each.camera else title
             for each in conditions if each.severity != "info" and (title := texts.conditions[each.code].title)]
    text = "; ".join(parts) or texts.names["good"]
    return text if len(text) <= CHARS_MAX else text[:CHARS_MAX - 1] + "…"


def _kept_d(report: Report) -> float | None:
    keepers = [keeper for unit in report.units if (keeper := unit.own_facts(KeeperFacts))]
    return min((days for keeper in keepers for days in keeper.kept_days.values()), default=None)
