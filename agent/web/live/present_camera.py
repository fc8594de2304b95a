"""A camera on the page: state, sound, masks and pause in words. Pure."""
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from agent.config.derived import declared
from agent.config.settings import Camera
from agent.core.contract.facts import CameraFacts
from agent.core.health.conditions import CAMERA, RANK
from agent.core.health.report import Report
from agent.core.household.pause import Paused, Pauses
from agent.host.clock import Instant
from agent.look.device_words import condition_text
from agent.look.words import PageWords
from agent.web.health.health_page import TONES
from agent.web.server.words import View, hours_text


def facts_of(camera: str, report: Report | None) -> CameraFacts | None:
    """Returns what capture has reported about a camera; None if nothing."""
    return next((facts for facts in report.cameras if facts.camera == camera), None) if report else None


def sound_text(camera: Camera, report: Report | None, words: PageWords) -> str:
    """Says whether sound is recorded, or why not; "" if the household has not turned it on."""
    if not camera.audio:
        return ""
    facts = facts_of(camera.name, report)
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


def mask_view(camera: Camera, report: Report | None) -> View | None:
    """Returns a camera's masks; None if it has none.

    Only masks that the camera itself paints, as the household has declared, need outlines, as points of SVG polygons:
    areas that the recorder paints are black in the picture. The picture's size is 0 while it is unknown.
    """
    if not camera.masks:
        return None
    facts = facts_of(camera.name, report)
    width, height = (facts.width or 0, facts.height or 0) if facts else (0, 0)
    drawn = camera.masks if declared(camera) and width and height else []
    outlines = [" ".join(f"{x * width:.0f},{y * height:.0f}" for x, y in area) for area in drawn]
    return View(areas_n=len(camera.masks), by_camera=declared(camera), outlines=outlines, width=width, height=height)


CHOICES_MIN = {"15": 15, "60": 60, "open": None}        # minutes of the page's buttons; None: until it is resumed


def paused_now(facts: CameraFacts | None, pauses: Pauses | None, camera: str, now: Instant) -> Paused | None:
    """Whether a camera is paused: by the card, which capture may not have read yet, or by capture's report.

    `pauses` is None while the card does not answer. Only capture knows whether weekly hours apply.
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
    """Returns `paused_now` of each enabled camera."""
    return {camera.name: paused_now(facts_of(camera.name, report), pauses, camera.name, now)
            for camera in cameras if camera.enabled}


def pause_text(paused: Paused, now: Instant, words: PageWords) -> str:
    if paused.by == "unreadable":
        return words("pause.unreadable")
    kind = "schedule" if paused.by == "schedule" else "word"
    if paused.until_wall_ms is None:
        return words(f"pause.{kind}_open")
    return words(f"pause.{kind}_until", time=words.moment(paused.until_wall_ms, now.wall_ms))


def camera_switch(camera: Camera, paused: Paused | None, now: Instant, words: PageWords) -> View:
    """Returns the pause switch of one camera.

    `state` says what is paused and until when, "" for nothing; `hours` the weekly hours, which only the configuration
    ends.
    """
    by_hours = paused is not None and paused.by == "schedule"
    who = words(f"pause.by_{paused.by}") if paused and f"pause.by_{paused.by}" in words.texts else ""
    state = " ".join((pause_text(paused, now, words), who)).strip() if paused else ""
    return View(camera=camera.name, state=state, can_pause=paused is None,
                can_resume=paused is not None and not by_hours, hours=hours_text(camera.off, words))


def house_switch(paused: Mapping[str, Paused | None], now: Instant, words: PageWords) -> View:
    """Returns the pause switch of all cameras, from the state of each enabled one."""
    by_word = {name: pause for name, pause in paused.items() if pause is not None and pause.by != "schedule"}
    state = words("pause.some", cameras=", ".join(map(words.label, by_word))) if by_word else ""
    if len(set(by_word.values())) == 1 and len(by_word) == len(paused):
        state = pause_text(next(iter(by_word.values())), now, words)
    return View(camera="", state=state, can_pause=None in paused.values(), can_resume=bool(by_word), hours="")


class Tile(NamedTuple):
    camera: str
    enabled: bool
    tone: str           # recording | idle | warn | alarm | paused | off: the dot's colour
    state: str
    remedy: str = ""
    passing: bool = False       # it will be another one in some seconds


def tiles(cameras: Sequence[Camera], report: Report | None, now: Instant, words: PageWords,
          paused: Mapping[str, Paused | None] | None = None) -> list[Tile]:
    """Returns a tile for each camera, in order; `paused` comes from `paused_of`."""
    return [_tile(camera, report, (paused or {}).get(camera.name), now, words) for camera in cameras]


def _tile(camera: Camera, report: Report | None, paused: Paused | None, now: Instant, words: PageWords) -> Tile:
    if not camera.enabled:
        return Tile(camera.name, False, "off", words("camera.off"))
    facts = facts_of(camera.name, report)
    mine = [condition for condition in report.conditions if condition.camera == camera.name] if report else []
    worst = max(mine, key=lambda condition: RANK[condition.severity], default=None)
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
    if facts.state in ("starting", "paused"):       # a report from before it was resumed still says paused
        return "idle", words("camera.starting")
    return "warn", words("camera.lost")
