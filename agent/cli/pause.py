"""`taimat pause` and `taimat resume`: what the page's switch does, from a terminal."""
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import typer

from agent.cli.place import config_path
from agent.cli.terminal import console, table
from agent.config.load import load
from agent.config.settings import Settings
from agent.core.household.pause import TRUSTED, Pause
from agent.host.clock import Instant, SystemClock
from agent.store import pause
from agent.store.database import StoreError
from agent.store.folders import Folders

LENGTH = re.compile(r"(?:(\d{1,3})d)?(?:(\d{1,3})h)?(?:(\d{1,4})(?:m|min)?)?", re.ASCII)
TIME = re.compile(r"(\d\d?):(\d\d)", re.ASCII)
BY = {"page": "the page", "command": "this command", "home": "Home Assistant",
      "unreadable": "caution: pause.json can't be read"}


def length_ms(text: str) -> int:
    """Milliseconds of "90", "90m", "2h", "1h30m" or "1d". Raises typer.BadParameter."""
    found = LENGTH.fullmatch(text.strip().lower())
    days, hours, minutes = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    ms = ((days * 24 + hours) * 60 + minutes) * 60_000
    if not ms:
        raise typer.BadParameter(f"--for takes a length, as in 30m, 2h, 1h30m or 1d; it is {text!r}")
    return ms


def next_time_ms(text: str, now: Instant) -> int:
    """The wall clock's milliseconds when it is next "18:00" here. Raises typer.BadParameter."""
    found = TIME.fullmatch(text.strip())
    hour, minute = (int(part) for part in found.groups()) if found else (24, 0)
    if hour > 23 or minute > 59:
        raise typer.BadParameter(f"--until takes a time of day, as in 18:00; it is {text!r}")
    if now.clock not in TRUSTED:
        raise typer.BadParameter("this machine does not know for sure what time it is; use --for, as in --for 2h")
    local = datetime.fromtimestamp(now.wall_ms / 1000)
    then = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if then <= local:
        then += timedelta(days=1)
    return int(then.timestamp() * 1000)


def pause_cameras(config: Path | None, cameras: Sequence[str], length: str | None, until: str | None) -> None:
    """Pause these cameras, or all, until then or until somebody resumes. Raises ConfigError, StoreError."""
    if length is not None and until is not None:
        raise typer.BadParameter("--for and --until don't go together: one of them says when it ends")
    settings, folders = _place(config)
    names, now = _known(settings, cameras), SystemClock().now()
    until_wall_ms = None
    if length is not None:
        until_wall_ms = now.wall_ms + length_ms(length)
    elif until is not None:
        until_wall_ms = next_time_ms(until, now)
    pause.put(folders, names, until_wall_ms, "command", now)
    end = "taimat resume" if until_wall_ms is None else f"{_local(until_wall_ms)}, or taimat resume"
    console().print(f"[yellow]paused[/yellow]  {_named(names)}, until: {end}", soft_wrap=True)


def resume_cameras(config: Path | None, cameras: Sequence[str]) -> None:
    """Let these cameras, or all, see again. Raises ConfigError, StoreError."""
    settings, folders = _place(config)
    names = _known(settings, cameras)
    pause.lift(folders, names)
    console().print(f"[green]resumed[/green]  {_named(names)}", soft_wrap=True)
    off = [camera.name for camera in settings.camera if camera.off and (names is None or camera.name in names)]
    if off:
        console().print(f"[dim]the weekly hours of {', '.join(off)} go on as configured[/dim]", soft_wrap=True)


def show(config: Path | None) -> None:
    """Print each camera: whether it is paused, by whom, until when, and its weekly hours. Raises ConfigError."""
    settings, folders = _place(config)
    pauses, now = pause.load(folders), SystemClock().now()
    rows = [(camera.name, *_state(pauses.of(camera.name, now)), "; ".join(camera.off))
            for camera in settings.camera if camera.enabled]
    table(("camera", "state", "until", "by", "off every week"), rows, fold=("off every week",))


def _state(word: Pause | None) -> tuple[str, str, str]:
    if word is None:
        return "not paused", "", ""
    return "paused", _local(word.until_wall_ms) if word.until_wall_ms else "taimat resume", BY.get(word.by, word.by)


def _place(config: Path | None) -> tuple[Settings, Folders]:
    settings = load(config_path(config))
    folders = Folders(Path(settings.store.folder))
    if not folders.root.is_dir():
        raise StoreError(f"{folders.root}: there is no such store, so nothing is recorded; to begin: taimat run")
    return settings, folders


def _known(settings: Settings, cameras: Sequence[str]) -> list[str] | None:
    """The cameras that were named; None for all."""
    names = [camera.name for camera in settings.camera]
    for name in cameras:
        if name not in names:
            raise typer.BadParameter(f"there is no camera called {name}; known: {', '.join(names) or 'none'}")
    return list(cameras) or None


def _named(names: Sequence[str] | None) -> str:
    return "all cameras" if names is None else ", ".join(names)


def _local(wall_ms: int) -> str:
    return datetime.fromtimestamp(wall_ms / 1000).strftime("%Y-%m-%d %H:%M")
