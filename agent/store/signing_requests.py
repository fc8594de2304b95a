"""Exports that the keeper is asked to sign, and its answers. A caller takes its request back with the answer."""
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from agent.core.evidence.ledger.claim import Claim
from agent.core.evidence.ledger.row import canonical

KEPT_N = 100            # requests and answers that were not taken back
_signatures = msgspec.json.Decoder(dict[str, bytes])


@dataclass(frozen=True, slots=True)
class SigningAnswer:
    """The keeper's answer: a signed manifest, or why it refuses."""

    manifest: bytes = b""
    signatures: Mapping[str, bytes] = field(default_factory=dict)      # by file name: core.evidence.ledger.seals
    why: str = ""


def ask(db: sqlite3.Connection, claim: Claim) -> int:
    cursor = db.execute("INSERT INTO signing_request (state, claim) VALUES ('asked', ?)", (canonical(claim),))
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def answer(db: sqlite3.Connection, number: int) -> SigningAnswer | None:
    row = db.execute("SELECT state, why, manifest, signatures FROM signing_request WHERE n = ?", (number,)).fetchone()
    if row is None:
        return SigningAnswer(why="the request was lost, maybe with a damaged database: ask again")
    if row["state"] == "signed":
        return SigningAnswer(row["manifest"], _signatures.decode(row["signatures"]))
    return SigningAnswer(why=row["why"]) if row["state"] == "refused" else None


def take_back(db: sqlite3.Connection, number: int) -> None:
    db.execute("DELETE FROM signing_request WHERE n = ?", (number,))


def next_asked(db: sqlite3.Connection) -> tuple[int, bytes] | None:
    row = db.execute("SELECT n, claim FROM signing_request WHERE state = 'asked' ORDER BY n LIMIT 1").fetchone()
    return (row["n"], row["claim"]) if row else None


def is_asked(db: sqlite3.Connection, number: int) -> bool:
    return db.execute("SELECT 1 FROM signing_request WHERE n = ? AND state = 'asked'", (number,)).fetchone() is not None


def sign(db: sqlite3.Connection, number: int, manifest: bytes, signatures: Mapping[str, bytes]) -> None:
    db.execute("UPDATE signing_request SET state = 'signed', manifest = ?, signatures = ? WHERE n = ?",
               (manifest, msgspec.json.encode(signatures).decode(), number))
    _forget(db)


def refuse(db: sqlite3.Connection, number: int, why: str) -> None:
    db.execute("UPDATE signing_request SET state = 'refused', why = ? WHERE n = ?", (why, number))
    _forget(db)


def _forget(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM signing_request WHERE n <= (SELECT MAX(n) FROM signing_request) - ?", (KEPT_N,))
