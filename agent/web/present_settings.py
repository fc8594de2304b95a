"""The household's settings in words, and what its forms ask for. Pure."""
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.config.settings import Camera, Settings, Store
from agent.core.contract.setup import LastChange
from agent.core.household.pause import DAYS
from agent.look.words import PageWords
from agent.web.present_camera import hours_text

TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d\Z")
MODES = ("motion", "continuous", "both")
DAYS_MAX = 365
# Keys of a camera that have a name of their own among the changes; the page's other words are of the table.
NAMED_KEYS = ("title", "source", "enabled", "record", "off", "audio", "masks", "motion", "zone", "sensor")


class BadHours(Exception):
    """A stretch of hours without days, or without a begin and an end."""


@dataclass(frozen=True, slots=True)
class CameraLine:
    """A camera among the settings."""

    name: str
    label: str
    told: str           # what is recorded, and when not


@dataclass(frozen=True, slots=True)
class LastChangeView:
    """The newest change, which can be undone."""

    id: str
    told: str
    when: str


def camera_line(camera: Camera, words: PageWords) -> CameraLine:
    """What is recorded of it."""
    if not camera.enabled:
        return CameraLine(camera.name, camera.label, words("settings.switched_off"))
    told = [words(f"settings.mode.{camera.record}")]
    if camera.audio:
        told.append(words("settings.with_sound"))
    if camera.off:
        told.append(words("settings.off_at", hours=hours_text(camera.off, words)))
    return CameraLine(camera.name, camera.label, " · ".join(told))


def hours_from(form: Mapping[str, str], off: Sequence[str]) -> list[str]:
    """The weekly hours that a form leaves and adds: `keep-N` for each line, `day-mon`..., `begin` and `end`.

    Raises BadHours.
    """
    kept = [line for place, line in enumerate(off) if f"keep-{place}" in form]
    days = [day for day in DAYS if f"day-{day}" in form]
    begin, end = form.get("begin", "").strip(), form.get("end", "").strip()
    if not (days or begin or end):
        return kept
    if not days or bool(begin) != bool(end):
        raise BadHours
    named = "" if len(days) == len(DAYS) and begin else ",".join(day.capitalize() for day in days)
    if not begin:
        return [*kept, named]
    if not (TIME.match(begin) and TIME.match(end)) or begin == end:
        raise BadHours
    return [*kept, f"{named} {begin}-{end}".strip()]


def days_from(text: str) -> int | float | None:
    """A number of days as somebody typed it, with either decimal mark; None for what is none, or too many."""
    try:
        days = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    if not 0 < days <= DAYS_MAX:
        return None
    return int(days) if days.is_integer() else round(days, 2)


def retention_told(store: Store, fits_days: float | None, words: PageWords) -> list[str]:
    """What the limits mean on this card; `fits_days` of events as they came lately, None: not known yet."""
    told = [words("settings.kept", days=days_text(store.keep_days, words),
                  continuous=days_text(store.keep_continuous_days, words))]
    if fits_days is None:
        told.append(words("settings.fits_unknown"))
    elif fits_days < store.keep_days:
        told.append(words("settings.fits_less", days=days_text(fits_days, words)))
    else:
        told.append(words("settings.fits", days=days_text(fits_days, words)))
    return told


def days_text(days: float, words: PageWords) -> str:
    """A number of days as people say it: whole ones from ten on."""
    whole = float(days).is_integer() or days >= 10
    return words("settings.day" if days == 1 else "settings.days", days=words.number(days, 0 if whole else 1))


def last_change(last: LastChange | None, settings: Settings, now_wall_ms: int,
                words: PageWords) -> LastChangeView | None:
    """The newest change as people say it."""
    if last is None:
        return None
    labels = {camera.name: camera.label for camera in settings.camera}
    about = {"camera": labels.get(last.camera or "", last.camera or "")}
    if last.what == "change_camera":
        keys = dict.fromkeys(key.partition(".")[0] for key in last.keys)
        said = [words(f"changed.key.{key}") for key in keys if key in NAMED_KEYS]
        about["keys"] = ", ".join(said) or words("changed.key.other")
    return LastChangeView(last.id, words(f"changed.{last.what}", **about), words.moment(last.wall_ms, now_wall_ms))
