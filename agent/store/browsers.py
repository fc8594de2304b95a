"""Browsers that the household has paired; only the digest of each one's token is kept."""
import hashlib
import sqlite3


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def pair(db: sqlite3.Connection, token: str, name: str, now_wall_ms: int, most_n: int = 50) -> None:
    """Remember a browser by its token; the oldest beyond `most_n` are forgotten."""
    db.execute("INSERT OR REPLACE INTO browser (token_sha256, name, paired_wall_ms) VALUES (?, ?, ?)",
               (_digest(token), name[:80], now_wall_ms))
    db.execute("DELETE FROM browser WHERE token_sha256 NOT IN "
               "(SELECT token_sha256 FROM browser ORDER BY paired_wall_ms DESC LIMIT ?)", (most_n,))


def knows(db: sqlite3.Connection, token: str) -> bool:
    """Whether a browser with this token was paired."""
    return db.execute("SELECT 1 FROM browser WHERE token_sha256 = ?", (_digest(token),)).fetchone() is not None


def forget_all(db: sqlite3.Connection) -> int:
    """Un-pair every browser, for a new pairing code. Returns how many there were."""
    return db.execute("DELETE FROM browser").rowcount
