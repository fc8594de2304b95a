"""A camera's tile: its state in words, from the newest report. Pure."""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.config.settings import Camera
from agent.core.facts import CameraFacts
from agent.core.health.codes import CAMERA, RANK
from agent.core.health.conditions import Condition
from agent.core.health.report import Report
from agent.core.health.texts import text
from agent.core.pause import Paused
from agent.host.clock import Instant
from agent.web.switch import told
from agent.web.words import Words

TONES = {"info": "idle", "warn": "warn", "alarm": "alarm"}


@dataclass(frozen=True, slots=True)
class Tile:
    """What is said about a camera."""

    camera: str
    enabled: bool
    tone: str           # recording | idle | warn | alarm | paused | off: the colour of the mark before `state`
    state: str
    remedy: str = ""

    @property
    def paused(self) -> bool:
        """Whether there is no picture because nobody is to see."""
        return self.tone == "paused"


def tiles(cameras: Sequence[Camera], report: Report | None, now: Instant, words: Words,
          paused: Mapping[str, Paused | None] | None = None) -> list[Tile]:
    """One tile for each camera of the settings, in their order; `paused` tells which are to see nothing."""
    facts = {each.camera: each for each in report.cameras} if report else {}
    conditions = report.conditions if report else ()
    return [_tile(camera, facts.get(camera.name), _worst(camera.name, conditions), now, words,
                  (paused or {}).get(camera.name)) for camera in cameras]


def _tile(camera: Camera, facts: CameraFacts | None, worst: Condition | None, now: Instant, words: Words,
          paused: Paused | None) -> Tile:
    if not camera.enabled:
        return Tile(camera.name, False, "off", words("camera.off"))
    if paused:
        remedy = words("pause.unreadable_help") if paused.by == "unreadable" else ""
        return Tile(camera.name, True, "paused", told(paused, now, words), remedy)
    if worst:
        said = text(worst.code, words.language)
        if worst.code in CAMERA and worst.code != "camera_frozen":      # which has a picture, an old one
            lost = _lost_since(facts, worst, now, words)
            return Tile(camera.name, True, "alarm", lost, f"{said.title}. {said.remedy}")
        return Tile(camera.name, True, TONES[worst.severity], said.title, said.remedy)
    return Tile(camera.name, True, *_everyday(facts, words))


def _worst(name: str, conditions: Sequence[Condition]) -> Condition | None:
    own = [each for each in conditions if each.camera == name]
    return max(own, key=lambda each: RANK[each.severity]) if own else None


def _lost_since(facts: CameraFacts | None, condition: Condition, now: Instant, words: Words) -> str:
    """When the last picture came, if capture can tell; else when it was noticed."""
    age_s = facts.last_frame_age_s if facts else None
    ago_ms = age_s * 1000 if age_s is not None else now.mono_ms - condition.since_mono_s * 1000
    return words("camera.lost_since", time=words.moment(int(now.wall_ms - ago_ms), now.wall_ms))


def _everyday(facts: CameraFacts | None, words: Words) -> tuple[str, str]:
    """Tone and state of a camera about which health has nothing to say."""
    if facts is None:
        return "idle", words("camera.unheard")
    if facts.state == "ok":
        if facts.write_fault:
            return "alarm", words("camera.not_written")
        return ("recording", words("camera.recording")) if facts.recording else ("idle", words("camera.waiting"))
    return ("idle", words("camera.starting")) if facts.state == "starting" else ("warn", words("camera.lost"))
