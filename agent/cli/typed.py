"""Cameras, times and lengths as people type them. A mistake raises typer.BadParameter."""
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import typer

from agent.config.settings import Camera, Settings
from agent.core.household.pause import TRUSTED
from agent.host.clock import Instant

FORMATS = ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")
TIMES = ("%H:%M", "%H:%M:%S")
LENGTH = re.compile(r"(?:(\d{1,3})d)?(?:(\d{1,3})h)?(?:(\d{1,4})(?:m|min)?)?", re.ASCII)
UNIT = re.compile(r"(?i)(days?|hours?|h|minutes?|mins?|m|d)")
TIME = re.compile(r"(\d\d?):(\d\d)", re.ASCII)


def meant(cameras: Iterable[Camera], typed: str) -> str:
    """Returns the name of the camera with the typed name or title, or else the text itself."""
    cameras = list(cameras)
    titled = (camera.name for camera in cameras if camera.title.casefold() == typed.casefold() != "")
    return typed if typed in {camera.name for camera in cameras} else next(titled, typed)


def find(cameras: Sequence[Camera], typed: str, kind: str = "camera") -> Camera:
    """Returns the camera with that name or title; the error lists the known ones."""
    name = meant(cameras, typed)
    if found := next((camera for camera in cameras if camera.name == name), None):
        return found
    if UNIT.fullmatch(typed):
        raise typer.BadParameter(f"a length is one word, as in 30m, 2h, 1h30m or 1d; {typed} is taken for a camera")
    raise typer.BadParameter(f"there is no {kind} called {typed}; known: {known(cameras)}")


def recorded(cameras: Sequence[Camera], before: Iterable[str], typed: str) -> str:
    """Returns the name of a camera that is configured, or of which there are recordings from `before`."""
    name, former = meant(cameras, typed), set(before) - {camera.name for camera in cameras}
    if name in former or any(camera.name == name for camera in cameras):
        return name
    names = [*([known(cameras)] if cameras else []), *(f"{each} (no longer configured)" for each in sorted(former))]
    raise typer.BadParameter(f"there is no camera called {typed}; known: {', '.join(names) or 'none'}")


def known(cameras: Sequence[Camera]) -> str:
    """Lists the cameras for a person: "gate (Cổng trước), yard"."""
    return ", ".join(f"{camera.name} ({camera.title})" if camera.title else camera.name for camera in cameras) or "none"


def titles(settings: Settings) -> dict[str, str]:
    """The title of each configured camera by its name. Old recordings may be of other cameras."""
    return {camera.name: camera.label for camera in settings.camera}


def length_ms(text: str, option: str) -> int:
    """Milliseconds of "90", "90m", "2h", "1h30m" or "1d"."""
    found = LENGTH.fullmatch(text.strip().lower())
    days, hours, minutes = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    ms = ((days * 24 + hours) * 60 + minutes) * 60_000
    if not ms:
        raise typer.BadParameter(f"{option} takes a length, as in 30m, 2h, 1h30m or 1d; it is {text!r}")
    return ms


def moment_ms(text: str, option: str, day_ms: int) -> int:
    """Unix milliseconds of "2026-11-25 14:00" or "14:00"; without a date it is on the day of `day_ms`."""
    day = datetime.fromtimestamp(day_ms / 1000)
    for form in (*FORMATS, *TIMES):
        try:
            found = datetime.strptime(text.strip(), form)
        except ValueError:
            continue
        return int((day.replace(hour=found.hour, minute=found.minute, second=found.second, microsecond=0)
                    if form in TIMES else found).timestamp() * 1000)
    raise typer.BadParameter(f'{option} takes a moment, as in "2026-11-25 14:00", 14:00 or 14:00:30; it is {text!r}')


def next_time_ms(text: str, now: Instant) -> int:
    """Unix milliseconds of the next "18:00" in local time, for `--until`."""
    found = TIME.fullmatch(text.strip())
    hour, minute = (int(part) for part in found.groups()) if found else (24, 0)
    if hour > 23 or minute > 59:
        raise typer.BadParameter(f"--until takes a time of day, as in 18:00; it is {text!r}")
    if now.clock not in TRUSTED:
        raise typer.BadParameter("this machine does not know for sure what time it is; use --for, as in --for 2h")
    local = datetime.fromtimestamp(now.wall_ms / 1000)
    then = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return int((then if then > local else then + timedelta(days=1)).timestamp() * 1000)
