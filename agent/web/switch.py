"""The pause switch as the page shows it: who paused what until when, and what can be done about it. Pure."""
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.config.settings import Camera
from agent.core.facts import CameraFacts
from agent.core.health.report import Report
from agent.core.pause import Paused, Pauses
from agent.host.clock import Instant
from agent.web.words import Words

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
