"""`taimat pause` and `taimat resume`: what the page's switch does, from a terminal."""
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from agent.cli.cameras import find, titles
from agent.cli.options import Config
from agent.cli.place import load_here
from agent.cli.terminal import console, table
from agent.cli.times import length_ms, next_time_ms
from agent.config.settings import Settings
from agent.core.household.pause import Pause
from agent.host.clock import SystemClock
from agent.store import pause as pauses
from agent.store.database import StoreError
from agent.store.folders import Folders

BY = {"page": "the page", "command": "taimat pause", "home": "Home Assistant",
      "unreadable": "caution: pause.json can't be read"}


Cameras = Annotated[list[str] | None, typer.Argument(
    metavar="CAMERA", show_default=False, help="Their names in the configuration, or their titles.")]
Length = Annotated[str | None, typer.Option(
    "--for", metavar="LENGTH", show_default=False, help="For so long: 30m, 2h, 1h30m, 1d.")]
Until = Annotated[str | None, typer.Option(
    "--until", metavar="HH:MM", show_default=False, help="Until it is next that time of day.")]
Listed = Annotated[bool, typer.Option("--list", help="Pause nothing: show what is paused, by whom and until when.")]


def pause(cameras: Cameras = None, length: Length = None, until: Until = None, listed: Listed = False,
          config: Config = None) -> None:
    if listed:
        _show(config)
        return
    if length is not None and until is not None:
        raise typer.BadParameter("--for and --until don't go together: one of them says when it ends")
    settings, folders = _place(config)
    names, now = _known(settings, cameras or ()), SystemClock().now()
    until_wall_ms = None
    if length is not None:
        until_wall_ms = now.wall_ms + length_ms(length, "--for")
    elif until is not None:
        until_wall_ms = next_time_ms(until, now)
    pauses.put(folders, names, until_wall_ms, "command", now)
    end = "taimat resume" if until_wall_ms is None else f"{_local(until_wall_ms)}, or taimat resume"
    console().print(f"[yellow]paused[/yellow]  {escape(_named(settings, names))}, until: {end}")


def resume(cameras: Cameras = None, config: Config = None) -> None:
    settings, folders = _place(config)
    names = _known(settings, cameras or ())
    pauses.lift(folders, names, SystemClock().now())
    console().print(f"[green]resumed[/green]  {escape(_named(settings, names))}")
    off = [camera.label for camera in settings.camera if camera.off and (names is None or camera.name in names)]
    if off:
        console().print(f"[dim]the weekly hours of {escape(', '.join(off))} go on as configured[/dim]")


def _show(config: Path | None) -> None:
    """Print each camera: whether it is paused, by whom, until when, and its weekly hours."""
    settings, folders = _place(config)
    paused, now = pauses.load(folders), SystemClock().now()
    rows = [(camera.label, *_state(paused.of(camera.name, now)), "; ".join(camera.off))
            for camera in settings.camera if camera.enabled]
    table(("camera", "state", "until", "by", "off every week"), rows, fold=("off every week",))


def _state(found: Pause | None) -> tuple[str, str, str]:
    """State, until when, and by whom."""
    if found is None:
        return "not paused", "", ""
    return "paused", _local(found.until_wall_ms) if found.until_wall_ms else "taimat resume", BY.get(found.by, found.by)


def _place(config: Path | None) -> tuple[Settings, Folders]:
    settings = load_here(config)
    folders = Folders(Path(settings.store.folder))
    if not folders.root.is_dir():
        raise StoreError(f"{folders.root}: there is no such store, so nothing is recorded; to begin: taimat run")
    return settings, folders


def _known(settings: Settings, cameras: Sequence[str]) -> list[str] | None:
    """The names of the cameras that are meant; None for all."""
    return [find(settings.camera, said).name for said in cameras] or None


def _named(settings: Settings, names: Sequence[str] | None) -> str:
    return "all cameras" if names is None else ", ".join(titles(settings)[name] for name in names)


def _local(wall_ms: int) -> str:
    return datetime.fromtimestamp(wall_ms / 1000).strftime("%Y-%m-%d %H:%M")
