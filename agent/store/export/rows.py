"""Which rows of the ledger go with an export: those of its clips, those that date them, and all from there to the end.

The stretch begins with a row that was the newest for a while, so that a health report carried it and the ward knows
it, if the ward could be reached at all. The export's own row, which the next report carries, ends it.
"""
import itertools
import sqlite3
from collections.abc import Iterator, Sequence

from agent.core.evidence.ledger import LedgerLine, Row, RowHead, RowMoment, decode
from agent.core.evidence.ledger.clocks import offsets
from agent.store import ledger
from agent.store.bound import Signed
from agent.store.clips import Clip

STOOD_MS = 120_000          # two health reports, even where they are rare
LOOK_BACK_N = 500           # rows; if none of them stood so long, the nearest will do


def stretch_after(db: sqlite3.Connection, clips: Sequence[Clip], signed: Signed) -> RowHead:
    """The row that the stretch for these clips follows on."""
    first_n = min((signed[clip.name][0] for clip in clips if clip.name in signed), default=0)
    if not first_n:
        return ledger.head(db)
    undated = _undated(db, clips, signed, first_n)
    later: RowMoment | None = None
    for passed_n, line in enumerate(ledger.lines_back(db, first_n + 1)):
        row = decode(line.doc)
        undated -= _told(row)
        if line.n < first_n and not undated and (passed_n > LOOK_BACK_N or _stood(row, later)):
            return RowHead(line.n - 1, line.prev)
        later = row.sealed if row else None
    return RowHead()


def _undated(db: sqlite3.Connection, clips: Sequence[Clip], signed: Signed, first_n: int) -> set[tuple[str, int]]:
    """Boots and offsets by which clips are dated, of which neither their rows tell nor those that follow."""
    wanted = set()
    for clip in (clip for clip in clips if clip.name in signed):
        _, told = signed[clip.name]
        offset_ms = clip.wall_ms - clip.mono_ms
        if offset_ms not in (told.offset_ms, told.wall_ms - told.mono_ms):
            wanted.add((clip.boot, offset_ms))
    following: Iterator[LedgerLine] = ledger.lines(db, first_n - 1) if wanted else iter(())
    return wanted - set(itertools.chain.from_iterable(_told(decode(line.doc)) for line in following))


def _told(row: Row | None) -> set[tuple[str, int]]:
    return {(boot, offset_ms) for boot, told in offsets([row] if row else []).items() for offset_ms in told}


def _stood(row: Row | None, later: RowMoment | None) -> bool:
    """Whether the row was the newest for so long, as far as the monotonic clock tells."""
    return (row is not None and later is not None and row.sealed.boot == later.boot
            and later.mono_ms - row.sealed.mono_ms >= STOOD_MS)
