"""Records in the ledger what people paused: each order from its moment on, and its end.

The keeper compares the pause file with what it last recorded. So an order is recorded whichever program gave it, and
an order that was replaced or withdrawn between two looks is recorded, too.
"""
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from agent.core.evidence.ledger.acts import BY_ITSELF, CameraPaused
from agent.core.household.pause import PastPauses, Pause, Pauses
from agent.host.clock import Instant
from agent.store import ledger, meta, pause
from agent.store.database import transaction
from agent.store.folders import Folders

STANDS = "pauses"           # in the keeper's meta: the newest order on each camera that the ledger has, JSON
STOOD = "paused"            # the same as it was kept before: only by which means each camera is paused


class _Recorded(Struct, frozen=True, omit_defaults=True):
    by: str
    boot: str = ""                  # "": noted by an earlier version, which kept only `by`
    mono_ms: int = 0
    over: bool = False

    def is_of(self, word: Pause) -> bool:
        return self.by == word.by and (not self.boot or (self.boot, self.mono_ms) == (word.boot, word.mono_ms))


def tell(own: sqlite3.Connection, db: sqlite3.Connection, folders: Folders, cameras: Sequence[str],
         now: Instant) -> None:
    """Record what changed since the last look. Raises sqlite3.Error and OSError.

    A power cut in between records it twice, but never not at all.
    """
    was = _recorded(own)
    if not pause.past(folders) and _look(was, [], pause.load(folders), cameras, now).stands == was:
        return
    with pause.recording_past(folders) as past, transaction(own), transaction(db):  # the ledger commits first
        look = _look(was, past, pause.load(folders), cameras, now)
        for when, act in sorted(look.acts, key=lambda each: each[0].mono_ms):
            ledger.note(db, when, act)
        meta.put(own, STANDS, msgspec.json.encode(look.stands).decode())


def _recorded(own: sqlite3.Connection) -> dict[str, _Recorded]:
    known = meta.read(own, STANDS, dict[str, _Recorded])
    if known is None:
        known = {camera: _Recorded(by) for camera, by in (meta.read(own, STOOD, dict[str, str]) or {}).items()}
    return known


def _look(was: dict[str, _Recorded], past: Sequence[PastPauses], pauses: Pauses, cameras: Sequence[str],
          now: Instant) -> "_Look":
    look = _Look(dict(was), now)
    for since, each in zip([None, *past], past, strict=False):
        look.add(each.pauses, cameras, since, each)
    look.add(pauses, cameras, past[-1] if past else None, None)
    return look


@dataclass(slots=True)
class _Look:
    """Turns successive states of the pause file into acts."""

    stands: dict[str, _Recorded]
    now: Instant
    acts: list[tuple[Instant, CameraPaused]] = field(default_factory=list)

    def add(self, pauses: Pauses, cameras: Sequence[str], since: PastPauses | None, until: PastPauses | None) -> None:
        """Add what was paused from the one change to the other; None if the moment is unknown, or has not come."""
        for camera in sorted({*cameras, *self.stands}):
            word = pauses.cameras.get(camera, pauses.everything) if camera in cameras else None
            if word is not None and word.by in BY_ITSELF:
                word = None
            known = self.stands.get(camera)
            if known and not (word and known.is_of(word)):
                self._end(camera, known, self._moment(word or since or self.now))
                del self.stands[camera]
                known = None
            if word is None:
                continue
            if known is None:
                self.acts.append((self._moment(word), CameraPaused(camera=camera, paused=True, by=word.by)))
                known = _Recorded(word.by)
            over = known.over or not word.lasts(self.now if until is None else until)
            if over:
                self._end(camera, known, self._moment(until or self.now))
            self.stands[camera] = _Recorded(word.by, word.boot, word.mono_ms, over)

    def _end(self, camera: str, known: _Recorded, when: Instant) -> None:
        if not known.over:
            self.acts.append((when, CameraPaused(camera=camera, paused=False, by=known.by)))

    def _moment(self, of: Pause | PastPauses | Instant) -> Instant:
        """That moment, unless it is of an earlier boot, because the ledger's rows are in order."""
        return Instant(of.boot, of.mono_ms, of.wall_ms, of.clock) if of.boot == self.now.boot else self.now
