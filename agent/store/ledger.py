"""The ledger's tables: roles note acts in their own transactions; only the keeper makes signed rows of them.

There are two tables, so that roles never race for the ledger's head: `act` is the queue of all roles but the keeper,
and `ledger` only grows. The keeper's own database has a `ledger` too: copies of the newest rows about decisions.
"""
import hmac
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import methodcaller
from typing import Any

import msgspec

from agent.core import json_door
from agent.core.evidence.ledger.acts import Act, Unauthorised, is_of_all_roles
from agent.core.evidence.ledger.clocks import RIGHT
from agent.core.evidence.ledger.row import (
    WHOLE_MAX,
    LedgerLine,
    NotCanonical,
    Row,
    RowHead,
    RowMoment,
    canonical,
    decode,
)
from agent.host.clock import Instant
from agent.store.row_check import as_written

KEY = "ledger_key"              # in meta: the public key, hex; for the page and the health report, not for trust
LINES = "n, doc, prev, hash, sig"


def note(db: sqlite3.Connection, when: Instant, act: Act) -> None:
    """Notes an act in the caller's transaction, so it is noted exactly if it is done. The keeper's own connection has a
    signer, which makes a signed row at once. Without a key to sign with, the act waits with the keeper's mark, without
    which an act of the keeper's does not count. Acts of other roles wait for seconds.
    """
    signer = getattr(db, "signer", None)
    if signer and signer.sign(db, when, act):
        return
    values = (act.KIND, when.boot, when.mono_ms, when.wall_ms, when.clock, canonical(act).decode())
    cursor = db.execute("INSERT INTO act (kind, boot, mono_ms, wall_ms, clock, body) VALUES (?, ?, ?, ?, ?, ?)", values)
    if signer:
        db.execute("UPDATE act SET mark = ? WHERE id = ?",
                   (signer.mark(_marked(cursor.lastrowid, *values)), cursor.lastrowid))


def _marked(*values: str | int | None) -> bytes:
    """Returns the bytes to be marked: with the number, so that a copy of an act does not count again."""
    return json.dumps(values).encode()


def waiting(db: sqlite3.Connection, limit: int = -1) -> list[Row]:
    """Lists acts that are not signed yet, oldest first, as rows without number, device and sealing; -1: all. For the
    keeper, an act that only the keeper may do, and that has no mark, becomes Unauthorised.
    """
    mark = getattr(getattr(db, "signer", None), "mark", None)
    with as_written(db, methodcaller("decode", errors="backslashreplace")):
        return [_row(act, mark) for act in db.execute("SELECT * FROM act ORDER BY id LIMIT ?", (limit,))]


def _row(act: sqlite3.Row, mark: Callable[[bytes], bytes] | None) -> Row:
    """A body that is not our JSON is kept as text, so that it does not delay later acts."""
    at = RowMoment(boot=act["boot"], mono_ms=act["mono_ms"], wall_ms=act["wall_ms"], clock=act["clock"])
    kind, body = act["kind"], _body(act["body"])
    needs_mark = mark is not None and not is_of_all_roles(kind, body)
    if needs_mark and not hmac.compare_digest(act["mark"] or b"", mark(_marked(*act[:-1]))):
        kind, body = Unauthorised.KIND, {"claimed": kind, "body": body}
    return Row(n=0, dev="", kind=kind, act_n=act["id"], at=at, sealed=at, body=body)


def _body(text: str) -> dict[str, Any]:
    try:
        body = json_door.read(text, dict[str, Any])
        canonical(body)
    except (msgspec.DecodeError, NotCanonical):
        return {"unreadable": text}
    return body


def settle(db: sqlite3.Connection, upto: int) -> None:
    db.execute("DELETE FROM act WHERE id <= ?", (upto,))


def noted_n(db: sqlite3.Connection) -> int:
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'act'").fetchone()
    return row["seq"] if row else 0


def last_act_n(db: sqlite3.Connection) -> int:
    return next((row.act_n for line in lines_back(db) if (row := decode(line.doc)) and row.act_n), 0)


def append(db: sqlite3.Connection, lines: Iterable[LedgerLine]) -> None:
    """Adds rows behind the head. It replaces rows there, which the keeper did not write."""
    db.executemany(f"INSERT OR REPLACE INTO ledger ({LINES}) VALUES (?, ?, ?, ?, ?)",
                   ((line.n, line.doc, line.prev, line.hash, line.sig) for line in lines))


def newest(db: sqlite3.Connection, upto_n: int = WHOLE_MAX) -> LedgerLine | None:
    row = db.execute(f"SELECT {LINES} FROM ledger WHERE n <= ? ORDER BY n DESC LIMIT 1", (upto_n,)).fetchone()
    return LedgerLine(*row) if row else None


def last_right(db: sqlite3.Connection) -> RowMoment | None:
    """Returns when the newest row was sealed with the network's time; None without such a row."""
    docs = db.execute("SELECT doc FROM ledger WHERE INSTR(doc, ?) ORDER BY n DESC", (f'"clock":"{RIGHT}"'.encode(),))
    moments = (row.sealed for (doc,) in docs if (row := decode(doc)))
    return next((moment for moment in moments if moment.clock == RIGHT), None)


def head(db: sqlite3.Connection) -> RowHead:
    line = newest(db)
    return RowHead(line.n, line.hash) if line else RowHead()


def lines(db: sqlite3.Connection, after_n: int = 0) -> Iterator[LedgerLine]:
    return (LedgerLine(*row) for row in db.execute(f"SELECT {LINES} FROM ledger WHERE n > ? ORDER BY n", (after_n,)))


def numbered(db: sqlite3.Connection, numbers: Sequence[int]) -> set[LedgerLine]:
    rows = db.execute(f"SELECT {LINES} FROM ledger WHERE n IN (SELECT value FROM json_each(?))", (json.dumps(numbers),))
    return {LedgerLine(*row) for row in rows}


def lines_back(db: sqlite3.Connection, before_n: int = WHOLE_MAX) -> Iterator[LedgerLine]:
    rows = db.execute(f"SELECT {LINES} FROM ledger WHERE n < ? ORDER BY n DESC", (before_n,))
    return (LedgerLine(*row) for row in rows)
