"""Whether a clip's row agrees with what is bound to the clip: its name, to which its key is bound, and its signed row.

Every role may write rows of clips, so a row by itself decides neither what leaves the house nor what is deleted by age.
A name has camera, boot and number. The signed row adds times, length and digest. A clip's date follows from an offset
of its boot; the ledger also has offsets that were found later.
"""
import contextlib
import logging
import re
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from agent.core.evidence.ledger.acts import ClipSigned, ClockMoved, LedgerBegin
from agent.core.evidence.ledger.card_check import number
from agent.core.evidence.ledger.clocks import offsets
from agent.core.evidence.ledger.row import LedgerLine, Row, decode
from agent.host.clock import Instant
from agent.store import announce, boots, clips, ledger, meta
from agent.store.clips import LOST, Clip
from agent.store.database import transaction
from agent.store.names import OURS

REACH_N = (64, 512, 4096)   # rows to read around a clip's expected row, fewest first
REDATED = "clips_redated"   # in the keeper's own meta: how many rows were reported; boot and time of the last
TOLD_FOR_MS = 24 * 3_600_000

Signed = Mapping[str, tuple[int, ClipSigned]]       # row number and content, by the clip's name
Vouches = Callable[[sqlite3.Connection, LedgerLine], bool]      # whether the device has signed that row
_log = logging.getLogger(__name__)
_CLIP = re.compile(rb'"clip":"([^"]+-([0-9]{6,12}))"')
_ACTS = tuple(f'"kind":"{kind}"'.encode() for kind in (ClockMoved.KIND, LedgerBegin.KIND))


class Sifted(NamedTuple):
    sound: list[Clip]
    strange: list[Clip]         # their rows differ from what is bound to them
    signed: Signed              # signed rows, as far as there are any


def as_told(db: sqlite3.Connection, line: LedgerLine) -> bool:
    """For roles that only read: they trust the ledger as it is, and the keeper checks before it acts."""
    return True


def is_named(clip: Clip) -> bool:
    if clip.boot != LOST:
        return clip.name == clips.name_of(clip.camera, clip.boot, clip.seq)
    match = OURS.match(f"{clip.name}.mp4")
    return match is not None and (match["camera"], int(match["seq"])) == (clip.camera, clip.seq)


def sift(db: sqlite3.Connection, found: Iterable[Clip], vouches: Vouches) -> Sifted:
    """Compares rows with what is bound to their clips; an unsigned clip is judged by its name. Raises sqlite3.Error."""
    found = list(found)
    signed = rows_of(db, [clip for clip in found if number(clip.name) == clip.seq], vouches)
    dates = BootDates(db, vouches)
    sound = [clip for clip in found if is_named(clip) and (
        clip.name not in signed or _says(db, clip, act := signed[clip.name][1]) and dates.fits(
            clip, act.offset_ms, signed[clip.name][0]))]
    names = {clip.name for clip in sound}
    return Sifted(sound, [clip for clip in found if clip.name not in names], signed)


def rows_of(db: sqlite3.Connection, found: Collection[Clip], vouches: Vouches = as_told) -> dict[
        str, tuple[int, ClipSigned]]:
    """Returns the signed row of each clip that has one: the first that agrees with the clip, or else the first. Rows
    lie roughly in the order of clip numbers, so only rows near the expected place are read."""
    names, rows = {clip.name for clip in found}, dict[str, list[tuple[int, ClipSigned]]]()
    numbers = sorted(map(number, names))
    if not numbers:
        return {}
    head_n = ledger.head(db).n
    low, high = (_place(db, wanted, head_n) for wanted in (numbers[0], numbers[-1]))
    for reach_n in REACH_N:
        lines, highest = _clip_lines(db, low - reach_n, high + reach_n), 0
        rows.clear()
        for n, name, its_number in lines:
            highest = max(highest, its_number)
            if name in names and (signed := _signed(db, n, vouches)) and signed.clip == name:
                rows.setdefault(name, []).append((n, signed))
        if rows.keys() == names or (reach_n > REACH_N[0] and numbers[0] > highest):     # newer than all signed clips
            break
    return {clip.name: next((row for row in rows[clip.name] if _says(db, clip, row[1])), rows[clip.name][0])
            for clip in found if clip.name in rows}


def report(own: sqlite3.Connection, db: sqlite3.Connection, sifted: Sifted, now: Instant) -> None:
    """For the keeper: corrects rows (and anchors) that differ from what was signed, and reports all strange rows.
    Strange rows that cannot be corrected are reported once a day. Raises sqlite3.Error."""
    mended = [clip for clip in sifted.strange if clip.name in sifted.signed]
    if mended:
        with transaction(db):
            for clip in mended:
                act = sifted.signed[clip.name][1]
                if not _says(db, clip, act):
                    clips.put_right(db, act)
                elif clip.boot != LOST:
                    boots.put_right(db, clip.boot, clip.mono_ms, act.offset_ms)
    if sifted.strange:
        tell(own, db, len(sifted.strange), now, anew=bool(mended))


def tell(own: sqlite3.Connection, db: sqlite3.Connection, rows_n: int, now: Instant, anew: bool = True) -> None:
    """Reports so many rows to household and ward; with `anew` False, at most once a day. Raises sqlite3.Error."""
    told_n = reported_n(own, now)
    if anew or not told_n:
        _log.error("%d rows of recordings had another camera or time than what was signed", rows_n)
        with transaction(own):
            meta.put(own, REDATED, f"{told_n + rows_n} {now.boot} {now.mono_ms}")
        with transaction(db):
            announce.storage(db, now, "clip_redated", over=False, detail=f"{rows_n} rows of recordings differ "
                             "in camera or time from what was signed; they are corrected where possible")


def reported_n(own: sqlite3.Connection, now: Instant) -> int:
    """Returns how many rows were reported; 0 if the last report was a day ago or in an earlier boot."""
    match (meta.get(own, REDATED) or "").split():
        case [told_n, boot, mono_ms] if boot == now.boot and now.mono_ms - int(mono_ms) < TOLD_FOR_MS:
            return int(told_n)
    return 0


def _says(db: sqlite3.Connection, clip: Clip, act: ClipSigned) -> bool:
    """Whether the clip's row agrees with what was signed. An adopted clip need only agree as far as its file says."""
    wall_ms = clips.as_written(db, clip.seq)
    if (clip.name, clip.camera) != (act.clip, act.camera) or clip.sha256 not in (None, act.sha256):
        return False
    if clip.kind == "continuous" and act.type == "motion":     # only the opposite change is allowed: clips.mark_kind
        return False
    if clip.boot == LOST != act.boot:
        return clip.mono_ms == 0 and (wall_ms == 0 or 0 <= act.wall_ms - wall_ms < 1000)
    return (clip.boot, clip.mono_ms, wall_ms, clip.clock, clip.dur_ms) == (
        act.boot, act.mono_ms, act.wall_ms, act.clock, act.dur_ms)


class BootDates:
    """Knows the offsets (ms) that signed rows give for a boot, by which its clips may be dated."""

    def __init__(self, db: sqlite3.Connection, vouches: Vouches) -> None:
        self._db, self._vouches = db, vouches
        self._known: dict[str, set[int]] = {}
        self._over: set[str] = set()            # boots whose rows are all read

    def fits(self, clip: Clip, signed_ms: int | None, n: int) -> bool:
        """Whether a clip may have its date. `n` is its signed row, which has the offset `signed_ms`. A clock usually
        becomes right soon after a clip's row, so later rows are read first."""
        offset_ms = clip.wall_ms - clip.mono_ms
        return offset_ms in (clips.as_written(self._db, clip.seq) - clip.mono_ms, signed_ms) or (
            clip.boot != LOST and self._tell(clip.boot, offset_ms, n))

    def _tell(self, boot: str, offset_ms: int, n: int) -> bool:
        known = self._known.setdefault(boot, set())
        if offset_ms in known or boot in self._over:
            return offset_ms in known
        for row in self._rows(boot, n):
            known |= offsets([row]).get(boot, set())
            if offset_ms in known:
                return True
        self._over.add(boot)
        return False

    def _rows(self, boot: str, n: int) -> Iterator[Row]:
        yield from ledger.waiting(self._db)
        which = "INSTR(doc, ?) AND (INSTR(doc, ?) OR INSTR(doc, ?)) ORDER BY n"
        for span, order in (("n > ?", ""), ("n < ?", " DESC")):
            rows = self._db.execute(f"SELECT {ledger.LINES} FROM ledger WHERE {span} AND {which}{order}",
                                    (n, f'"boot":"{boot}"'.encode(), *_ACTS))
            yield from (row for line in rows if self._vouches(self._db, found := LedgerLine(*line))
                        and (row := decode(found.doc)))


def _place(db: sqlite3.Connection, wanted: int, head_n: int) -> int:
    low, high = 0, head_n
    while low < high:
        middle = (low + high) // 2
        n, _, found = next(_clip_lines(db, middle, high, REACH_N[1]), (high, "", wanted))
        low, high = (n, high) if found < wanted and n > low else (low, middle)
    return low


def _clip_lines(db: sqlite3.Connection, after_n: int, upto_n: int, enough_n: int = -1) -> Iterator[
        tuple[int, str, int]]:
    for n, doc in db.execute("SELECT n, doc FROM ledger WHERE n > ? AND n <= ? ORDER BY n LIMIT ?",
                             (after_n, upto_n, enough_n)):
        if (match := _CLIP.search(doc)) and b'"kind":"clip"' in doc:
            yield n, match[1].decode(), int(match[2])


def _signed(db: sqlite3.Connection, n: int, vouches: Vouches) -> ClipSigned | None:
    line = next(ledger.lines(db, n - 1))
    row = decode(line.doc) if vouches(db, line) else None
    with contextlib.suppress(msgspec.ValidationError):
        return msgspec.convert(row.body, ClipSigned) if row and row.kind == ClipSigned.KIND else None
    return None
