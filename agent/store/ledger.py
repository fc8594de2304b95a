"""The ledger's tables: roles note acts, each in its own transaction; the keeper alone makes signed rows of them.

Two tables, so that roles never race for the ledger's head: `act` is the queue of all but the keeper, `ledger` only
grows. The keeper's own database has a `ledger`, too: copies of the newest rows about decisions.
"""
import hmac
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import methodcaller
from typing import Any

import msgspec

from agent.core import json_door
from agent.core.evidence.ledger import LedgerLine, NotCanonical, Row, RowHead, RowMoment, canonical, decode
from agent.core.evidence.ledger.acts import Act, Unauthorised, is_of_all_roles
from agent.core.evidence.ledger.clocks import RIGHT
from agent.core.evidence.ledger.row import WHOLE_MAX
from agent.host.clock import Instant
from agent.store.row_check import as_written

KEY = "ledger_key"              # in meta: the public key, hex; for the page and the health report, not for trust
LINES = "n, doc, prev, hash, sig"


def note(db: sqlite3.Connection, when: Instant, act: Act) -> None:
    """Note an act in the caller's transaction: it is noted exactly if it is done.

    The keeper's own connection has a signer, which makes a signed row of it at once. Where it has no key to sign with,
    the act waits with its mark, as what the keeper alone may do counts with that only. Others' acts wait for seconds.
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
    """The bytes that the mark is of: the number, too, so that no copy of an act counts once more."""
    return json.dumps(values).encode()


def waiting(db: sqlite3.Connection, limit: int = -1) -> list[Row]:
    """Acts that are not signed yet, oldest first, as rows without number, device and sealing; -1: all.

    For the keeper, an act of its own alone that has no mark is one that nobody was entitled to.
    """
    mark = getattr(getattr(db, "signer", None), "mark", None)
    with as_written(db, methodcaller("decode", errors="backslashreplace")):
        return [_row(act, mark) for act in db.execute("SELECT * FROM act ORDER BY id LIMIT ?", (limit,))]


def _row(act: sqlite3.Row, mark: Callable[[bytes], bytes] | None) -> Row:
    """A body that is no JSON of ours is kept as text: whoever wrote it must not hold up what comes after it."""
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
    """These acts are in the ledger now."""
    db.execute("DELETE FROM act WHERE id <= ?", (upto,))


def noted_n(db: sqlite3.Connection) -> int:
    """How many acts were ever noted."""
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'act'").fetchone()
    return row["seq"] if row else 0


def last_act_n(db: sqlite3.Connection) -> int:
    """The number of the newest act that is signed; 0 if there is none."""
    return next((row.act_n for line in lines_back(db) if (row := decode(line.doc)) and row.act_n), 0)


def append(db: sqlite3.Connection, lines: Iterable[LedgerLine]) -> None:
    """Add rows behind the head; whatever lies there is nobody's."""
    db.executemany(f"INSERT OR REPLACE INTO ledger ({LINES}) VALUES (?, ?, ?, ?, ?)",
                   ((line.n, line.doc, line.prev, line.hash, line.sig) for line in lines))


def newest(db: sqlite3.Connection, upto_n: int = WHOLE_MAX) -> LedgerLine | None:
    """The last row."""
    row = db.execute(f"SELECT {LINES} FROM ledger WHERE n <= ? ORDER BY n DESC LIMIT 1", (upto_n,)).fetchone()
    return LedgerLine(*row) if row else None


def last_right(db: sqlite3.Connection) -> RowMoment | None:
    """When the newest row was sealed by a clock that the network kept; None if there is none."""
    docs = db.execute("SELECT doc FROM ledger WHERE INSTR(doc, ?) ORDER BY n DESC", (f'"clock":"{RIGHT}"'.encode(),))
    moments = (row.sealed for (doc,) in docs if (row := decode(doc)))
    return next((moment for moment in moments if moment.clock == RIGHT), None)


def head(db: sqlite3.Connection) -> RowHead:
    """Where the next row follows."""
    line = newest(db)
    return RowHead(line.n, line.hash) if line else RowHead()


def lines(db: sqlite3.Connection, after_n: int = 0) -> Iterator[LedgerLine]:
    """All rows behind `after_n`, in order."""
    return (LedgerLine(*row) for row in db.execute(f"SELECT {LINES} FROM ledger WHERE n > ? ORDER BY n", (after_n,)))


def numbered(db: sqlite3.Connection, numbers: Sequence[int]) -> set[LedgerLine]:
    """The rows that have these numbers."""
    rows = db.execute(f"SELECT {LINES} FROM ledger WHERE n IN (SELECT value FROM json_each(?))", (json.dumps(numbers),))
    return {LedgerLine(*row) for row in rows}


def lines_back(db: sqlite3.Connection, before_n: int = WHOLE_MAX) -> Iterator[LedgerLine]:
    """All rows before `before_n`, the newest first."""
    rows = db.execute(f"SELECT {LINES} FROM ledger WHERE n < ? ORDER BY n DESC", (before_n,))
    return (LedgerLine(*row) for row in rows)
