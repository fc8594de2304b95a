"""The device's pairing code, and the browsers that were paired by it; only the digest of each one's token is kept."""
import hashlib
import secrets
import sqlite3

from agent.core.evidence.ledger import BrowserPaired
from agent.core.household import access
from agent.host.clock import Instant
from agent.store import ledger, meta
from agent.store.database import transaction

LEDGER_DIGITS = 12


def pairing_code(db: sqlite3.Connection) -> str:
    """The device's code, made at its first use and kept, so that it can be shown again."""
    if code := meta.get(db, access.CODE_KEY):
        return code
    with transaction(db):
        code = meta.get(db, access.CODE_KEY) or access.code_from(secrets.token_bytes(access.CODE_RANDOM_B))
        meta.put(db, access.CODE_KEY, code)
    return code


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def pair(db: sqlite3.Connection, token: str, name: str, now: Instant, most_n: int = 50) -> None:
    """Remember a browser by its token; the oldest beyond `most_n` are forgotten. Within the caller's transaction."""
    db.execute("INSERT OR REPLACE INTO browser (token_sha256, name, paired_wall_ms) VALUES (?, ?, ?)",
               (_digest(token), name[:80], now.wall_ms))
    db.execute("DELETE FROM browser WHERE token_sha256 NOT IN "
               "(SELECT token_sha256 FROM browser ORDER BY paired_wall_ms DESC LIMIT ?)", (most_n,))
    ledger.note(db, now, BrowserPaired(browser=_digest(token)[:LEDGER_DIGITS]))


def knows(db: sqlite3.Connection, token: str) -> bool:
    """Whether a browser with this token was paired."""
    return db.execute("SELECT 1 FROM browser WHERE token_sha256 = ?", (_digest(token),)).fetchone() is not None
