"""`taimat clips hold`, `release` and `holds`: recordings that no want of room may take away."""
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from agent.cli.footage import moment_ms
from agent.cli.pause import length_ms
from agent.cli.place import open_store
from agent.cli.terminal import console, json_line, local, size, table
from agent.config.derived import limits
from agent.core.household.pause import TRUSTED
from agent.host.clock import Instant, SystemClock
from agent.store import clips, holds
from agent.store.clips import Clip
from agent.store.database import StoreError
from agent.store.export.find import cameras, reaching_into
from agent.store.holds import Hold, HoldError
from agent.store.space import Space

REASON_LETTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line says."""

    names: Sequence[str]
    camera: str | None
    since: str | None
    until: str | None
    reason: str
    length: str
    config: Path | None


def hold(wishes: Wishes) -> None:
    """Place holds and tell. Raises typer.BadParameter for wishes that can't be, ConfigError, StoreError."""
    settings, folders, db = open_store(wishes.config)
    now, reason = SystemClock().now(), wishes.reason.strip()
    if not reason or len(reason) > REASON_LETTERS_MAX:
        raise typer.BadParameter(f"--reason takes 1 to {REASON_LETTERS_MAX} letters that say later what it was for")
    wanted = _wanted(db, wishes, now)
    until_wall_ms = _end_ms(wishes.length, now)
    try:
        holds.place(db, wanted, reason, until_wall_ms, now, Space.of(folders).holds_b(limits(settings.store)))
    except HoldError as error:
        raise StoreError(str(error)) from error
    told = f"{len(wanted)} clip{'s' if len(wanted) > 1 else ''} ({size(sum(clip.bytes or 0 for clip in wanted))})"
    console().print(f"[green]held[/green]  {told}, {_until(until_wall_ms)}", soft_wrap=True)


def release(config: Path | None, names: Sequence[str], reason: str | None) -> None:
    """Release clips, for one reason or for all. Raises typer.BadParameter, ConfigError, StoreError."""
    _, _, db = open_store(config)
    now = SystemClock().now()
    for clip in [_clip(db, name) for name in names]:
        if not (gone := holds.release(db, clip, now, reason)):
            raise typer.BadParameter(f"{clip.name} is not held{f' for {reason!r}' if reason else ''}; "
                                     "taimat clips holds lists what is")
        console().print(f"[green]released[/green]  {clip.name}: {', '.join(gone)}", soft_wrap=True)


def show(config: Path | None, as_json: bool) -> None:
    """Print the holds, those that last longest first. Raises ConfigError, StoreError."""
    settings, folders, db = open_store(config)
    held = holds.placed(db)
    if as_json:
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
        console().print(f"\n[dim]{size(holds.total_b(db))} held of {size(ceiling_b)} that may be "
                        f"(hold_max_pct = {settings.store.hold_max_pct:g})[/dim]")


def _wanted(db: sqlite3.Connection, wishes: Wishes, now: Instant) -> list[Clip]:
    """The clips that were named, or those with footage of the time."""
    if bool(wishes.names) == (wishes.since is not None):
        raise typer.BadParameter('say which: names of clips, or --from "2026-11-25 14:00" --to 14:10')
    if wishes.since is None:
        return [_clip(db, name) for name in wishes.names]
    begin_ms = moment_ms(wishes.since, "--from", now.wall_ms)
    end_ms = now.wall_ms if wishes.until is None else moment_ms(wishes.until, "--to", begin_ms)
    found = [clip for camera in cameras(db) if wishes.camera in (None, camera)
             for clip in reaching_into(db, camera, begin_ms, end_ms)]
    if not found:
        raise typer.BadParameter("nothing was recorded then; taimat clips list tells what there is")
    return found


def _clip(db: sqlite3.Connection, name: str) -> Clip:
    clip = clips.get(db, name.removesuffix(".mp4"))
    if clip is None:
        raise typer.BadParameter(f"there is no clip {name}; taimat clips list tells which there are")
    return clip


def _end_ms(length: str, now: Instant) -> int | None:
    """When it ends on the wall clock; None where that does not know the time: then nobody can say."""
    long_ms = length_ms(length)
    return now.wall_ms + long_ms if now.clock in TRUSTED else None


def _until(until_wall_ms: int | None) -> str:
    return "until it is released" if until_wall_ms is None else f"until {local(until_wall_ms)}"


def _row(held: Hold) -> tuple[str, ...]:
    return held.clip.name, size(held.clip.bytes), held.reason, _until(held.until_wall_ms).removeprefix("until ")
