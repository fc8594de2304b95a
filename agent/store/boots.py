"""The machine's starts, the wall clock in each, and the dates of rows that follow (docs/design/storage.md)."""
import sqlite3
from bisect import bisect_right

from agent.core.clock import Anchor, dating
from agent.host.clock import Instant
from agent.store.row_check import sound

# The wall time of a row: by the last anchor before it, once its boot's clock was right; else as written.
DATED = ("COALESCE((SELECT dates_ms FROM anchor WHERE anchor.boot = {t}.boot AND from_mono_ms <= {t}.mono_ms "
         "ORDER BY from_mono_ms DESC LIMIT 1) + {t}.mono_ms, {t}.wall_ms)")
# Whether that is reliable: the clock was right then or later in the boot, and did not show two "right" times.
SURE = ("CASE WHEN (SELECT doubtful FROM boot WHERE boot.id = {t}.boot) THEN 0 ELSE {t}.clock IN ('rtc', 'ntp') "
        "OR EXISTS (SELECT 1 FROM anchor WHERE anchor.boot = {t}.boot AND dates_ms IS NOT NULL) END")
# Rowids of a camera's rows that may begin between :begin - :longest and :end, from an index on (camera, boot,
# mono_ms, wall_ms) only: by an anchor's date or, in boots without one, as first written.
NEAR = ("SELECT {t}.rowid FROM anchor CROSS JOIN {t} ON {t}.boot = anchor.boot WHERE {which} AND camera = :camera "
        "AND mono_ms BETWEEN :begin - dates_ms - :longest AND :end - dates_ms UNION ALL SELECT {t}.rowid FROM "
        "(WITH RECURSIVE its (boot) AS (SELECT MIN(boot) FROM {t} WHERE {which} AND camera = :camera UNION ALL "
        "SELECT (SELECT MIN(boot) FROM {t} WHERE {which} AND camera = :camera AND {t}.boot > its.boot) FROM its "
        "WHERE its.boot IS NOT NULL) SELECT boot FROM its WHERE boot NOT IN "
        "(SELECT boot FROM anchor WHERE dates_ms IS NOT NULL)) AS undated CROSS JOIN {t} ON {t}.boot = undated.boot "
        "WHERE {which} AND camera = :camera AND wall_ms BETWEEN :begin - :longest AND :end")
ANCHORS_MAX = 200       # of a boot that are compared, so that a clock that keeps jumping costs no more


def instant(row: sqlite3.Row) -> Instant:
    return Instant(row["boot"], row["mono_ms"], row["wall_ms"], row["clock"])


def remember(db: sqlite3.Connection, boot: str) -> None:
    """Numbers a new boot; may be repeated."""
    if not db.execute("SELECT 1 FROM boot WHERE id = ?", (boot,)).fetchone():      # IGNORE would use up a number
        db.execute("INSERT OR IGNORE INTO boot (id) VALUES (?)", (boot,))


def is_later(db: sqlite3.Connection, boot: str, than: str) -> bool:
    """Whether that boot came after the other. A boot without a number has only just begun."""
    numbers = dict(db.execute("SELECT id, n FROM boot WHERE id IN (?, ?)", (boot, than)).fetchall())
    return boot not in numbers or numbers[boot] > numbers.get(than, 0)


def date(db: sqlite3.Connection, boot: str, offset_ms: int, from_mono_ms: int = 0, clock: str = "ntp",
         err_ms: int | None = None) -> None:
    """Notes the wall clock's offset from `from_mono_ms` on, which dates rows. Within the caller's transaction."""
    remember(db, boot)
    if not anchors(db, boot):
        from_mono_ms = 0
    db.execute("INSERT OR REPLACE INTO anchor (boot, from_mono_ms, offset_ms, clock, err_ms) VALUES (?, ?, ?, ?, ?)",
               (boot, from_mono_ms, offset_ms, clock, err_ms))
    settle(db, boot, from_mono_ms)


def settle(db: sqlite3.Connection, boot: str, now_mono_ms: int) -> None:
    """Decides again which time is believed, because a time becomes credible by holding. Writes only changes."""
    known = anchors(db, boot)
    found = dating([Anchor(row["from_mono_ms"], row["offset_ms"], row["clock"]) for row in known], now_mono_ms)
    for row, offset_ms in zip(known, found.offsets_ms, strict=True):
        if row["dates_ms"] != offset_ms:
            db.execute("UPDATE anchor SET dates_ms = ? WHERE boot = ? AND from_mono_ms = ?",
                       (offset_ms, boot, row["from_mono_ms"]))
    db.execute("UPDATE boot SET doubtful = ?1 WHERE id = ?2 AND doubtful != ?1", (found.doubtful, boot))


def put_right(db: sqlite3.Connection, boot: str, mono_ms: int, offset_ms: int | None) -> None:
    """Makes the anchor of this moment say `offset_ms`; None: date nothing. Within the caller's transaction."""
    db.execute("UPDATE anchor SET offset_ms = COALESCE(?1, offset_ms), dates_ms = ?1 WHERE boot = ?2 AND from_mono_ms "
               "= (SELECT MAX(from_mono_ms) FROM anchor WHERE boot = ?2 AND from_mono_ms <= ?3)",
               (offset_ms, boot, mono_ms))


def anchors(db: sqlite3.Connection, boot: str) -> list[sqlite3.Row]:
    return sound(db, "anchor", "SELECT * FROM anchor WHERE boot = ? ORDER BY from_mono_ms DESC LIMIT ?",
                 (boot, ANCHORS_MAX))[::-1]


def offset_ms(db: sqlite3.Connection, boot: str) -> int | None:
    """Returns the offset that dates what the boot records now; None if its clock was never right."""
    row = db.execute("SELECT dates_ms FROM anchor WHERE boot = ? ORDER BY from_mono_ms DESC LIMIT 1",
                     (boot,)).fetchone()
    return row["dates_ms"] if row else None


def is_sure(db: sqlite3.Connection, boot: str, clock: str) -> bool:
    """Whether the date of a row of `boot`, written while the clock was in that state, can be believed."""
    row = db.execute(f"SELECT {SURE.format(t='it')} AS sure FROM (SELECT ? AS boot, ? AS clock) AS it",
                     (boot, clock)).fetchone()
    return bool(row["sure"])


class Dates:
    """DATED and SURE for many rows at once: reads the anchors once, and judges each boot once."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._sure: dict[tuple[str, str], bool] = {}
        self._anchors: dict[str, tuple[list[int], list[int | None]]] = {}
        rows = sound(db, "anchor", "SELECT boot, from_mono_ms, dates_ms FROM anchor ORDER BY boot, from_mono_ms")
        for boot, from_mono_ms, dates_ms in rows:
            begins, offsets = self._anchors.setdefault(boot, ([], []))
            begins.append(from_mono_ms)
            offsets.append(dates_ms)

    def wall_ms(self, boot: str, mono_ms: int, wall_ms: int) -> int:
        begins, offsets = self._anchors.get(boot, ((), ()))
        place = bisect_right(begins, mono_ms) - 1
        dates_ms = offsets[place] if place >= 0 else None
        return wall_ms if dates_ms is None else dates_ms + mono_ms

    def sure(self, boot: str, clock: str) -> bool:
        if (boot, clock) not in self._sure:
            self._sure[boot, clock] = is_sure(self._db, boot, clock)
        return self._sure[boot, clock]
