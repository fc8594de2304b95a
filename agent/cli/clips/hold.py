"""`taimat clips hold`, `release` and `holds`: recordings that no want of room may take away."""
import sqlite3
from collections.abc import Sequence
from typing import Annotated

import typer

from agent.cli.cameras import meant
from agent.cli.options import Config, From, Json, To
from agent.cli.own_decisions import open_decisions
from agent.cli.place import open_store
from agent.cli.terminal import console, count, json_line, local, size, table
from agent.cli.times import length_ms, moment_ms
from agent.config.derived import limits
from agent.core.household.pause import TRUSTED
from agent.host.clock import Instant, SystemClock
from agent.store import clips
from agent.store import holds as kept
from agent.store.clips import Clip, cameras, reaching_into
from agent.store.database import StoreError
from agent.store.holds import Hold, HoldError
from agent.store.retention_queries import Space

REASON_LETTERS_MAX = 200

ClipNames = Annotated[list[str] | None, typer.Argument(metavar="CLIP", show_default=False, help="These clips.")]
HeldClips = Annotated[list[str], typer.Argument(metavar="CLIP", show_default=False, help="Clips that are held.")]
HeldCamera = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", show_default=False, help="With --from: only this camera, by its name or its title.")]
Reason = Annotated[str, typer.Option(
    "--reason", metavar="TEXT", show_default=False, help="What for, such as a case number; it goes into the ledger.")]
OneReason = Annotated[str | None, typer.Option(
    "--reason", metavar="TEXT", show_default=False, help="Only what is held for this. Without it, for any reason.")]
HoldLength = Annotated[str, typer.Option("--for", metavar="LENGTH", help="How long: 12h, 30d.")]


def hold(reason: Reason, clip: ClipNames = None, camera: HeldCamera = None, since: From = None, until: To = None,
         length: HoldLength = "90d", config: Config = None) -> None:
    """Keep recordings whatever the card needs, for a time and within the ceiling that hold_max_pct sets."""
    settings, folders, own, db = open_decisions(config)
    now, reason = SystemClock().now(), reason.strip()
    if not reason or len(reason) > REASON_LETTERS_MAX:
        raise typer.BadParameter(f"--reason takes 1 to {REASON_LETTERS_MAX} letters that say later what it was for")
    if bool(clip) == (since is not None):
        raise typer.BadParameter('say which: names of clips, or --from "2026-11-25 14:00" --to 14:10')
    name = camera and meant(settings.camera, camera)
    wanted = _named(db, clip) if clip else _of_time(db, name, since, until, now)
    until_wall_ms = _end_ms(length, now)
    try:
        kept.place(own, db, wanted, reason, until_wall_ms, now, Space.of(folders).holds_b(limits(settings.store)))
    except HoldError as error:
        raise StoreError(str(error)) from error
    told = f"{count(len(wanted), 'clip')} ({size(sum(clip.bytes or 0 for clip in wanted))})"
    console().print(f"[green]held[/green]  {told}, {_until(until_wall_ms)}")


def release(clip: HeldClips, reason: OneReason = None, config: Config = None) -> None:
    """Let held recordings go when their time has come, like any other."""
    _, _, own, db = open_decisions(config)
    now = SystemClock().now()
    for each in _named(db, clip):
        if not (gone := kept.release(own, db, each, now, reason)):
            raise typer.BadParameter(f"{each.name} is not held{f' for {reason!r}' if reason else ''}; "
                                     "taimat clips holds lists what is")
        console().print(f"[green]released[/green]  {each.name}: {', '.join(gone)}")


def holds(json: Json = False, config: Config = None) -> None:
    """List what is held, what for and until when."""
    settings, folders, db = open_store(config)
    held = kept.placed(db)
    if json:
        for each in held:
            json_line({"clip": each.clip.name, "camera": each.clip.camera, "bytes": each.clip.bytes,
                       "reason": each.reason, "until_wall_ms": each.until_wall_ms})
        return
    if not held:
        console().print("[dim]nothing is held[/dim]")
        return
    table(("clip", "size", "reason", "until"), [_row(each) for each in held], right=("size",), fold=("reason",))
    if console().is_terminal:
        ceiling_b = Space.of(folders).holds_b(limits(settings.store))
        console().print(f"\n[dim]{size(kept.total_b(db))} held of {size(ceiling_b)} that may be "
                        f"(hold_max_pct = {settings.store.hold_max_pct:g})[/dim]")


def _named(db: sqlite3.Connection, names: Sequence[str]) -> list[Clip]:
    """Raises typer.BadParameter for a name that no clip has."""
    found = []
    for name in names:
        if (clip := clips.get(db, name.removesuffix(".mp4"))) is None:
            raise typer.BadParameter(f"there is no clip {name}; taimat clips list tells which there are")
        found.append(clip)
    return found


def _of_time(db: sqlite3.Connection, camera: str | None, since: str | None, until: str | None,
             now: Instant) -> list[Clip]:
    """The clips with footage of the time, of one camera or of all. Raises typer.BadParameter where there is none."""
    begin_ms = moment_ms(str(since), "--from", now.wall_ms)
    end_ms = now.wall_ms if until is None else moment_ms(until, "--to", begin_ms)
    found = [clip for known in cameras(db) if camera in (None, known)
             for clip in reaching_into(db, known, begin_ms, end_ms)]
    if not found:
        raise typer.BadParameter("nothing was recorded then; taimat clips list tells what there is")
    return found


def _end_ms(length: str, now: Instant) -> int | None:
    """When the hold ends on the wall clock; None while that clock can't be trusted: the hold then has no end."""
    long_ms = length_ms(length, "--for")
    return now.wall_ms + long_ms if now.clock in TRUSTED else None


def _until(until_wall_ms: int | None) -> str:
    return "until it is released" if until_wall_ms is None else f"until {local(until_wall_ms)}"


def _row(held: Hold) -> tuple[str, ...]:
    return held.clip.name, size(held.clip.bytes), held.reason, _until(held.until_wall_ms).removeprefix("until ")
