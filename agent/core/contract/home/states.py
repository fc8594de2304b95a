"""The states of Home Assistant's entities, from the newest report. An unknown value is null, never 0."""
from collections.abc import Iterable, Mapping

from msgspec import Struct

from agent.core.contract.facts import CameraFacts, KeeperFacts
from agent.core.contract.home.discovery import NAMES
from agent.core.health import texts
from agent.core.health.conditions import Condition
from agent.core.health.report import Report

CHARS_MAX = 255             # Home Assistant's limit for a state
BLIND = ("paused", "failed")        # camera states without motion detection
TEXTS = {"vi": texts.VI, "en": texts.EN}


class DeviceState(Struct, kw_only=True, frozen=True):
    """The device as a whole."""

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


def device_state(report: Report, language: str, labels: Mapping[str, str]) -> DeviceState:
    """Returns the device's state. `labels` has the titles of cameras that have one."""
    temp_c, free_b, kept_d = report.host.soc_temp_c, report.host.disk_free_b, _kept_d(report)
    return DeviceState(
        health=_sentence(report.conditions, language, labels),
        temp_c=None if temp_c is None else round(temp_c),      # more digits would change with each report
        free_gb=None if free_b is None else round(free_b / 1e9, 1),
        kept_d=None if kept_d is None else round(kept_d, 1))


def camera_state(report: Report, camera: str, language: str) -> CameraState:
    """Returns the worst condition of `camera` above "info", and its remedy."""
    wrong = [each for each in report.conditions if each.camera == camera and each.severity != "info"]
    if not wrong:
        return CameraState(problem="OFF", title=None, remedy=None)
    worst = min(wrong, key=lambda each: each.severity != "alarm")
    text = TEXTS[language][worst.code]
    return CameraState(problem="ON", title=text.title, remedy=text.remedy)


def moves(open_events: Iterable[str], camera: str, facts: CameraFacts | None) -> bool:
    """Whether something moves in the picture of `camera`. `open_events` are the cameras of open events."""
    return camera in open_events and (facts is None or facts.state not in BLIND)


def records(facts: CameraFacts | None) -> bool:
    return facts is not None and facts.state not in BLIND and bool(facts.recording)


def _sentence(conditions: Iterable[Condition], language: str, labels: Mapping[str, str]) -> str:
    parts = [f"{labels.get(each.camera, each.camera)}: {title}" if each.camera else title
             for each in conditions if each.severity != "info" and (title := TEXTS[language][each.code].title)]
    text = "; ".join(parts) or NAMES[language]["good"]
    return text if len(text) <= CHARS_MAX else text[:CHARS_MAX - 1] + "…"


def _kept_d(report: Report) -> float | None:
    keepers = [keeper for unit in report.units if (keeper := unit.told(KeeperFacts))]
    return min((days for keeper in keepers for days in keeper.kept_days.values()), default=None)
