"""`taimat requests`: what the ward has asked for, and the household's decision."""
import sqlite3
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from agent.cli import values
from agent.cli.options import Config, Json, Last, Yes, lists_by_default
from agent.cli.own_decisions import open_decisions
from agent.cli.place import open_store
from agent.cli.processes import poke
from agent.cli.terminal import console, count, json_line, length, local, size, table
from agent.config.settings import Settings
from agent.core.harmless import one_line
from agent.core.household.sharing_rules import Decision
from agent.host.clock import SystemClock
from agent.store import requests
from agent.store.database import StoreError
from agent.store.decisions import decided
from agent.store.requests import ExportPreview, RequestError, WardRequest, preview

LABEL_N = 14            # letters, with the space behind them
STATES = {"new": "is being checked", "waiting": "waits for you", "approved": "approved, being prepared",
          "packed": "approved, being sent", "delivered": "the ward has it", "refused": "refused",
          "lapsed": "lapsed: no answer in time", "cancelled": "cancelled by the ward",
          "failed": "could not be done"}
DECIDED = {"rule": "by your rule under [sharing]", "command": "by taimat requests", "page": "on the page",
           "time": "by itself", "ward": "by the ward", "leaving": "by leaving the ward"}

Number = Annotated[int, typer.Argument(
    metavar="NO.", min=1, autocompletion=values.requests, show_default=False, help="The request's number in the list.")]

app = typer.Typer(invoke_without_command=True)


@app.command("list")
def list_requests(last: Last = 20, json: Json = False, config: Config = None) -> None:
    """List what the ward has asked for, newest first, and the outcome."""
    _, _, db = open_store(config)
    found = requests.newest(db, last)
    if json:
        for request in found:
            json_line(_told(request, preview(db, request)))
        return
    if not found:
        if sys.stdout.isatty():
            console().print("[dim]the ward has asked for nothing[/dim]")
        return
    table(("no.", "state", "asked", "camera", "time", "purpose", "case"), [
        (str(it.n), STATES[it.state], local(it.wall_ms), it.camera, _range(it), it.purpose, it.case_no)
        for it in found], right=("no.",))
    if waiting_n := sum(request.state == "waiting" for request in found):
        verb = "wait" if waiting_n > 1 else "waits"
        console().print(f"[yellow]{waiting_n} {verb} for you:[/yellow] taimat requests show NO., then approve or "
                        "refuse")


@app.command()
def show(number: Number, json: Json = False, config: Config = None) -> None:
    """Show one request: the officer, the legal basis, and exactly what would leave the house."""
    settings, _, db = open_store(config)
    request = _get(db, number)
    found = preview(db, request)
    if json:
        json_line(_told(request, found))
        return
    _print(_lines(request, found, _has_sound(settings, request)))


@app.command()
def approve(number: Number, yes: Yes = False, config: Config = None) -> None:
    """Approve a request: its footage is packed, signed, sent, and noted in the ledger."""
    _decide(config, number, "approved", yes)


@app.command()
def refuse(number: Number, config: Config = None) -> None:
    """Refuse a request, or take back an approval until the ward has everything."""
    _decide(config, number, "refused", True)


def _decide(config: Path | None, number: int, code: Decision, yes: bool) -> None:
    """Notes the decision for keeper and link. An approval asks for confirmation unless `yes`."""
    settings, _, own, db = open_decisions(config)
    request, shown = _get(db, number), ""
    if code == "approved" and request.state == "waiting" and not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("say --yes to approve without being asked: there is no terminal to ask on")
        found = preview(db, request)
        _print(_lines(request, found, _has_sound(settings, request)))
        typer.confirm("Hand this out to the ward?", abort=True)
        shown = found.digest
    try:
        decided.decide(own, db, request.id, request.digest, code, by="command", now=SystemClock().now(), shown=shown)
    except RequestError as error:
        raise StoreError(f"{error}: {STATES[_get(db, number).state]}") from error
    poke(settings.store.runtime, "requests", "keeper", "link")
    verdict = "[green]approved[/green]" if code == "approved" else "[yellow]refused[/yellow]"
    console().print(f"{verdict}  request {number}: {escape(one_line(_what(request)))}")


def _print(lines: Iterable[tuple[str, str]]) -> None:
    for label, value in lines:
        console().print(f"[dim]{label:<{LABEL_N}}[/dim]{escape(one_line(value))}")


def _get(db: sqlite3.Connection, number: int) -> WardRequest:
    request = requests.get(db, number)
    if request is None:
        raise typer.BadParameter(f"there is no request {number}; taimat requests lists them")
    return request


def _has_sound(settings: Settings, request: WardRequest) -> bool:
    return any(camera.name == request.camera and camera.audio for camera in settings.camera)


def _range(request: WardRequest) -> str:
    if request.begin_ms is None or request.end_ms is None:
        return "one picture"
    begin, end = local(request.begin_ms), local(request.end_ms)
    return f"{begin} - {end[11:] if begin[:10] == end[:10] else end}"


def _what(request: WardRequest) -> str:
    if request.kind == "snapshot":
        return f"one picture of {request.camera}"
    return f"{request.camera}, {_range(request)}"


def _lines(request: WardRequest, found: ExportPreview, sound: bool) -> list[tuple[str, str]]:
    lines = [("request", f"{request.n}  (the ward's: {request.id})"), ("state", _state(request)),
             ("officer", request.officer), ("case", request.case_no), ("purpose", request.purpose),
             ("legal basis", request.basis), ("asked", local(request.wall_ms)), ("what", _what(request)),
             *zip(("leaves", ""), _leaves(request, found, sound), strict=False), ("goes to", request.upload),
             ("its key", request.intake_key)]
    if request.state == "waiting" and request.until_ms is not None:
        lines.append(("decide until", f"{local(request.until_ms)}; after that nothing leaves"))
    return lines


def _state(request: WardRequest) -> str:
    said = STATES[request.state]
    if request.decided_by and request.decided_ms and request.state != "lapsed":
        said += f", {DECIDED.get(request.decided_by, request.decided_by)}, {local(request.decided_ms)}"
    if request.state == "packed":
        said += f" ({size(request.sent_b)} of {size(request.bytes)})"
    return f"{said} ({request.code})" if request.code else said


def _leaves(request: WardRequest, found: ExportPreview, sound: bool) -> list[str]:
    """Says in one or two lines what would leave, or has left."""
    if request.bytes is not None:
        return [f"{size(request.bytes)}, SHA-256 {request.sha256}"]
    if request.kind == "snapshot":
        return ["one picture of the moment when you agree, masks painted"]
    if found.empty:
        return ["nothing: there are no recordings of that time"]
    video = f"{length(found.dur_ms)} of video{' with its sound' if sound else ''}, about {size(found.bytes)}"
    end = "; the end of it is still being recorded" if found.recording else ""
    end += "" if found.sure else "; the clock was not right then: nothing leaves unless that time is found out"
    names = ", ".join(clip.name for clip in found.clips)
    return [video + end, f"{count(len(found.clips), 'clip')}: {names}"]


def _told(request: WardRequest, found: ExportPreview) -> dict[str, object]:
    return {"n": request.n, "id": request.id, "kind": request.kind, "state": request.state, "camera": request.camera,
        "from_ms": request.begin_ms, "to_ms": request.end_ms, "case": request.case_no, "purpose": request.purpose,
        "officer": request.officer, "basis": request.basis, "upload": request.upload, "asked_ms": request.wall_ms,
        "until_ms": request.until_ms, "decided_by": request.decided_by, "decided_ms": request.decided_ms,
        "code": request.code, "bytes": request.bytes, "sha256": request.sha256, "sent_b": request.sent_b,
        "clips": [clip.name for clip in found.clips], "footage_ms": found.dur_ms, "footage_b": found.bytes}


lists_by_default(app, list_requests)
