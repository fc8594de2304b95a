"""Which rows of the ledger this device has signed: the table is in a database that every role may write.

The key is the keeper's own, which no other role can read, and not what the database calls it.
"""
import sqlite3
from dataclasses import dataclass, field

from agent.core.evidence.ledger import KeyChange, LedgerLine, decode, message
from agent.core.evidence.ledger.row import chained
from agent.host.command_key import verifies
from agent.keeper.key import FILE, KeyFault, load_or_make, public
from agent.store import ledger
from agent.store.folders import Folders


@dataclass(slots=True)
class Voucher:
    """Says of a row whether it is the device's own, also one of before its key was lost. Fits store.bound.Vouches."""

    folders: Folders
    _keys: list[bytes] = field(default_factory=list)
    _is_all: bool = False               # the keys of before are known, too

    def __call__(self, db: sqlite3.Connection, line: LedgerLine) -> bool:
        """Whether it is. Without a key nothing is. Raises sqlite3.Error."""
        return chained(line.prev, line.doc) == line.hash and (
            self._holds(self._own(), line) or self._holds(self._all(db), line))

    def _holds(self, keys: list[bytes], line: LedgerLine) -> bool:
        return any(verifies(key, line.sig, message(line.hash)) for key in keys)

    def _own(self) -> list[bytes]:
        if not self._keys and (self.folders.keys / FILE).exists():
            try:
                self._keys = [public(load_or_make(self.folders.keys))]
            except (KeyFault, OSError):         # the ledger's writer tells of it
                return []
        return self._keys

    def _all(self, db: sqlite3.Connection) -> list[bytes]:
        """Each change of keys is signed with the newer one, and names the older: the newest change comes first."""
        if self._keys and not self._is_all:
            self._is_all = True
            rows = db.execute(f"SELECT {ledger.LINES} FROM ledger WHERE INSTR(doc, ?) ORDER BY n DESC",
                              (f'"kind":"{KeyChange.KIND}"'.encode(),))
            for line in (LedgerLine(*row) for row in rows):
                row = decode(line.doc) if chained(line.prev, line.doc) == line.hash else None
                if row and row.kind == KeyChange.KIND and not row.act_n and self._holds(self._keys[-1:], line):
                    self._keys.append(bytes.fromhex(row.body["was"]))
        return self._keys
