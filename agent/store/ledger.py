"""The ledger's tables: roles note acts, each in its own transaction; the keeper alone makes signed rows of them.

Two tables, so that roles never race for the ledger's head: `deed` is the queue, `ledger` only grows.
"""
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from agent.core.evidence.ledger import Head, Line, Moment, NotCanonical, Row, canonical, decode
from agent.core.evidence.ledger.acts import Act
from agent.core.evidence.ledger.clocks import RIGHT
from agent.core.evidence.ledger.row import WHOLE_MAX
from agent.host.clock import Instant

KEY = "ledger_key"              # in meta: the public key, hex; for the page and the health report, not for trust
LINES = "n, doc, prev, hash, sig"


def note(db: sqlite3.Connection, when: Instant, act: Act) -> None:
    """Note an act in the caller's transaction: it is noted exactly if it is done. The keeper signs it in seconds."""
    db.execute("INSERT INTO deed (kind, boot, mono_ms, wall_ms, clock, body) VALUES (?, ?, ?, ?, ?, ?)",
               (act.KIND, when.boot, when.mono_ms, when.wall_ms, when.clock, canonical(act).decode()))


def waiting(db: sqlite3.Connection, limit: int = -1) -> list[Row]:
    """Acts that are not signed yet, oldest first, as rows without number, device and sealing; -1: all."""
    return [_row(deed) for deed in db.execute("SELECT * FROM deed ORDER BY id LIMIT ?", (limit,))]


def _row(deed: sqlite3.Row) -> Row:
    """A body that is no JSON of ours is kept as text: whoever wrote it must not hold up what comes after it."""
    at = Moment(boot=deed["boot"], mono_ms=deed["mono_ms"], wall_ms=deed["wall_ms"], clock=deed["clock"])
    return Row(n=0, dev="", kind=deed["kind"], deed=deed["id"], at=at, sealed=at,
               body=_body(deed["body"]))


def _body(text: str) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(text, type=dict[str, Any])
        canonical(body)
    except (msgspec.DecodeError, NotCanonical):
        return {"unreadable": text}
    return body


def settle(db: sqlite3.Connection, upto: int) -> None:
    """These acts are in the ledger now."""
    db.execute("DELETE FROM deed WHERE id <= ?", (upto,))


def noted_n(db: sqlite3.Connection) -> int:
    """How many acts were ever noted."""
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'deed'").fetchone()
    return row["seq"] if row else 0


def append(db: sqlite3.Connection, lines: Iterable[Line]) -> None:
    """Add rows behind the head."""
    db.executemany(f"INSERT INTO ledger ({LINES}) VALUES (?, ?, ?, ?, ?)",
                   ((line.n, line.doc, line.prev, line.hash, line.sig) for line in lines))


def newest(db: sqlite3.Connection) -> Line | None:
    """The last row."""
    row = db.execute(f"SELECT {LINES} FROM ledger ORDER BY n DESC LIMIT 1").fetchone()
    return Line(*row) if row else None


def last_right(db: sqlite3.Connection) -> Moment | None:
    """When the newest row was sealed by a clock that the network kept; None if there is none."""
    docs = db.execute("SELECT doc FROM ledger WHERE INSTR(doc, ?) ORDER BY n DESC", (f'"clock":"{RIGHT}"'.encode(),))
    moments = (row.sealed for (doc,) in docs if (row := decode(doc)))
    return next((moment for moment in moments if moment.clock == RIGHT), None)


def head(db: sqlite3.Connection) -> Head:
    """Where the next row follows."""
    line = newest(db)
    return Head(line.n, line.hash) if line else Head()


def lines(db: sqlite3.Connection, after_n: int = 0) -> Iterator[Line]:
    """All rows behind `after_n`, in order."""
    return (Line(*row) for row in db.execute(f"SELECT {LINES} FROM ledger WHERE n > ? ORDER BY n", (after_n,)))


def lines_back(db: sqlite3.Connection, before_n: int = WHOLE_MAX) -> Iterator[Line]:
    """All rows before `before_n`, the newest first."""
    return (Line(*row) for row in db.execute(f"SELECT {LINES} FROM ledger WHERE n < ? ORDER BY n DESC", (before_n,)))
