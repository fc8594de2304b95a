"""The signature of an export: how much can be signed, which ledger rows go with it, and how the keeper is asked.

The rows are those of its clips, those that date them, and all up to the end. They begin with a row that was the newest
for a while, so that a health report carried it to the ward, if the ward could be reached. The export's own row, which
the next report carries, is the last.
"""
import contextlib
import itertools
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.core.contract.facts import Poke
from agent.core.evidence.ledger.claim import Claim, Manifest, RowRef
from agent.core.evidence.ledger.clocks import offsets
from agent.core.evidence.ledger.row import LedgerLine, Row, RowHead, RowMoment, canonical, decode
from agent.host.clock import Instant
from agent.host.datagram import Outlet
from agent.host.runtime import camera_socket
from agent.host.sockets import ask
from agent.store import identity, ledger, meta, signing_requests
from agent.store.bound import Signed, rows_of
from agent.store.clips import Clip, reaching_into
from agent.store.database import StoreConnection
from agent.store.export.prepare import ExportError, spell
from agent.store.signing_requests import SigningAnswer

LOOK_EVERY_S = 0.2
STOOD_MS = 120_000          # two health reports, even if they are rare
LOOK_BACK_N = 500           # rows; if none of them stood so long, the nearest is used
PATIENCE_S = 20.0               # for the keeper to sign a clip that has just ended
LONGEST_CLIP_MS = 20 * 60_000   # longer than any clip: one that is open for longer was abandoned
NO_KEEPER = ("the keeper, which signs exports, is not running: start it (taimat run, or systemctl start taimat-keeper) "
             "or use --unsigned for an export whose origin cannot be proved")

Sign = Callable[[Claim], SigningAnswer]


@dataclass(frozen=True, slots=True)
class AskKeeper:
    """Asks the keeper and waits; `is_there` says whether there is one to wait for. A caller that may not write the
    database passes its own `ask` and `take_back`."""

    db: sqlite3.Connection
    outlet: Outlet
    is_there: Callable[[], bool]
    ask: Callable[[Claim], int] | None = None
    take_back: Callable[[int], object] | None = None

    def __call__(self, claim: Claim) -> SigningAnswer:
        """Returns a signed manifest. Raises sqlite3.Error, and ExportError if the keeper refuses or ends."""
        number = self.ask(claim) if self.ask else signing_requests.ask(self.db, claim)
        try:
            self.outlet.send(Poke(what="requests"), "keeper")
            while (answer := signing_requests.answer(self.db, number)) is None:
                if not self.is_there():
                    raise ExportError(NO_KEEPER)
                time.sleep(LOOK_EVERY_S)
        finally:
            with contextlib.suppress(sqlite3.Error, ExportError):
                self.take_back(number) if self.take_back else signing_requests.take_back(self.db, number)
        if answer.why:
            raise ExportError(f"the keeper does not sign this: {answer.why}")
        return answer


def unsigned(db: StoreConnection, clips: Sequence[Clip], claim: Claim) -> SigningAnswer:
    """Returns a manifest that says that it is not signed, with the rows that there are. Raises sqlite3.Error."""
    after, head = stretch_after(db, clips, rows_of(db, clips)), ledger.head(db)
    return SigningAnswer(canonical(Manifest(
        dev=identity.named(db.store) or identity.UNNAMED, key=meta.get(db, ledger.KEY) or "", claim=claim, signed=False,
        after=RowRef(n=after.n, hash=after.hash.hex()), last=RowRef(n=head.n, hash=head.hash.hex()))))


def told_by(answer: SigningAnswer) -> Manifest:
    return msgspec.json.decode(answer.manifest, type=Manifest)


def is_growing(db: sqlite3.Connection, camera: str, begin_ms: int, end_ms: int, now: Instant) -> bool:
    """Whether a clip that reaches into that time is still being recorded, so that it is worth waiting for its end."""
    return any(clip.state == "open" and clip.boot == now.boot and now.mono_ms - clip.mono_ms <= LONGEST_CLIP_MS
               for clip in reaching_into(db, camera, begin_ms, end_ms))


def signed_until(db: sqlite3.Connection, camera: str, begin_ms: int, end_ms: int, is_there: Callable[[], bool],
                 runtime: Path | None = None) -> int | None:
    """Returns up to where these recordings can be signed (wall time, ms): before the open clip; None: all of them. It
    waits a little for a clip that has just ended, while the keeper `is_there`; a recorder that answers in `runtime` is
    asked to end the open one. Raises ExportError if nothing can be signed, and sqlite3.Error."""
    if not is_there():
        raise ExportError(NO_KEEPER)
    until_mono_s, asked_ms = time.monotonic() + PATIENCE_S, None
    while (found := _ready(db, camera, begin_ms, end_ms)) != (None, False) and time.monotonic() < until_mono_s:
        if runtime and found[0] not in (None, asked_ms):
            asked_ms = None
            with contextlib.suppress(OSError):          # no recorder answers: what is open will be missing
                asked_ms = found[0] if ask(camera_socket(runtime, "cut", camera)) else None
        if not is_there() or not found[1] and asked_ms is None:
            break
        time.sleep(LOOK_EVERY_S)
    if found[0] is not None and found[0] <= begin_ms:
        raise ExportError(f"{camera}: what there is from {spell(begin_ms)} on is still being recorded; ask again when "
                          "that clip is finished, or export only the film: taimat export --film")
    return found[0]


def _ready(db: sqlite3.Connection, camera: str, begin_ms: int, end_ms: int) -> tuple[int | None, bool]:
    found = reaching_into(db, camera, begin_ms, end_ms)
    being_written = (clip.wall_ms for clip in found if clip.state == "open")
    return min(being_written, default=None), any(clip.sha256 is None for clip in found if clip.state != "open")


def stretch_after(db: sqlite3.Connection, clips: Sequence[Clip], signed: Signed) -> RowHead:
    """Returns the ledger row after which the rows for these clips begin."""
    first_n = min((signed[clip.name][0] for clip in clips if clip.name in signed), default=0)
    if not first_n:
        return ledger.head(db)
    undated = _undated(db, clips, signed, first_n)
    later: RowMoment | None = None
    for passed_n, line in enumerate(ledger.lines_back(db, first_n + 1)):
        row = decode(line.doc)
        undated -= _dates_in(row)
        if line.n < first_n and not undated and (passed_n > LOOK_BACK_N or _stood(row, later)):
            return RowHead(line.n - 1, line.prev)
        later = row.sealed if row else None
    return RowHead()


def _undated(db: sqlite3.Connection, clips: Sequence[Clip], signed: Signed, first_n: int) -> set[tuple[str, int]]:
    """Returns boots and offsets that date clips, but are neither in their rows nor in later ones."""
    wanted = set()
    for clip in (clip for clip in clips if clip.name in signed):
        _, act = signed[clip.name]
        offset_ms = clip.wall_ms - clip.mono_ms
        if offset_ms not in (act.offset_ms, act.wall_ms - act.mono_ms):
            wanted.add((clip.boot, offset_ms))
    following: Iterator[LedgerLine] = ledger.lines(db, first_n - 1) if wanted else iter(())
    return wanted - set(itertools.chain.from_iterable(_dates_in(decode(line.doc)) for line in following))


def _dates_in(row: Row | None) -> set[tuple[str, int]]:
    return {(boot, offset_ms) for boot, known in offsets([row] if row else []).items() for offset_ms in known}


def _stood(row: Row | None, later: RowMoment | None) -> bool:
    return (row is not None and later is not None and row.sealed.boot == later.boot
            and later.mono_ms - row.sealed.mono_ms >= STOOD_MS)
