"""A camera's tile: its state in words, from the newest report. Pure."""
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.config.privacy import declared
from agent.config.settings import Camera
from agent.core.contract.busy import Busy, level
from agent.core.contract.facts import CameraFacts
from agent.core.health.codes import CAMERA, RANK
from agent.core.health.conditions import Condition
from agent.core.health.report import Report
from agent.core.health.texts import text
from agent.core.household.pause import Paused, Pauses
from agent.host.clock import Instant
from agent.web.words import Words


@dataclass(frozen=True, slots=True)
class Masking:
    """A camera's masks. Areas that we paint are black in the picture and need no drawing."""

    areas_n: int
    by_camera: bool                 # so the household has declared
    outlines: list[str]             # of its areas, as the points of an SVG polygon
    width: int
    height: int


def masks(camera: Camera, report: Report | None) -> Masking | None:
    """None without masks; outlines only once the picture's size is known."""
    if not camera.masks:
        return None
    facts = next((each for each in report.cameras if each.camera == camera.name), None) if report else None
    width, height = (facts.width or 0, facts.height or 0) if facts else (0, 0)
    drawn = camera.masks if declared(camera) and width and height else []
    outlines = [" ".join(f"{x * width:.0f},{y * height:.0f}" for x, y in area) for area in drawn]
    return Masking(len(camera.masks), declared(camera), outlines, width, height)


@dataclass(frozen=True, slots=True)
class Cell:
    """A restless place: its column and row in the grid, and how strongly it is shown, 1 to 3."""

    column: int
    row: int
    level: int


@dataclass(frozen=True, slots=True)
class Restless:
    """A camera's busy areas; `told` is all there is while nothing is known."""

    told: tuple[str, ...]           # sentences
    cells: tuple[Cell, ...] = ()
    width: int = 0                  # of the picture, pixels
    height: int = 0
    scale: str = ""                 # from cells to pixels, as an SVG transform


def restless(busy: Busy | None, words: Words) -> Restless:
    """`busy` is None while the recorder does not answer."""
    if busy is None or busy.state != "ok":
        return Restless((words("busy.unknown"),))
    cells = tuple(Cell(x, y, shown) for y, row in enumerate(busy.grid) for x, value in enumerate(row)
                  if (shown := level(value)))
    places_n = sum(map(len, busy.grid))
    share = words("busy.share", pct=max(1, round(100 * len(cells) / places_n))) if cells else words("busy.none")
    scale = f"scale({busy.width / len(busy.grid[0]):g} {busy.height / len(busy.grid):g})"
    return Restless((share, *_now(busy, words)), cells, busy.width, busy.height, scale)


def _now(busy: Busy, words: Words) -> list[str]:
    if busy.moving:
        return [words("busy.moving")]
    return [words(f"busy.why.{each}") for each in busy.silences] or [words("busy.still")]


CHOICES_MIN = {"15": 15, "60": 60, "open": None}        # what the page offers; None: until somebody lifts it
DAY = re.compile("mon|tue|wed|thu|fri|sat|sun", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch: of a camera, or of all of them together."""

    camera: str                 # "" for all
    told: str                   # what is paused and until when; "" for nothing
    can_pause: bool
    can_resume: bool            # a camera's weekly hours are not lifted here
    hours: str                  # these hours, as people read them; "" for none


def paused_now(facts: CameraFacts | None, pauses: Pauses | None, camera: str, now: Instant) -> Paused | None:
    """Whether a camera is paused: by what was said, which capture may not have heard yet, or by what capture tells.

    `pauses` are None while the card does not answer. Weekly hours are capture's to judge.
    """
    word = pauses.of(camera, now) if pauses is not None else None
    if word is not None:
        return Paused(word.by, word.until_wall_ms)
    if facts is None or facts.state != "paused" or facts.paused_by is None:
        return None
    if pauses is not None and facts.paused_by != "schedule":
        return None             # lifted just now
    return Paused(facts.paused_by, facts.paused_until_ms)


def paused_of(cameras: Sequence[Camera], report: Report | None, pauses: Pauses | None,
              now: Instant) -> dict[str, Paused | None]:
    """`paused_now` of each of these cameras."""
    facts = {each.camera: each for each in report.cameras} if report else {}
    return {camera.name: paused_now(facts.get(camera.name), pauses, camera.name, now) for camera in cameras}


def told(paused: Paused, now: Instant, words: Words) -> str:
    """The state of a paused camera in words."""
    if paused.by == "unreadable":
        return words("pause.unreadable")
    kind = "schedule" if paused.by == "schedule" else "word"
    if paused.until_wall_ms is None:
        return words(f"pause.{kind}_open")
    return words(f"pause.{kind}_until", time=words.moment(paused.until_wall_ms, now.wall_ms))


def of_camera(camera: Camera, paused: Paused | None, now: Instant, words: Words) -> Switch:
    """The switch on a camera's own page."""
    by_hours = paused is not None and paused.by == "schedule"
    who = words(f"pause.by_{paused.by}") if paused and f"pause.by_{paused.by}" in words.texts else ""
    state = " ".join((told(paused, now, words), who)).strip() if paused else ""
    return Switch(camera.name, state, paused is None, paused is not None and not by_hours,
                  hours(camera.off, words))


def of_all(paused: Mapping[str, Paused | None], now: Instant, words: Words) -> Switch:
    """The switch of the whole house, given each enabled camera's state."""
    said = {name: each for name, each in paused.items() if each is not None and each.by != "schedule"}
    if not said:
        return Switch("", "", any(each is None for each in paused.values()), False, "")
    same = len(set(said.values())) == 1 and len(said) == len(paused)
    state = told(next(iter(said.values())), now, words) if same else words("pause.some", cameras=", ".join(said))
    return Switch("", state, any(each is None for each in paused.values()), True, "")


def hours(off: Sequence[str], words: Words) -> str:
    """Weekly hours with the days in the reader's language."""
    return "; ".join(DAY.sub(lambda day: words(f"pause.day.{day[0].lower()}"), line) for line in off)


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
