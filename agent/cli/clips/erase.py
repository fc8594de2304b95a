"""`taimat clips erase`: recordings go at once, and with a day's last one the key to what a card may hold of it."""
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import Config, From, To, Yes
from agent.cli.own_decisions import open_decisions
from agent.cli.terminal import console, count, size
from agent.cli.times import moment_ms
from agent.core.contract.facts import Poke
from agent.host.clock import SystemClock
from agent.host.datagram import Outlet
from agent.store import erase as erased
from agent.store.clips import Clip

EXIT_LATER = 1
EVER_MS = 1 << 52
WAIT_S, LOOK_EVERY_S = 20.0, 0.5


ErasedCamera = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", show_default=False, help="Whose recordings. Without it, those of all.")]
Everything = Annotated[bool, typer.Option("--all", help="All that there is.")]
AlsoHeld = Annotated[bool, typer.Option("--held", help="Also what is on hold.")]


def erase(camera: ErasedCamera = None, since: From = None, until: To = None, everything: Everything = False,
          held: AlsoHeld = False, yes: Yes = False, config: Config = None) -> None:
    """Erase recordings for good: at once from the page, and with a day's last one the key that opens what is left."""
    settings, _, own, db = open_decisions(config)
    now, out = SystemClock().now(), console()
    begin_ms, end_ms = _range_ms(since, until, everything, now.wall_ms)
    found = erased.find(db, camera, begin_ms, end_ms)
    doomed = sorted(found.free + (found.held if held else []), key=lambda clip: clip.seq)
    if found.held and not held:
        out.print(f"[yellow]on hold, so not erased: {count(len(found.held), 'clip')}[/yellow] "
                  "(taimat clips holds tells why; --held erases them, too)")
    if found.open_n:
        out.print(f"[yellow]being recorded now, so not erased: {count(found.open_n, 'clip')}[/yellow]; to erase them, "
                  "pause the camera first: taimat pause")
    if not doomed:
        out.print("nothing to erase")
        return
    told = f"{count(len(doomed), 'clip')} ({size(sum(clip.bytes or 0 for clip in doomed))})"
    if not yes:
        typer.confirm(f"Erase {told} for good?", abort=True)
    erased.condemn(own, db, doomed, now)
    Outlet(Path(settings.store.runtime)).send(Poke(what="erase"), "keeper")
    if not _removed(db, doomed):
        out.print(f"{told}: not shown any more, and [yellow]the files go as soon as the keeper runs[/yellow] "
                  "(systemctl status taimat-keeper, or taimat run)")
        raise typer.Exit(EXIT_LATER)
    out.print(f"[green]erased[/green]  {told}")


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
    """Wait a while for the keeper."""
    until_s = time.monotonic() + WAIT_S
    while erased.left_n(db, doomed):
        if time.monotonic() > until_s:
            return False
        time.sleep(LOOK_EVERY_S)
    return True
