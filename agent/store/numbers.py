"""Numbers that others know and that must never come again, even if the database is lost or replaced.

The keeper's page beside the database also says how far they are (agent/keeper/canary.py). The page may be half an hour
old, so counters that continue from it make a leap.

Clips get the numbers of even thousands one by one. Those of odd thousands are reserved in ranges, each for one recorder
that cannot write the database for a while. So a later clip of a camera always has the higher number.
"""
import contextlib
import sqlite3
from collections.abc import Collection
from pathlib import Path

import msgspec

from agent.host.files import is_own
from agent.store import meta
from agent.store.names import CLIPS_A_FOLDER

PAGE = "canary"
CONN = "conn"                   # connections to the ward, counted in meta; the others are counters of tables
# More than half an hour can use up.
LEAP = {"outbox": 1_000_000, "event": 1_000_000, "act": 10_000, "clip": 10_000, CONN: 10_000}
BELIEVED_MAX = 2**52            # higher numbers are damage, and would use up the counter
RESERVED = "clip_reserved"       # in meta: the last reserved number
RANGE_N = 250                   # of one recorder: 20 hours of clips of 5 minutes, 4 hours with an event each minute
BEHIND = "behind"               # in meta, for the keeper: numbers of the page that the database did not have
WENT_BACK = "went_back"         # in meta: the number of the ward's message that the database did not have


class Note(msgspec.Struct, frozen=True):
    """The content of the page: its own number, and how far the database was when it was written."""

    number: int
    boot: str
    mono_ms: int
    ledger_n: int
    outbox_seq: int         # the next one
    ledger_head: str = ""   # the first digits of the hash of the ledger's newest row
    numbers: dict[str, int] = {}        # the last given ones, by the names in LEAP

    def given(self, name: str) -> int:
        """Returns the last number that was given. An older version noted only that of messages."""
        number = self.numbers.get(name, self.outbox_seq - 1 if name == "outbox" else 0)
        return number if 0 <= number <= BELIEVED_MAX else 0


def noted(root: Path) -> Note | None:
    """Returns what the page in the store `root` says; None if it is missing, torn or unreadable."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return decoded((root / PAGE).read_bytes()) if is_own(root / PAGE) else None
    return None


def decoded(page: bytes) -> Note:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(page.rstrip(b"\0"), type=Note)


def given(db: sqlite3.Connection) -> dict[str, int]:
    counters, conn = dict(db.execute("SELECT name, seq FROM sqlite_sequence").fetchall()), meta.get(db, CONN) or ""
    return {**{name: counters.get(name, 0) for name in LEAP}, CONN: int(conn) if conn.isdecimal() else 0}


def put(db: sqlite3.Connection, name: str, number: int) -> None:
    if name == CONN:
        meta.put(db, name, str(number))
    elif not db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (number, name)).rowcount:
        db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, number))


def next_clip(db: sqlite3.Connection) -> int:
    # Above all rows, too, because another role may have set the counter back.
    number: int = 1 + db.execute("SELECT MAX(IFNULL((SELECT MAX(seq) FROM clip), 0), "
                                 "IFNULL((SELECT seq FROM sqlite_sequence WHERE name = 'clip'), 0))").fetchone()[0]
    return _in_thousand(number, odd=0)


def reserve(db: sqlite3.Connection) -> range:
    """Reserves numbers for one recorder, above all clips. Within the caller's transaction. Raises sqlite3.Error."""
    first = _in_thousand(max(next_clip(db), reserved(db) + 1), odd=1)
    meta.put(db, RESERVED, str(first + RANGE_N - 1))
    return range(first, first + RANGE_N)


def was_reserved(db: sqlite3.Connection, number: int) -> bool:
    """Whether a recorder may have used this number while it could not write a row. Raises sqlite3.Error."""
    return number <= reserved(db) and number == _in_thousand(number, odd=1)


def reserved(db: sqlite3.Connection) -> int:
    """Returns the last reserved number; 0 if no number was. Raises sqlite3.Error."""
    number = meta.get(db, RESERVED) or ""
    return int(number) if number.isdecimal() and len(number) < 10 else 0


def _in_thousand(number: int, odd: int) -> int:
    """Returns the number, or the first one of the next thousand if its own thousand is of the other kind."""
    thousand = number // CLIPS_A_FOLDER
    return number if thousand % 2 == odd else (thousand + 1) * CLIPS_A_FOLDER


def is_behind(db: sqlite3.Connection, note: Note | None) -> bool:
    return note is not None and any(number < note.given(name) for name, number in given(db).items())


def go_on(db: sqlite3.Connection, note: Note | None, new: bool = False) -> None:
    """Moves counters past the page's, and notes lost numbers unless `new`. Within the caller's transaction."""
    for name, here in given(db).items():
        if note is not None and (number := note.given(name)) > here:
            put(db, name, number + LEAP[name])
            if not new and meta.get(db, BEHIND) is None:
                meta.put(db, BEHIND, f"{name} {number} was on it, {here} is")


def overtake(db: sqlite3.Connection, ward_n: int, out: Collection[int], refused: Collection[int]) -> bool:
    """The ward has message `ward_n`, or others under the numbers `refused`: waiting messages get higher numbers. Those
    in `out` are being sent and stay. Within the caller's transaction. Returns whether the database was behind. Raises
    sqlite3.Error."""
    here = given(db)
    is_ahead = here["outbox"] < ward_n <= BELIEVED_MAX
    if not is_ahead and not refused:
        return False
    reached = {name: here[name] + LEAP[name] for name in ("outbox", "event", "clip")}
    if is_ahead:
        reached["outbox"] = ward_n + LEAP["outbox"]
    for seq, in db.execute("SELECT seq FROM outbox ORDER BY seq").fetchall():
        if seq in refused or (is_ahead and seq not in out):
            reached["outbox"] += 1
            db.execute("UPDATE outbox SET seq = ? WHERE seq = ?", (reached["outbox"], seq))
    for name, number in reached.items():
        put(db, name, number)
    return True
