"""`taimat clips list`: what is on the card."""
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from agent.cli.place import open_store
from agent.cli.terminal import MARKS, console, json_line, length, size, table, when
from agent.store import boots, clips
from agent.store.clips import Clip
from agent.store.folders import Folders

PAGE_N = 500


def show(config: Path | None, camera: str | None, last_n: int, as_json: bool) -> None:
    """Print the newest clips, the newest last, as a terminal is read. Raises ConfigError, StoreError."""
    _, folders, db = open_store(config)
    shown = list(islice(newest(db, camera), last_n))[::-1]
    if as_json:
        for clip in shown:
            json_line({**asdict(clip), "file": str(folders.clip(clip.seq, clip.name))})
        return
    if not shown:
        console().print("[dim]no clips yet[/dim]")
        return
    rows = [_row(clip, folders, boots.is_sure(db, clip.boot, clip.clock)) for clip in shown]
    table((" began", "camera", "kind", "long", "size", "file"), rows, right=("long", "size"), fold=("file",))
    _sum(db, rows)


def newest(db: sqlite3.Connection, camera: str | None) -> Iterator[Clip]:
    """Finished clips, newest first, fetched page by page."""
    before_seq = None
    while page := clips.finished(db, camera, PAGE_N, before_seq):
        yield from page
        before_seq = page[-1].seq


def _row(clip: Clip, folders: Folders, sure: bool) -> tuple[str, ...]:
    kind = clip.kind if clip.state == "done" else f"{clip.kind}, recovered"
    began = when(clip.wall_ms, clip.mono_ms, clip.clock, sure)
    file = str(folders.clip(clip.seq, clip.name))
    return began, clip.camera, kind, length(clip.dur_ms), size(clip.bytes), file


def _sum(db: sqlite3.Connection, rows: list[tuple[str, ...]]) -> None:
    out = console()
    if not out.is_terminal:
        return
    count_n, count_b = clips.totals(db)
    out.print(f"\n[dim]{len(rows)} shown of {count_n} on the card, {size(count_b) or '0 B'} in all[/dim]")
    if any(row[0].startswith(("~", "?")) for row in rows):
        out.print(f"[dim]{MARKS}[/dim]")
