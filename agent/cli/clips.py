"""`taimat clips`: list recordings, hold and release them, erase them."""
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from typing import Annotated

import typer

from agent.cli import values
from agent.cli.options import Config, From, Json, Last, OnlyCamera, To, Yes, lists_by_default
from agent.cli.own_decisions import open_decisions
from agent.cli.place import open_store
from agent.cli.processes import poke
from agent.cli.terminal import MARKS, console, count, json_line, length, local, size, table, when
from agent.cli.typed import length_ms, moment_ms, recorded, titles
from agent.config.derived import limits
from agent.core.household.pause import TRUSTED
from agent.host.clock import Instant, SystemClock
from agent.store import boots, clips
from agent.store import erase as erased
from agent.store import holds as kept
from agent.store.clips import Clip, cameras, newest, reaching_into
from agent.store.database import StoreError
from agent.store.holds import HoldError
from agent.store.retention_queries import Space

REASON_LETTERS_MAX = 200
EXIT_LATER = 1
EVER_MS = 1 << 52
WAIT_S, LOOK_EVERY_S = 20.0, 0.5

ClipNames = Annotated[list[str] | None, typer.Argument(
    metavar="CLIP", autocompletion=values.clips, show_default=False, help="These clips.")]
HeldClips = Annotated[list[str], typer.Argument(
    metavar="CLIP", autocompletion=values.clips, show_default=False, help="Clips that are held.")]
HeldCamera = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", autocompletion=values.cameras, show_default=False,
    help="With --from: only this camera, by its name or title.")]
Reason = Annotated[str, typer.Option(
    "--reason", metavar="TEXT", show_default=False, help="The reason, such as a case number. It goes into the ledger.")]
OneReason = Annotated[str | None, typer.Option(
    "--reason", metavar="TEXT", show_default=False, help="Only release holds for this reason. Default: any reason.")]
HoldLength = Annotated[str, typer.Option("--for", metavar="LENGTH", help="The length: 12h, 30d.")]
ErasedCamera = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", autocompletion=values.cameras, show_default=False,
    help="Erase recordings of this camera. Default: of all cameras.")]
Everything = Annotated[bool, typer.Option("--all", help="Erase everything.")]
AlsoHeld = Annotated[bool, typer.Option("--held", help="Also erase held recordings.")]

app = typer.Typer(invoke_without_command=True)


def hold(reason: Reason, clip: ClipNames = None, camera: HeldCamera = None, since: From = None, until: To = None,
         length: HoldLength = "90d", config: Config = None) -> None:
    """Keep recordings for a time, even if the card needs room, up to the limit that hold_max_pct sets."""
    settings, folders, own, db = open_decisions(config)
    now, reason = SystemClock().now(), reason.strip()
    if not reason or len(reason) > REASON_LETTERS_MAX:
        raise typer.BadParameter(f"--reason takes 1 to {REASON_LETTERS_MAX} letters that say later what it was for")
    if bool(clip) == (since is not None):
        raise typer.BadParameter('say which: names of clips, or --from "2026-11-25 14:00" --to 14:10')
    name = camera and recorded(settings.camera, cameras(db), camera)
    wanted = _clips_named(db, clip) if clip else _of_time(db, name, since, until, now)
    long_ms = length_ms(length, "--for")
    until_wall_ms = now.wall_ms + long_ms if now.clock in TRUSTED else None     # else the hold has no end
    try:
        kept.place(own, db, wanted, reason, until_wall_ms=until_wall_ms, now=now,
                   ceiling_b=Space.of(folders).holds_b(limits(settings.store)))
    except HoldError as error:
        raise StoreError(str(error)) from error
    what = f"{count(len(wanted), 'clip')} ({size(sum(clip.bytes or 0 for clip in wanted))})"
    console().print(f"[green]held[/green]  {what}, {_until(until_wall_ms)}")


def release(clip: HeldClips, reason: OneReason = None, config: Config = None) -> None:
    """Release held recordings, so that they are deleted in turn like any others."""
    _, _, own, db = open_decisions(config)
    now = SystemClock().now()
    for found in _clips_named(db, clip):
        reasons = [hold.reason for hold in kept.placed(db) if hold.clip.name == found.name
                   and reason in (None, hold.reason)]
        if not kept.release(own, db, [found], now, reason):
            raise typer.BadParameter(f"{found.name} is not held{f' for {reason!r}' if reason else ''}; "
                                     "taimat clips holds lists what is")
        console().print(f"[green]released[/green]  {found.name}: {', '.join(reasons)}")


def holds(json: Json = False, config: Config = None) -> None:
    """List what is held, why and until when."""
    settings, folders, db = open_store(config)
    held = kept.placed(db)
    if json:
        for hold in held:
            json_line({"clip": hold.clip.name, "camera": hold.clip.camera, "bytes": hold.clip.bytes,
                       "reason": hold.reason, "until_wall_ms": hold.until_wall_ms})
        return
    if not held:
        console().print("[dim]nothing is held[/dim]")
        return
    rows = [(hold.clip.name, size(hold.clip.bytes), hold.reason, _until(hold.until_wall_ms).removeprefix("until "))
            for hold in held]
    table(("clip", "size", "reason", "until"), rows, right=("size",), fold=("reason",))
    if console().is_terminal:
        ceiling_b = Space.of(folders).holds_b(limits(settings.store))
        console().print(f"\n[dim]{size(kept.total_b(db))} held of {size(ceiling_b)} that may be "
                        f"(hold_max_pct = {settings.store.hold_max_pct:g})[/dim]")


def _clips_named(db: sqlite3.Connection, names: Sequence[str]) -> list[Clip]:
    found = []
    for name in names:
        if (clip := clips.get(db, name.removesuffix(".mp4"))) is None:
            raise typer.BadParameter(f"there is no clip {name}; taimat clips list tells which there are")
        found.append(clip)
    return found


def _of_time(db: sqlite3.Connection, camera: str | None, since: str | None, until: str | None,
             now: Instant) -> list[Clip]:
    begin_ms = moment_ms(str(since), "--from", now.wall_ms)
    end_ms = now.wall_ms if until is None else moment_ms(until, "--to", begin_ms)
    found = [clip for known in cameras(db) if camera in (None, known)
             for clip in reaching_into(db, known, begin_ms, end_ms)]
    if not found:
        raise typer.BadParameter("nothing was recorded then; taimat clips list tells what there is")
    return found


def _until(until_wall_ms: int | None) -> str:
    return "until it is released" if until_wall_ms is None else f"until {local(until_wall_ms)}"


def erase(camera: ErasedCamera = None, since: From = None, until: To = None, everything: Everything = False,
          held: AlsoHeld = False, yes: Yes = False, config: Config = None) -> None:
    """Erase recordings for good. The page hides them at once; with a day's last one, its key is destroyed."""
    settings, _, own, db = open_decisions(config)
    now, out = SystemClock().now(), console()
    begin_ms, end_ms = _range_ms(since, until, everything, now.wall_ms)
    found = erased.find(db, camera, begin_ms, end_ms)
    doomed = sorted(found.free + (found.held if held else []), key=lambda clip: clip.seq)
    if found.held and not held:
        out.print(f"[yellow]on hold, so not erased: {count(len(found.held), 'clip')}[/yellow] "
                  "(taimat clips holds says why; --held erases them, too)")
    if found.open_n:
        out.print(f"[yellow]being recorded now, so not erased: {count(found.open_n, 'clip')}[/yellow]; to erase them, "
                  "pause the camera first: taimat pause")
    if not doomed:
        out.print("nothing to erase")
        return
    what = f"{count(len(doomed), 'clip')} ({size(sum(clip.bytes or 0 for clip in doomed))})"
    if not yes:
        typer.confirm(f"Erase {what} for good?", abort=True)
    erased.condemn(own, db, doomed, now)
    poke(settings.store.runtime, "erase", "keeper")
    if not _removed(db, doomed):
        out.print(f"{what}: hidden, and [yellow]the files go as soon as the keeper runs[/yellow] "
                  "(systemctl status taimat-keeper, or taimat run)")
        raise typer.Exit(EXIT_LATER)
    out.print(f"[green]erased[/green]  {what}")


def _range_ms(since: str | None, until: str | None, everything: bool, now_ms: int) -> tuple[int, int]:
    if everything == (since is not None or until is not None):
        raise typer.BadParameter('say what: --from "2026-11-25 14:00" --to 14:10, or --all for all there is')
    if everything:
        return -EVER_MS, EVER_MS
    if since is None:
        raise typer.BadParameter("--to needs --from: from when on? --all erases everything")
    begin_ms = moment_ms(since, "--from", now_ms)
    end_ms = EVER_MS if until is None else moment_ms(until, "--to", begin_ms)
    if end_ms <= begin_ms:
        raise typer.BadParameter("--to comes after --from")
    return begin_ms, end_ms


def _removed(db: sqlite3.Connection, doomed: Sequence[Clip]) -> bool:
    until_s = time.monotonic() + WAIT_S
    while erased.left_n(db, doomed):
        if time.monotonic() > until_s:
            return False
        time.sleep(LOOK_EVERY_S)
    return True


@app.command("list")
def list_clips(camera: OnlyCamera = None, last: Last = 20, json: Json = False, config: Config = None) -> None:
    """List the newest clips: begin, length, size and file."""
    settings, folders, db = open_store(config)
    called = titles(settings)
    camera = camera and recorded(settings.camera, cameras(db), camera)
    shown = list(islice(newest(db, camera), last))[::-1]     # the newest last, as a terminal is read
    if json:
        for clip in shown:
            file = str(folders.clip(clip.seq, clip.name))
            json_line({**asdict(clip), "title": called.get(clip.camera, ""), "file": file})
        return
    if not shown:
        console().print("[dim]no clips yet[/dim]")
        return
    rows = [(when(clip.wall_ms, clip.mono_ms, clip.clock, boots.is_sure(db, clip.boot, clip.clock)),
             called.get(clip.camera, clip.camera), clip.kind if clip.state == "done" else f"{clip.kind}, recovered",
             length(clip.dur_ms), size(clip.bytes), str(folders.clip(clip.seq, clip.name))) for clip in shown]
    table((" began", "camera", "kind", "long", "size", "file"), rows, right=("long", "size"), fold=("file",))
    if (out := console()).is_terminal:
        count_n, count_b = clips.totals(db)
        out.print(f"\n[dim]{len(rows)} shown of {count_n} on the card, {size(count_b) or '0 B'} in all[/dim]")
        if any(row[0].startswith(("~", "?")) for row in rows):
            out.print(f"[dim]{MARKS}[/dim]")


lists_by_default(app, list_clips)
for command in (erase, hold, release, holds):
    app.command()(command)
