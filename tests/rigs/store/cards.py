"""Stores to check: clips that are as good as real ones, and what a check, or the sweep, makes of a card."""
import sqlite3

from agent.capture.row_queue import RowQueue
from agent.cli.verify import CardContent, read_card
from agent.core.evidence.encrypted import FileKey
from agent.core.evidence.ledger.card_check import check_card
from agent.core.evidence.ledger.check import check
from agent.core.evidence.ledger.findings import Flaw
from agent.core.evidence.ledger.row import Row, decode
from agent.host.clock import Clock, Instant
from agent.host.command_key import verifies
from agent.host.datagram import Outlet
from agent.store import clips, ledger
from agent.store.folders import Folders
from agent.store.sweep import Sweep
from tests.conftest import HandClock


def film(db: sqlite3.Connection, folders: Folders, clock: Clock, content: bytes) -> str:
    """A finished clip of a second with this content; returns its name."""
    seq, name = clips.open_row(db, "gate", "motion", clock.now(), "h264", 320, 180)
    path = folders.clip(seq, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    clips.finish(db, seq, "done", 1000, len(content), 10)
    return name


def look(folders: Folders) -> CardContent:
    """The card as the check reads it."""
    return read_card(folders.root, lambda clips_n: None)


def all_acts(db: sqlite3.Connection) -> list[Row]:
    """All that was noted: the ledger's rows, and what waits for the keeper."""
    return [*(row for line in ledger.lines(db) if (row := decode(line.doc))), *ledger.waiting(db)]


def findings(folders: Folders) -> list[Flaw]:
    """All that does not hold."""
    seen = look(folders)
    checked = check(seen.lines, verifies, told_key=seen.key, waiting=seen.waiting, noted_n=seen.noted_n)
    return [*checked.findings, *check_card(checked, seen.shelf)]


def swept(db: sqlite3.Connection, folders: Folders, now: Instant, file_key: FileKey) -> tuple[int, int]:
    """Walk over all of it; returns how many files had no row, and how many rows no file."""
    walk = Sweep(db, folders, file_key)
    assert walk.go_on(now)
    return walk.adopted_n, walk.missing_n


def codes(folders: Folders) -> set[str]:
    """What kinds of things do not hold."""
    return {finding.code.value for finding in findings(folders)}


def go_behind_the_card(folders: Folders, clock: HandClock) -> None:
    """What a recorder does before it numbers its first clip."""
    rows = RowQueue(folders, clock, Outlet(folders.root))
    rows.open()
    assert rows.commit()
    rows.close()
