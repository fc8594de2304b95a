"""The one judge of damage: looks at all of the database, sets spoiled rows aside, and has it mended where that is not
enough.
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
from agent.core.evidence.ledger import DatabaseMended
from agent.host.clock import Instant
from agent.host.files import write_durably
from agent.keeper import repair
from agent.keeper.salvage import Patience
from agent.store import announce, ledger, outbox, row_check
from agent.store.damage import may_be_damage
from agent.store.database import StoreConnection, StoreError, connect, transaction
from agent.store.folders import Folders
from agent.store.row_check import SpoiledRow

ASIDE = "spoiled_rows.jsonl"            # in the keeper's folder, where no other role writes
ASIDE_B_MAX = 1_000_000                 # of the newest
ROWS_MAX = 500                          # so many are no business of single rows
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 3600.0     # from one look to the next, doubled each time until it is calm

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class DamageJudge:
    """Looks at the database when somebody has met damage in it, and it is time."""

    folders: Folders
    asked: bool = False
    in_vain_n: int = 0                  # looks in a row that found nothing to explain the errors
    _wait_s: float = 0.0
    _next_mono_s: float = float("-inf")

    def is_unclear(self, now: Instant) -> bool:
        """Whether errors go on in a database that is sound."""
        return self.in_vain_n > 1 and now.mono_ms / 1000 < self._next_mono_s + LONGEST_WAIT_S

    def ask(self) -> None:
        """Somebody has met damage, or twice what may be."""
        self.asked = True

    def is_due(self, now: Instant) -> bool:
        """Whether to look now; the next time is then not before a while, however often it is asked for."""
        now_mono_s = now.mono_ms / 1000
        if not self.asked or now_mono_s < self._next_mono_s:
            return False
        if now_mono_s > self._next_mono_s + LONGEST_WAIT_S:
            self._wait_s, self.in_vain_n = 0.0, 0
        self._wait_s = min(max(2 * self._wait_s, FIRST_WAIT_S), LONGEST_WAIT_S)
        self._next_mono_s = now_mono_s + self._wait_s
        return True

    def look(self, db: StoreConnection, now: Instant, patience: Patience) -> tuple[StoreConnection, str] | None:
        """The database to go on with, and where went what was spoiled; None: nothing was found.

        Raises StoreError, OSError and sqlite3.Error: then it is looked at again.
        """
        found = self._look(db, now, patience)
        self.asked, self.in_vain_n = False, 0 if found else self.in_vain_n + 1
        if found is None:
            _log.error("%s: errors that damage may explain, and all of it is sound", db.path)
        return found

    def _look(self, db: StoreConnection, now: Instant, patience: Patience) -> tuple[StoreConnection, str] | None:
        try:
            # By a connection of its own: the one that is open goes by the schema as it was.
            with contextlib.closing(connect(self.folders.root)) as fresh:
                fresh.signer = db.signer
                if repair.is_sound(fresh):
                    if told := repair.cleared(fresh, self.folders):
                        return db, told
                    rows = list(islice(row_check.spoiled(fresh, row_check.forms_of(), patience), ROWS_MAX))
                    if 0 < len(rows) < ROWS_MAX:
                        return db, self._set_aside(fresh, rows, now)
                    if not rows and repair.is_sound(fresh, "integrity_check"):
                        return None
        except (StoreError, sqlite3.Error, ValueError) as error:
            if not may_be_damage(error):
                raise
            _log.error("%s: %s", db.path, error)
        made = repair.mended(self.folders, patience)
        db.close()
        return made

    def _set_aside(self, db: StoreConnection, rows: Sequence[SpoiledRow], now: Instant) -> str:
        """Keep what they hold, take them out, and tell; returns where, and how many. Raises ValueError, and as `look`.
        """
        counts = Counter(row.form.name for row in rows)
        told = ", ".join(f"{name} {n}" for name, n in sorted(counts.items()))
        self._keep(rows)
        head, seqs = ledger.head(db), [row.key[0] for row in rows if row.form.name == "outbox"]
        db.execute("PRAGMA foreign_keys = OFF")     # the sweep removes what leads nowhere, and adopts the clips' files
        with transaction(db):
            for row in rows:
                _delete(db, row)
            announce.storage(db, now, repair.CODE, over=True, detail=f"spoiled rows: {told}")
            if seqs:
                outbox.append(db, "gap", None, now, wire.encode(wire.GapData(
                    code="not_kept", missing=[(seq, seq) for seq in seqs[:STRETCHES_MAX]], n=len(seqs))))
            if head.n:
                ledger.note(db, now, DatabaseMended(ledger_n=head.n, torn=sorted(counts)))
        if any(row_check.spoiled(db, {row.form.name: row.form for row in rows})):
            raise ValueError("there are rows that their keys don't lead to")
        _log.error("%s: rows hold what nobody has written, and lie in keys/%s now: %s", db.path, ASIDE, told)
        return f"{ASIDE}: {told}"

    def _keep(self, rows: Sequence[SpoiledRow]) -> None:
        """For an expert. Raises OSError."""
        path = self.folders.keys / ASIDE
        lines = [json.dumps([row.form.name, row.flaw, dict(zip(row.form.columns, row.values, strict=True))],
                            default=bytes.hex)[:ASIDE_B_MAX] + "\n" for row in rows]
        kept = path.read_bytes() if path.exists() else b""
        write_durably(path, (kept + "".join(lines).encode())[-ASIDE_B_MAX:], 0o600)


def _delete(db: sqlite3.Connection, row: SpoiledRow) -> None:
    """Unless somebody has put it right meanwhile, or taken it out."""
    form, same = row.form, " AND ".join(f"{name} IS {'CAST(? AS TEXT)' if isinstance(value, bytes) else '?'}"
                                        for name, value in zip(row.form.found_by, row.key, strict=True))
    with row_check.as_written(db):
        held = db.execute(f"SELECT {', '.join(form.columns)} FROM {form.name} WHERE {same}", row.key).fetchall()
    if form.flaw(form.columns, held):
        db.execute(f"DELETE FROM {form.name} WHERE {same}", row.key)
