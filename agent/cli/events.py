"""`taimat events`: a list of events, and new ones as they happen."""
import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape

from agent.cli.options import Config, Json, Last, OnlyCamera
from agent.cli.place import open_store
from agent.cli.terminal import MARKS, console, json_line, length, table, when
from agent.cli.typed import recorded, titles
from agent.core.harmless import one_line
from agent.store import boots
from agent.store import events as rows
from agent.store.clips import cameras
from agent.store.events import StoredEvent

Titles = Mapping[str, str]  # a camera's title by its name
# A kind of event, or a label.
What = StrEnum("What", ["motion", "tamper", "person", "vehicle", "animal", "other", "nothing"])

LOOK_EVERY_S = 0.25
WATCHED_N = 100             # events that may still change: the newest ones
COLUMNS = (" began", "id", "camera", "kind", "long", "score", "clip", "zones")

Kind = Annotated[What | None, typer.Option(
    "--kind", autocompletion=lambda: list(map(str, What)), help="Show only events of this kind or label.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Also show new events as they happen, until Ctrl-C.")]


def events(camera: OnlyCamera = None, last: Last = 20, kind: Kind = None, follow: Follow = False, json: Json = False,
           config: Config = None) -> None:
    settings, _, db = open_store(config)
    camera = camera and recorded(settings.camera, cameras(db), camera)
    called = titles(settings)
    with contextlib.suppress(KeyboardInterrupt):
        listed = rows.latest(db, camera, last, what=kind)[::-1]         # the newest last, as a terminal is read
        if json:
            for event in listed:
                _print_json(event, called)
        elif listed:
            cells = [_row(db, event, called) for event in listed]
            table(COLUMNS, cells, right=("id", "long", "score"))
            if console().is_terminal and any(row[0].startswith(("~", "?")) for row in cells):
                console().print(f"[dim]{MARKS}[/dim]")
        else:
            console().print("[dim]no events yet[/dim]")
        for event in changes(db, camera, threading.Event()) if follow else ():
            if kind and kind not in (event.kind, event.label):
                continue
            if json:
                _print_json(event, called)
            else:
                _print(_row(db, event, called))


def _print_json(event: StoredEvent, called: Titles) -> None:
    json_line({**asdict(event), "title": called.get(event.camera, "")})     # "": the camera is no longer configured


def changes(db: sqlite3.Connection, camera: str | None, stop: threading.Event) -> Iterator[StoredEvent]:
    """Yields events that begin, end, or get their clip or label, until `stop`."""
    known = {event.id: _state(event) for event in rows.latest(db, camera, WATCHED_N)}
    version = _version(db)
    while not stop.wait(LOOK_EVERY_S):
        before, version = version, _version(db)
        if version == before:       # no other connection has committed
            continue
        newest = rows.latest(db, camera, WATCHED_N)[::-1]
        changed = [event for event in newest if known.get(event.id) != _state(event)]
        known = {event.id: _state(event) for event in newest}
        yield from changed


def _state(event: StoredEvent) -> tuple[str | None, ...]:
    return event.state, event.clip, event.label or None


def _version(db: sqlite3.Connection) -> int:
    return db.execute("PRAGMA data_version").fetchone()[0]


def _row(db: sqlite3.Connection, event: StoredEvent, called: Titles) -> tuple[str, ...]:
    sure = boots.is_sure(db, event.boot, event.clock)
    long = {"open": "goes on", "cut": f"{length(event.dur_ms)} (cut)".strip()}.get(event.state, length(event.dur_ms))
    which = event.code or event.label
    kind = f"{event.kind}: {which}" if which else event.kind
    camera = called.get(event.camera, event.camera)
    return (when(event.wall_ms, event.mono_ms, event.clock, sure), str(event.id), camera, kind, long,
            "" if event.score is None else f"{event.score:.3f}", event.clip or "", ", ".join(event.zones))


def _print(row: Sequence[str]) -> None:
    began, number, camera, kind, long, score, clip, zones = map(one_line, row)
    out = console()
    if out.is_terminal:
        out.print(f"{began}  {number:>4}  {escape(camera)}  {escape(kind)}  [bold]{long:>8}[/bold]  {score}  "
                  f"{escape(f'{clip}  {zones}')}")
    else:
        print("\t".join((began.strip(), number, camera, kind, long, score, clip, zones)), flush=True)
