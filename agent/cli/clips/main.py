"""`taimat clips list`, and the list of the other commands on clips."""
import sqlite3
from dataclasses import asdict
from itertools import islice

import typer

from agent.cli.cameras import meant, titles
from agent.cli.clips.erase import erase
from agent.cli.clips.hold import hold, holds, release
from agent.cli.options import Config, Json, Last, OnlyCamera, lists_by_default
from agent.cli.place import open_store
from agent.cli.terminal import MARKS, console, json_line, length, size, table, when
from agent.store import boots, clips
from agent.store.clips import Clip, newest
from agent.store.folders import Folders

app = typer.Typer(invoke_without_command=True)


@app.command("list")
def list_clips(camera: OnlyCamera = None, last: Last = 20, json: Json = False, config: Config = None) -> None:
    """List the newest clips: when, how long, how large, and the file."""
    settings, folders, db = open_store(config)
    called = titles(settings)
    camera = camera and meant(settings.camera, camera)
    shown = list(islice(newest(db, camera), last))[::-1]     # the newest last, as a terminal is read
    if json:
        for clip in shown:
            file = str(folders.clip(clip.seq, clip.name))
            json_line({**asdict(clip), "title": called.get(clip.camera, ""), "file": file})
        return
    if not shown:
        console().print("[dim]no clips yet[/dim]")
        return
    rows = [_row(clip, called.get(clip.camera, clip.camera), folders, boots.is_sure(db, clip.boot, clip.clock))
            for clip in shown]
    table((" began", "camera", "kind", "long", "size", "file"), rows, right=("long", "size"), fold=("file",))
    _sum(db, rows)


def _row(clip: Clip, camera: str, folders: Folders, sure: bool) -> tuple[str, ...]:
    kind = clip.kind if clip.state == "done" else f"{clip.kind}, recovered"
    began = when(clip.wall_ms, clip.mono_ms, clip.clock, sure)
    file = str(folders.clip(clip.seq, clip.name))
    return began, camera, kind, length(clip.dur_ms), size(clip.bytes), file


def _sum(db: sqlite3.Connection, rows: list[tuple[str, ...]]) -> None:
    out = console()
    if not out.is_terminal:
        return
    count_n, count_b = clips.totals(db)
    out.print(f"\n[dim]{len(rows)} shown of {count_n} on the card, {size(count_b) or '0 B'} in all[/dim]")
    if any(row[0].startswith(("~", "?")) for row in rows):
        out.print(f"[dim]{MARKS}[/dim]")


lists_by_default(app, list_clips)
for command in (erase, hold, release, holds):
    app.command()(command)
