"""`taimat events`: what happened, as a list or as it happens."""
import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape

from agent.cli.cameras import meant, titles
from agent.cli.options import Config, Json, Last, OnlyCamera
from agent.cli.place import open_store
from agent.cli.terminal import MARKS, console, json_line, length, table, when
from agent.core.harmless import one_line
from agent.store import boots
from agent.store import events as rows
from agent.store.events import StoredEvent

Titles = Mapping[str, str]  # what people call each camera, by its name

LOOK_EVERY_S = 0.25
WATCHED_N = 100             # events that may still change: the newest ones
COLUMNS = (" began", "id", "camera", "kind", "long", "score", "clip", "zones")


class What(StrEnum):
    """What can be asked for: a kind of event, or the word for what moved."""

    MOTION = "motion"
    TAMPER = "tamper"
    PERSON = "person"
    VEHICLE = "vehicle"
    ANIMAL = "animal"
    OTHER = "other"
    NOTHING = "nothing"


Kind = Annotated[What | None, typer.Option(
    "--kind", help="Only events of this kind or label.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on and show events as they happen, until Ctrl-C.")]


def events(camera: OnlyCamera = None, last: Last = 20, kind: Kind = None, follow: Follow = False, json: Json = False,
           config: Config = None) -> None:
    settings, _, db = open_store(config)
    camera, called = camera and meant(settings.camera, camera), titles(settings)
    with contextlib.suppress(KeyboardInterrupt):
        listed = rows.latest(db, camera, last, what=kind)[::-1]         # the newest last, as a terminal is read
        _list(db, listed, called, json)
        if follow:
            for event in changes(db, camera, threading.Event()):
                if kind and kind not in (event.kind, event.label):
                    continue
                if json:
                    json_line(_plain(event, called))
                else:
                    _line(db, event, called)


def _plain(event: StoredEvent, called: Titles) -> dict[str, object]:
    """For programs; the title is "" for a camera that is not configured any more."""
    return {**asdict(event), "title": called.get(event.camera, "")}


def _list(db: sqlite3.Connection, shown: Sequence[StoredEvent], called: Titles, as_json: bool) -> None:
    if as_json:
        for event in shown:
            json_line(_plain(event, called))
    elif not shown:
        console().print("[dim]no events yet[/dim]")
    else:
        cells = [_row(db, event, called) for event in shown]
        table(COLUMNS, cells, right=("id", "long", "score"))
        if console().is_terminal and any(row[0].startswith(("~", "?")) for row in cells):
            console().print(f"[dim]{MARKS}[/dim]")


def changes(db: sqlite3.Connection, camera: str | None, stop: threading.Event) -> Iterator[StoredEvent]:
    """Each event that begins, ends or gets its clip or its word, until `stop`.

    Rows are read only when another connection has committed.
    """
    known = {event.id: _state(event) for event in rows.latest(db, camera, WATCHED_N)}
    version = _version(db)
    while not stop.wait(LOOK_EVERY_S):
        before, version = version, _version(db)
        if version == before:
            continue
        newest = rows.latest(db, camera, WATCHED_N)[::-1]
        changed = [event for event in newest if known.get(event.id) != _state(event)]
        known = {event.id: _state(event) for event in newest}
        yield from changed


def _state(event: StoredEvent) -> tuple[str | None, ...]:
    return event.state, event.clip, event.label or None


def _version(db: sqlite3.Connection) -> int:
    """Changes whenever another connection has committed (SQLite's PRAGMA data_version)."""
    return db.execute("PRAGMA data_version").fetchone()[0]


def _row(db: sqlite3.Connection, event: StoredEvent, called: Titles) -> tuple[str, ...]:
    sure = boots.is_sure(db, event.boot, event.clock)
    long = {"open": "goes on", "cut": f"{length(event.dur_ms)} (cut)".strip()}.get(event.state, length(event.dur_ms))
    which = event.code or event.label
    kind = f"{event.kind}: {which}" if which else event.kind
    camera = called.get(event.camera, event.camera)
    return (when(event.wall_ms, event.mono_ms, event.clock, sure), str(event.id), camera, kind, long,
            "" if event.score is None else f"{event.score:.3f}", event.clip or "", ", ".join(event.zones))


def _line(db: sqlite3.Connection, event: StoredEvent, called: Titles) -> None:
    began, number, camera, kind, long, score, clip, zones = map(one_line, _row(db, event, called))
    out = console()
    if out.is_terminal:
        out.print(f"{began}  {number:>4}  {escape(camera)}  {escape(kind)}  [bold]{long:>8}[/bold]  {score}  "
                  f"{escape(f'{clip}  {zones}')}")
    else:
        print("\t".join((began.strip(), number, camera, kind, long, score, clip, zones)), flush=True)
