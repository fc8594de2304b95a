"""The events of a commit: finds the new ones, and inserts their rows."""
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sql

from agent.core.contract.wire import ward_side
from agent.ward import database, prune
from agent.ward.database import put
from agent.ward.register import Arrival, DeviceRecord

ASK_AT_ONCE = 400               # keys in one query
Key = tuple[str, int]           # dev, seq
Moment = tuple[str, int]        # boot, mono_ms


class Came(NamedTuple):
    """An event that has come, with its device."""

    dev: str
    event: ward_side.Event
    text: str           # JSON, whole
    when: Arrival

    @property
    def key(self) -> Key:
        """Device and seq: repetitions have the same."""
        return self.dev, self.event.seq

    @property
    def moment(self) -> Moment:
        """The device's moment: a repetition has the same, another event under the same seq has not."""
        return self.event.boot, self.event.data.mono_ms


def note(db: sql.Connection, events: Sequence[Came],
         devices: Mapping[str, DeviceRecord]) -> tuple[list[Came], dict[Key, Moment]]:
    """Insert the new ones. Returns them in the order of (dev, seq), and the moment of each key, old or new.

    `devices` has the records from before this commit.
    """
    first = {came.key: came for came in reversed(events)}
    there = _there(db, list(first))
    there |= _deleted(db, [came for key, came in first.items()
                           if key not in there and came.event.seq <= devices[came.dev].reach.top])
    new = [came for key, came in sorted(first.items()) if key not in there]
    put(db, database.event, [_row(came) for came in new], replace=False)
    return new, there | {came.key: came.moment for came in new}


def _there(db: sql.Connection, keys: list[Key]) -> dict[Key, Moment]:
    """Those of `keys` that the database has, with their moments."""
    own = database.event.c
    found: dict[Key, Moment] = {}
    for start in range(0, len(keys), ASK_AT_ONCE):
        asked = sql.select(own.dev, own.seq, own.boot, own.mono_ms).where(
            sql.tuple_(own.dev, own.seq).in_(keys[start:start + ASK_AT_ONCE]))
        found |= {(row.dev, row.seq): (row.boot, row.mono_ms) for row in db.execute(asked)}
    return found


def _deleted(db: sql.Connection, maybe: Sequence[Came]) -> dict[Key, Moment]:
    """Those of `maybe` that were deleted as old. Only the boot of their moment is remembered."""
    if not maybe:
        return {}
    stretches = prune.remembered(db, {came.dev for came in maybe})
    return {came.key: (stretch.boot, came.event.data.mono_ms) for came in maybe
            for stretch in stretches.get(came.dev, []) if stretch.first <= came.event.seq <= stretch.last}


def _row(came: Came) -> dict[str, Any]:
    event = came.event
    return {"dev": came.dev, "seq": event.seq, "kind": event.data.kind, "boot": event.boot,
            "mono_ms": event.data.mono_ms, "clock": event.clock,
            "time_ms": int(event.time.timestamp() * 1000) if event.time else None, "hist": event.data.hist,
            "taken_ms": came.when.now_ms, "message": came.text}
