"""Judges damage: checks the whole database, sets spoiled rows aside, and has it rebuilt if that is not enough.

It also checks whether the card can be written at all, because a role without anything to write would not notice. Root
checks that for itself, and may restart the machine (agent/privileged/rescue_card.py).
"""
import contextlib
import json
import logging
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from agent.core.contract import wire
from agent.core.delivery.outbox import STRETCHES_MAX
from agent.core.evidence.ledger.acts import DatabaseMended
from agent.host.clock import Instant
from agent.host.files import write_durably
from agent.host.probes.volume import Abort, refuses
from agent.keeper import repair
from agent.keeper.canary import Canary
from agent.keeper.salvage import Patience
from agent.store import announce, ledger, outbox, row_check
from agent.store.damage import may_be_damage
from agent.store.database import StoreConnection, StoreError, connect, transaction
from agent.store.folders import Folders, VolumeGuard
from agent.store.row_check import SpoiledRow

ASIDE = "spoiled_rows.jsonl"            # in the keeper's folder, where no other role writes
ASIDE_B_MAX = 1_000_000                 # of the newest
ROWS_MAX = 500                          # with so many, the database is rebuilt
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 3600.0     # between two looks; doubled until no damage is reported

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class DamageJudge:
    """Checks the database when another role has met damage in it and it is time."""

    folders: Folders
    asked: bool = False
    in_vain_n: int = 0                  # looks in a row that did not explain the errors
    _wait_s: float = 0.0
    _next_mono_s: float = float("-inf")

    def is_unclear(self, now: Instant) -> bool:
        """Whether errors continue although the database is sound."""
        return self.in_vain_n > 1 and now.mono_ms / 1000 < self._next_mono_s + LONGEST_WAIT_S

    def ask(self) -> None:
        """Called if a role has met damage, or twice what may be damage."""
        self.asked = True

    def is_due(self, now: Instant) -> bool:
        """Whether to look now. If so, the next look is due only after a wait, however often it is asked for."""
        now_mono_s = now.mono_ms / 1000
        if not self.asked or now_mono_s < self._next_mono_s:
            return False
        if now_mono_s > self._next_mono_s + LONGEST_WAIT_S:
            self._wait_s, self.in_vain_n = 0.0, 0
        self._wait_s = min(max(2 * self._wait_s, FIRST_WAIT_S), LONGEST_WAIT_S)
        self._next_mono_s = now_mono_s + self._wait_s
        return True

    def look(self, db: StoreConnection, now: Instant, patience: Patience) -> tuple[StoreConnection, str] | None:
        """Returns the database to use, and where spoiled rows went; None if it is sound. Raises as `repair.rebuild`."""
        found = self._look(db, now, patience)
        self.asked, self.in_vain_n = False, 0 if found else self.in_vain_n + 1
        if found is None:
            _log.error("%s: there were errors as from damage, but all of it is sound", db.path)
        return found

    def _look(self, db: StoreConnection, now: Instant, patience: Patience) -> tuple[StoreConnection, str] | None:
        try:
            # On a connection of its own, because the open one uses the schema as it was.
            with contextlib.closing(connect(self.folders.root)) as fresh:
                fresh.signer = db.signer
                if repair.is_sound(fresh):
                    if changes := repair.cleared(fresh, self.folders):
                        return db, changes
                    rows = list(islice(row_check.spoiled(fresh, row_check.forms_of(), patience), ROWS_MAX))
                    if 0 < len(rows) < ROWS_MAX:
                        return db, self._set_aside(fresh, rows, now)
                    if not rows and repair.is_sound(fresh, "integrity_check"):
                        return None
        except (StoreError, sqlite3.Error, ValueError) as error:
            if not may_be_damage(error):
                raise
            _log.error("%s: %s", db.path, error)
        made = repair.reopened(self.folders, patience)
        db.close()
        return made

    def _set_aside(self, db: StoreConnection, rows: Sequence[SpoiledRow], now: Instant) -> str:
        """Moves the rows to ASIDE and reports it. Returns where and how many. Raises ValueError, and as `look`."""
        counts = Counter(row.form.name for row in rows)
        summary = ", ".join(f"{name} {n}" for name, n in sorted(counts.items()))
        self._keep(rows)
        head, seqs = ledger.head(db), [row.key[0] for row in rows if row.form.name == "outbox"]
        db.execute("PRAGMA foreign_keys = OFF")     # the sweep removes dangling rows, and adopts the clips' files
        with transaction(db):
            for row in rows:
                _delete(db, row)
            announce.storage(db, now, repair.CODE, over=True, detail=f"spoiled rows: {summary}")
            if seqs:
                outbox.append(db, "gap", None, now, wire.encode(wire.GapData(
                    code="not_kept", missing=[(seq, seq) for seq in seqs[:STRETCHES_MAX]], n=len(seqs))))
            if head.n:
                ledger.note(db, now, DatabaseMended(ledger_n=head.n, torn=sorted(counts)))
        if any(row_check.spoiled(db, {row.form.name: row.form for row in rows})):
            raise ValueError("some rows are not found by their keys")
        _log.error("%s: spoiled rows were moved to keys/%s: %s", db.path, ASIDE, summary)
        return f"{ASIDE}: {summary}"

    def _keep(self, rows: Sequence[SpoiledRow]) -> None:
        """Appends the rows to ASIDE for an expert. Raises OSError."""
        path = self.folders.keys / ASIDE
        lines = [json.dumps([row.form.name, row.flaw, dict(zip(row.form.columns, row.values, strict=True))],
                            default=bytes.hex)[:ASIDE_B_MAX] + "\n" for row in rows]
        kept = path.read_bytes() if path.exists() else b""
        write_durably(path, (kept + "".join(lines).encode())[-ASIDE_B_MAX:], 0o600)


def _delete(db: sqlite3.Connection, row: SpoiledRow) -> None:
    """Deletes the row, unless it has been corrected or deleted in the meantime."""
    form, same = row.form, " AND ".join(f"{name} IS {'CAST(? AS TEXT)' if isinstance(value, bytes) else '?'}"
                                        for name, value in zip(row.form.found_by, row.key, strict=True))
    with row_check.as_written(db):
        held = db.execute(f"SELECT {', '.join(form.columns)} FROM {form.name} WHERE {same}", row.key).fetchall()
    if form.flaw(form.columns, held):
        db.execute(f"DELETE FROM {form.name} WHERE {same}", row.key)


class CardWatch:
    def __init__(self, folders: Folders) -> None:
        self.refuses = False            # it accepted no new file at the last look
        self.canary, self.volume, self.damage = Canary(folders), VolumeGuard(folders), DamageJudge(folders)
        self._root, self._abort = folders.root, Abort(folders.root)

    def look(self, failed: bool) -> None:
        """Checks whether the card refuses new files; `failed`: it has returned an error."""
        self.refuses = self._abort.seen() or (failed and refuses(self._root))
