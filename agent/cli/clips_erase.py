"""`taimat clips erase`: recordings go at once, and with a day's last one the key to what a card may hold of it."""
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from agent.cli.footage import moment_ms
from agent.cli.place import open_store
from agent.cli.terminal import console, size
from agent.core.contract.facts import Poke
from agent.host.clock import SystemClock
from agent.host.datagram import Outlet
from agent.store import erase
from agent.store.clips import Clip

EXIT_OK, EXIT_LATER = 0, 1
EVER_MS = 1 << 52
WAIT_S, LOOK_EVERY_S = 20.0, 0.5


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line says."""

    camera: str | None
    since: str | None
    until: str | None
    everything: bool
    held: bool
    yes: bool
    config: Path | None


def run(wishes: Wishes) -> int:
    """Erase and tell. Returns 1 if the keeper has not removed the files yet.

    Raises typer.BadParameter for wishes that can't be, ConfigError, StoreError.
    """
    settings, _, db = open_store(wishes.config)
    now, out = SystemClock().now(), console()
    begin_ms, end_ms = _range_ms(wishes, now.wall_ms)
    found = erase.find(db, wishes.camera, begin_ms, end_ms)
    doomed = sorted(found.free + (found.held if wishes.held else []), key=lambda clip: clip.seq)
    if found.held and not wishes.held:
        out.print(f"[yellow]{len(found.held)} clips are on hold and stay[/yellow] "
                  "(taimat clips holds tells why; --held erases them, too)", soft_wrap=True)
    if found.open_n:
        out.print(f"[yellow]{found.open_n} clips are being recorded now and stay[/yellow]; to erase them, pause the "
                  "camera first: taimat pause", soft_wrap=True)
    if not doomed:
        out.print("nothing to erase")
        return EXIT_OK
    told = f"{len(doomed)} clips ({size(sum(clip.bytes or 0 for clip in doomed))})"
    if not wishes.yes:
        typer.confirm(f"Erase {told} for good?", abort=True)
    erase.condemn(db, doomed, now)
    Outlet(Path(settings.store.runtime)).send(Poke(what="erase"), "keeper")
    if not _removed(db, doomed):
        out.print(f"{told} are shown no more; [yellow]their files go as soon as the keeper runs[/yellow] "
                  "(systemctl status taimat-keeper, or taimat run)", soft_wrap=True)
        return EXIT_LATER
    out.print(f"[green]erased[/green]  {told}")
    return EXIT_OK


def _range_ms(wishes: Wishes, now_ms: int) -> tuple[int, int]:
    if wishes.everything == (wishes.since is not None or wishes.until is not None):
        raise typer.BadParameter('say what: --from "2026-11-25 14:00" --to 14:10, or --all for all there is')
    if wishes.everything:
        return -EVER_MS, EVER_MS
    if wishes.since is None:
        raise typer.BadParameter("--to needs --from: from when on? --all erases everything")
    begin_ms = moment_ms(wishes.since, "--from", now_ms)
    end_ms = EVER_MS if wishes.until is None else moment_ms(wishes.until, "--to", begin_ms)
    if end_ms <= begin_ms:
        raise typer.BadParameter("--to comes after --from")
    return begin_ms, end_ms


def _removed(db: sqlite3.Connection, doomed: Sequence[Clip]) -> bool:
    """Wait a while for the keeper."""
    until_s = time.monotonic() + WAIT_S
    while erase.left_n(db, doomed):
        if time.monotonic() > until_s:
            return False
        time.sleep(LOOK_EVERY_S)
    return True
