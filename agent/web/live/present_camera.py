"""A camera on the page: its state, sound, masks, busy areas and pause, in words. Pure."""
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from agent.config.derived import declared
from agent.config.settings import Camera
from agent.core.contract.facts import CameraFacts
from agent.core.health.conditions import CAMERA, RANK, Condition
from agent.core.health.report import Report
from agent.core.household.pause import Paused, Pauses
from agent.host.clock import Instant
from agent.look.device_words import condition_text
from agent.look.words import PageWords
from agent.web.health.health_page import TONES
from agent.web.server.words import hours_text


def sound_text(camera: Camera, report: Report | None, words: PageWords) -> str:
    """Whether sound is recorded, or why not; "" for a camera whose sound the household has not turned on."""
    if not camera.audio:
        return ""
    facts = next((each for each in report.cameras if each.camera == camera.name), None) if report else None
    if facts is None or facts.audio is None:
        return words("sound.on")
    match facts.audio.state:
        case "unsupported":
            return words("sound.unsupported", codec=facts.audio.codec)
        case "none":
            return words("sound.none")
        case "silent" if facts.state == "ok":
            return words("sound.silent")
    return words("sound.on")


class MaskView(NamedTuple):
    """A camera's masks. Areas that the recorder paints are black in the picture and need no outlines."""

    areas_n: int
    by_camera: bool                 # as the household has declared
    outlines: list[str]             # of the camera's own areas, as points of SVG polygons
    width: int                      # of the picture, pixels; 0 while unknown
    height: int


def mask_view(camera: Camera, report: Report | None) -> MaskView | None:
    """None for a camera without masks. There are outlines only once the picture's size is known."""
    if not camera.masks:
        return None
    facts = next((each for each in report.cameras if each.camera == camera.name), None) if report else None
    width, height = (facts.width or 0, facts.height or 0) if facts else (0, 0)
    drawn = camera.masks if declared(camera) and width and height else []
    outlines = [" ".join(f"{x * width:.0f},{y * height:.0f}" for x, y in area) for area in drawn]
    return MaskView(len(camera.masks), declared(camera), outlines, width, height)


CHOICES_MIN = {"15": 15, "60": 60, "open": None}        # minutes of the page's buttons; None: until somebody ends it


class PauseSwitch(NamedTuple):
    """The form that pauses a camera, or all of them together."""

    camera: str                 # "" for all
    state: str                  # in words what is paused and until when; "" for nothing
    can_pause: bool
    can_resume: bool            # not during a camera's weekly hours, which only the configuration ends
    hours: str                  # these hours in words; "" for none


def paused_now(facts: CameraFacts | None, pauses: Pauses | None, camera: str, now: Instant) -> Paused | None:
    """Whether a camera is paused: by the card, which capture may not have read yet, or by capture's report.

    `pauses` are None while the card does not answer. Capture alone judges weekly hours.
    """
    word = pauses.of(camera, now) if pauses is not None else None
    if word is not None:
        return Paused(word.by, word.until_wall_ms)
    if facts is None or facts.state != "paused" or facts.paused_by is None:
        return None
    if pauses is not None and facts.paused_by != "schedule":
        return None             # ended a moment ago
    return Paused(facts.paused_by, facts.paused_until_ms)


def paused_of(cameras: Sequence[Camera], report: Report | None, pauses: Pauses | None,
              now: Instant) -> dict[str, Paused | None]:
    """`paused_now` of each of these cameras."""
    facts = {each.camera: each for each in report.cameras} if report else {}
    return {camera.name: paused_now(facts.get(camera.name), pauses, camera.name, now) for camera in cameras}


def pause_text(paused: Paused, now: Instant, words: PageWords) -> str:
    """The state of a paused camera in words."""
    if paused.by == "unreadable":
        return words("pause.unreadable")
    kind = "schedule" if paused.by == "schedule" else "word"
    if paused.until_wall_ms is None:
        return words(f"pause.{kind}_open")
    return words(f"pause.{kind}_until", time=words.moment(paused.until_wall_ms, now.wall_ms))


def camera_switch(camera: Camera, paused: Paused | None, now: Instant, words: PageWords) -> PauseSwitch:
    """The switch on a camera's own page."""
    by_hours = paused is not None and paused.by == "schedule"
    who = words(f"pause.by_{paused.by}") if paused and f"pause.by_{paused.by}" in words.texts else ""
    state = " ".join((pause_text(paused, now, words), who)).strip() if paused else ""
    return PauseSwitch(camera.name, state, paused is None, paused is not None and not by_hours,
                  hours_text(camera.off, words))


def house_switch(paused: Mapping[str, Paused | None], now: Instant, words: PageWords) -> PauseSwitch:
    """The switch of all cameras, given the state of each enabled one."""
    said = {name: each for name, each in paused.items() if each is not None and each.by != "schedule"}
    if not said:
        return PauseSwitch("", "", any(each is None for each in paused.values()), False, "")
    same = len(set(said.values())) == 1 and len(said) == len(paused)
    some = words("pause.some", cameras=", ".join(map(words.label, said)))
    state = pause_text(next(iter(said.values())), now, words) if same else some
    return PauseSwitch("", state, any(each is None for each in paused.values()), True, "")


class Tile(NamedTuple):
    """A camera's state in words."""

    camera: str
    enabled: bool
    tone: str           # recording | idle | warn | alarm | paused | off: the dot's colour
    state: str
    remedy: str = ""
    passing: bool = False       # it will be another one in some seconds


def tiles(cameras: Sequence[Camera], report: Report | None, now: Instant, words: PageWords,
          paused: Mapping[str, Paused | None] | None = None) -> list[Tile]:
    """One tile for each of these cameras, in their order; `paused` as from `paused_of`."""
    facts = {each.camera: each for each in report.cameras} if report else {}
    conditions = report.conditions if report else ()
    return [_tile(camera, facts.get(camera.name), max((each for each in conditions if each.camera == camera.name),
                                                      key=lambda each: RANK[each.severity], default=None),
                  now, words, (paused or {}).get(camera.name)) for camera in cameras]


def _tile(camera: Camera, facts: CameraFacts | None, worst: Condition | None, now: Instant, words: PageWords,
          paused: Paused | None) -> Tile:
    if not camera.enabled:
        return Tile(camera.name, False, "off", words("camera.off"))
    if paused:
        remedy = words("pause.unreadable_help") if paused.by == "unreadable" else ""
        return Tile(camera.name, True, "paused", pause_text(paused, now, words), remedy)
    if worst:
        said = condition_text(worst.code, words.language)
        if worst.code in CAMERA and worst.code != "camera_frozen":      # a frozen one has a picture, an old one
            age_s = facts.last_frame_age_s if facts else None       # capture may know the last frame
            ago_ms = age_s * 1000 if age_s is not None else now.mono_ms - worst.since_mono_s * 1000
            lost = words("camera.lost_since", time=words.moment(int(now.wall_ms - ago_ms), now.wall_ms))
            return Tile(camera.name, True, "alarm", lost, f"{said.title}. {said.remedy}")
        return Tile(camera.name, True, TONES[worst.severity], said.title, said.remedy)
    tone, state = _everyday(facts, words)
    return Tile(camera.name, True, tone, state, passing=state == words("camera.starting"))


def _everyday(facts: CameraFacts | None, words: PageWords) -> tuple[str, str]:
    if facts is None:
        return "idle", words("camera.unheard")
    if facts.state == "ok":
        if facts.write_fault:
            return "alarm", words("camera.not_written")
        return ("recording", words("camera.recording")) if facts.recording else ("idle", words("camera.waiting"))
    if facts.state in ("starting", "paused"):       # paused by a report from before somebody let it record again
        return "idle", words("camera.starting")
    return "warn", words("camera.lost")
