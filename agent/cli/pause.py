"""`taimat pause` and `taimat resume`: the page's switch, on a terminal."""
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from agent.cli import values
from agent.cli.options import Config, JsonList, demand_list
from agent.cli.place import load_here
from agent.cli.terminal import console, json_line, local, table
from agent.cli.typed import find, length_ms, next_time_ms, titles
from agent.config.settings import Settings
from agent.core.household.pause import Pauses
from agent.host.clock import Instant, SystemClock
from agent.store import pause as pauses
from agent.store.database import StoreError
from agent.store.folders import Folders

BY = {"page": "the page", "command": "taimat pause", "home": "Home Assistant",
      "unreadable": "caution: pause.json can't be read"}

Cameras = Annotated[list[str] | None, typer.Argument(
    metavar="CAMERA", autocompletion=values.cameras, show_default=False, help="Names or titles of cameras.")]
Length = Annotated[str | None, typer.Option(
    "--for", metavar="LENGTH", show_default=False, help="Pause for this long: 30m, 2h, 1h30m, 1d.")]
Until = Annotated[str | None, typer.Option(
    "--until", metavar="HH:MM", show_default=False, help="Pause until the next time it is HH:MM.")]
Listed = Annotated[bool, typer.Option("--list", help="Only list the pauses: by whom, and until when.")]


def pause(cameras: Cameras = None, length: Length = None, until: Until = None, listed: Listed = False,
          json: JsonList = False, config: Config = None) -> None:
    demand_list(json, listed)
    if not listed and length is not None and until is not None:
        raise typer.BadParameter("--for and --until don't go together: one of them says when it ends")
    settings, folders, names = _chosen(config, () if listed else cameras or ())
    now = SystemClock().now()
    if listed:
        _show(settings, pauses.load(folders), now, json)
        return
    until_wall_ms = None
    if length is not None:
        until_wall_ms = now.wall_ms + length_ms(length, "--for")
    elif until is not None:
        until_wall_ms = next_time_ms(until, now)
    pauses.put(folders, names, until_wall_ms, "command", now)
    end = "taimat resume" if until_wall_ms is None else f"{local(until_wall_ms)[:-3]}, or taimat resume"
    console().print(f"[yellow]paused[/yellow]  {escape(_named(settings, names))}, until: {end}")


def resume(cameras: Cameras = None, config: Config = None) -> None:
    settings, folders, names = _chosen(config, cameras or ())
    pauses.lift(folders, names, SystemClock().now())
    console().print(f"[green]resumed[/green]  {escape(_named(settings, names))}")
    off = [camera.label for camera in settings.camera if camera.off and (names is None or camera.name in names)]
    if off:
        console().print(f"[dim]the weekly hours of {escape(', '.join(off))} go on as configured[/dim]")


def _chosen(config: Path | None, cameras: Sequence[str]) -> tuple[Settings, Folders, list[str] | None]:
    settings = load_here(config)
    folders = Folders(Path(settings.store.folder))
    if not folders.root.is_dir():
        raise StoreError(f"{folders.root}: there is no such store, so nothing is recorded; to begin: taimat run")
    return settings, folders, [find(settings.camera, typed).name for typed in cameras] or None


def _show(settings: Settings, paused: Pauses, now: Instant, json: bool) -> None:
    rows = []
    for camera in settings.camera:
        found, off = paused.of(camera.name, now), "; ".join(camera.off)
        if json and camera.enabled:
            json_line({"camera": camera.name, "title": camera.title, "paused": found is not None,
                       "until_wall_ms": found and found.until_wall_ms, "by": found and found.by, "off": camera.off})
        elif camera.enabled and found is None:
            rows.append((camera.label, "not paused", "", "", off))
        elif camera.enabled:
            end = local(found.until_wall_ms)[:-3] if found.until_wall_ms else "taimat resume"
            rows.append((camera.label, "paused", end, BY.get(found.by, found.by), off))
    table(("camera", "state", "until", "by", "off every week"), rows, fold=("off every week",))


def _named(settings: Settings, names: Sequence[str] | None) -> str:
    return "all cameras" if names is None else ", ".join(titles(settings)[name] for name in names)
