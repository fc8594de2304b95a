"""The household's browsers: the pairing code, links that pair one browser, and paired ones by their tokens' digests.

A browser is an owner, which decides for the household, or a viewer. The first one is an owner. So is one that a link
pairs, because a user who can make links could make owners. Others are viewers until an owner, or root, changes that.
"""
import contextlib
import hashlib
import secrets
import sqlite3

from agent.core.contract.decisions import PairedBrowser
from agent.core.evidence.ledger.acts import BrowserPaired, BrowserUnpaired, RoleGiven
from agent.core.household import access
from agent.core.household.access import BrowserRole
from agent.host.clock import Instant
from agent.store import ledger, meta
from agent.store.database import transaction

ID_DIGITS = 12
BROWSERS_MAX = 50
LINK_MS = 60_000            # a link's life: the time to click on it
USED_STEP_MS = 3_600_000
EVER_KEY = "browser_ever"           # set with the first pairing


def pairing_code(own: sqlite3.Connection) -> str:
    """Returns the device's code, made at its first use and kept, so that it can be shown again."""
    if code := meta.get(own, access.CODE_KEY):
        return code
    with transaction(own):
        return meta.get(own, access.CODE_KEY) or _make_code(own)


def code_to_show(own: sqlite3.Connection) -> str:
    """Returns the code for the screen; "" once a browser is paired, because from then on that browser shows it."""
    return "" if own.execute("SELECT 1 FROM browser LIMIT 1").fetchone() else pairing_code(own)


def use_first_code(own: sqlite3.Connection, code: str) -> bool:
    with transaction(own):
        if meta.get(own, EVER_KEY) or own.execute("SELECT 1 FROM browser LIMIT 1").fetchone():
            return False
        meta.put(own, access.CODE_KEY, code)
    return True


def pair(own: sqlite3.Connection, db: sqlite3.Connection, name: str, now: Instant, *, as_owner: bool = False) -> str:
    """Pairs a browser; returns its token. Beyond `BROWSERS_MAX` the oldest are forgotten, viewers first. `db` is the
    shared database. Its ledger is written first: a power cut in between keeps out a browser that will try again, and
    never lets one in without a row. Raises sqlite3.Error."""
    token = secrets.token_urlsafe(32)
    digest = _digest(token)
    with transaction(own):
        meta.put(own, EVER_KEY, "1")
        is_first = own.execute("SELECT 1 FROM browser LIMIT 1").fetchone() is None
        role: BrowserRole = "owner" if as_owner or is_first else "viewer"
        own.execute("INSERT INTO browser (token_sha256, name, paired_wall_ms, used_wall_ms, role) "
                    "VALUES (?, ?, ?, ?, ?)", (digest, name[:80], now.wall_ms, now.wall_ms, role))
        own.execute("DELETE FROM browser WHERE token_sha256 NOT IN (SELECT token_sha256 FROM browser "
                    "ORDER BY token_sha256 = ? DESC, role = 'owner' DESC, paired_wall_ms DESC LIMIT ?)",
                    (digest, BROWSERS_MAX))
        with transaction(db):
            ledger.note(db, now, BrowserPaired(browser=digest[:ID_DIGITS], role=role))
    return token


def use(own: sqlite3.Connection, token: str, now: Instant) -> BrowserRole | None:
    """Returns the role of the paired browser with this token, and notes the visit if the card can be written."""
    row = own.execute("SELECT used_wall_ms, role FROM browser WHERE token_sha256 = ?", (_digest(token),)).fetchone()
    if row is not None and abs(now.wall_ms - row["used_wall_ms"]) > USED_STEP_MS:
        with contextlib.suppress(sqlite3.OperationalError):     # the page shows that the card fails
            own.execute("UPDATE browser SET used_wall_ms = ? WHERE token_sha256 = ?", (now.wall_ms, _digest(token)))
    return row and row["role"]


def give_role(own: sqlite3.Connection, db: sqlite3.Connection, which: str, role: BrowserRole, by: str,
              now: Instant) -> bool:
    """Changes the role of the browser with this id; returns whether there is one. Raises sqlite3.Error."""
    with transaction(own), transaction(db):     # the shared one, with the ledger's row, is committed first
        row = own.execute(f"UPDATE browser SET role = ? WHERE SUBSTR(token_sha256, 1, {ID_DIGITS}) = ? RETURNING 1",
                          (role, which)).fetchone()
        if row is not None:
            ledger.note(db, now, RoleGiven(browser=which, role=role, by=by))
    return row is not None


def is_last_owner(own: sqlite3.Connection, which: str) -> bool:
    """Whether without this browser only viewers would be left, none of which could become an owner."""
    others = [browser.role for browser in paired(own) if browser.id != which]
    return bool(others) and "owner" not in others


def paired(own: sqlite3.Connection) -> list[PairedBrowser]:
    return [PairedBrowser(id=row["token_sha256"][:ID_DIGITS], name=row["name"], role=row["role"],
                          paired_wall_ms=row["paired_wall_ms"], used_wall_ms=row["used_wall_ms"])
            for row in own.execute("SELECT * FROM browser ORDER BY used_wall_ms DESC, token_sha256")]


def unpair(own: sqlite3.Connection, db: sqlite3.Connection, which: str, now: Instant) -> list[str]:
    """Forgets the browser with this id, or all of them ("") and the code; returns their ids. Raises sqlite3.Error."""
    with transaction(own), transaction(db):     # the shared one, with the ledger's row, is committed first, as above
        if not which:
            _make_code(own)
            own.execute("DELETE FROM link")
        gone = [row[0][:ID_DIGITS] for row in own.execute(
            "DELETE FROM browser WHERE :id = '' OR SUBSTR(token_sha256, 1, :digits) = :id RETURNING token_sha256",
            {"id": which, "digits": ID_DIGITS}).fetchall()]
        for browser in gone:
            ledger.note(db, now, BrowserUnpaired(browser=browser))
    return gone


def make_link(own: sqlite3.Connection, now: Instant) -> str:
    """Returns a secret that pairs one browser within `LINK_MS`, in this boot."""
    link = secrets.token_urlsafe(24)
    with transaction(own):
        own.execute("DELETE FROM link WHERE boot <> ? OR until_mono_ms < ?", (now.boot, now.mono_ms))
        own.execute("INSERT INTO link (token_sha256, boot, until_mono_ms) VALUES (?, ?, ?)",
                    (_digest(link), now.boot, now.mono_ms + LINK_MS))
    return link


def open_link(own: sqlite3.Connection, link: str, now: Instant) -> bool:
    """Whether that link pairs a browser now; each link does so once. Within the caller's transaction."""
    return bool(own.execute("DELETE FROM link WHERE token_sha256 = ? AND boot = ? AND until_mono_ms >= ? RETURNING 1",
                            (_digest(link), now.boot, now.mono_ms)).fetchall())


def new_code(own: sqlite3.Connection) -> str:
    """Makes another pairing code; paired browsers stay. Raises sqlite3.Error."""
    with transaction(own):
        return _make_code(own)


def _make_code(own: sqlite3.Connection) -> str:
    code = access.code_from(secrets.token_bytes(access.CODE_RANDOM_B))
    meta.put(own, access.CODE_KEY, code)
    return code


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
