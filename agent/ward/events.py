"""The events of a commit, and the deletion of old ones.

A deleted event's seq is remembered, so that a late copy does not count as new: only as stretches of a device's boot,
which say how many events there were, not of which kind or when.
"""
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import sqlalchemy as sql

from agent.ward import database, ward_side
from agent.ward.database import put
from agent.ward.register import Arrival, DeviceRecord

_own, _event = database.to_city.c, database.event.c
_waiting = _own.code.is_(None)


class MarkedEvent(NamedTuple):
    id: int             # of its mark; ids are in the order in which events came
    dev: str
    seq: int
    message: str        # the CloudEvent, whole


class ForwardBacklog(NamedTuple):
    waiting_n: int
    oldest_ms: int | None       # when its first event came, UTC by the ward
    refused_n: int              # events that the city refused


def waits(dev: sql.ColumnElement[str], seq: sql.ColumnElement[int]) -> sql.ColumnElement[bool]:
    return sql.exists().where(_own.dev == dev, _own.seq == seq, _waiting)


def mark(db: sql.Connection, keys: Iterable[tuple[str, int]]) -> None:
    put(db, database.to_city, [{"dev": dev, "seq": seq} for dev, seq in keys], replace=False)


def mark_again(db: sql.Connection, dev: str, first: int, last: int) -> list[int]:
    """Marks those of these events that the ward has, even if the city has refused them; returns the marks' ids."""
    marked = (_own.dev == dev) & _own.seq.between(first, last)
    db.execute(sql.update(database.to_city).where(marked).values(code=None))
    there = sql.exists().where(_own.dev == _event.dev, _own.seq == _event.seq)
    here = sql.select(_event.dev, _event.seq).where(_event.dev == dev, _event.seq.between(first, last), ~there)
    db.execute(sql.insert(database.to_city).from_select(["dev", "seq"], here.order_by(_event.seq)))
    return list(db.execute(sql.select(_own.id).where(marked)).scalars())


def waiting_marks(db: sql.Connection, limit_n: int) -> list[int]:
    return list(db.execute(sql.select(_own.id).where(_waiting).order_by(_own.id).limit(limit_n)).scalars())


def marked_events(db: sql.Connection, ids: Collection[int]) -> list[MarkedEvent]:
    """Returns the events of these marks, in order, without deleted ones."""
    asked = sql.select(_own.id, _own.dev, _own.seq, _event.message).join(
        database.event, (_event.dev == _own.dev) & (_event.seq == _own.seq)).where(_own.id.in_(ids)).order_by(_own.id)
    return [MarkedEvent(*row) for row in db.execute(asked)]


def settle_marks(db: sql.Connection, ids: Collection[int]) -> None:
    db.execute(sql.delete(database.to_city).where(_own.id.in_(ids)))


def set_aside(db: sql.Connection, id: int, code: str) -> None:
    db.execute(sql.update(database.to_city).where(_own.id == id).values(code=code))


def measure_backlog(db: sql.Connection) -> ForwardBacklog:
    def count(what: Any) -> int:
        return db.execute(sql.select(sql.func.count()).select_from(database.to_city).where(what)).scalar_one()

    first = sql.select(sql.func.min(_own.id)).where(_waiting).scalar_subquery()
    oldest = sql.select(_event.taken_ms).join(
        database.to_city, (_event.dev == _own.dev) & (_event.seq == _own.seq)).where(_own.id == first)
    return ForwardBacklog(count(_waiting), db.execute(oldest).scalar(), count(~_waiting))


KEPT = ("consent", "command", "config", "delivery")     # consent, orders and hand-overs are proofs, and stay


class PrunedStretch(NamedTuple):
    first: int
    last: int
    boot: str


def joined(stretches: Iterable[PrunedStretch]) -> list[PrunedStretch]:
    """Returns the same seqs in as few stretches as possible, by seq."""
    done: list[PrunedStretch] = []
    for each in sorted(stretches):
        if done and done[-1].boot == each.boot and each.first <= done[-1].last + 1:
            done[-1] = done[-1]._replace(last=max(done[-1].last, each.last))
        else:
            done.append(each)
    return done


def prune(db: sql.Connection, before_ms: int, limit_n: int, for_city: bool) -> int:
    """Deletes up to `limit_n` events from before this moment, except proofs and events that wait for the city."""
    own = database.event.c
    asked = sql.select(own.dev, own.seq, own.boot).where(own.taken_ms < before_ms, own.kind.not_in(KEPT))
    if for_city:
        asked = asked.where(~waits(own.dev, own.seq))
    old = sorted(db.execute(asked.order_by(own.taken_ms).limit(limit_n)))
    for dev, rows in groupby(old, key=attrgetter("dev")):
        _remember(db, dev, [PrunedStretch(row.seq, row.seq, row.boot) for row in rows])
    if old:
        keys = [(row.dev, row.seq) for row in old]
        db.execute(sql.delete(database.event).where(sql.tuple_(own.dev, own.seq).in_(keys)))
    return len(old)


def remembered(db: sql.Connection, devs: Collection[str]) -> dict[str, list[PrunedStretch]]:
    own = database.pruned.c
    asked = sql.select(database.pruned).where(own.dev.in_(devs)).order_by(own.dev, own.first)
    return {dev: [PrunedStretch(row.first, row.last, row.boot) for row in rows]
            for dev, rows in groupby(db.execute(asked), key=attrgetter("dev"))}


def _remember(db: sql.Connection, dev: str, more: list[PrunedStretch]) -> None:
    known = remembered(db, [dev]).get(dev, [])
    db.execute(sql.delete(database.pruned).where(database.pruned.c.dev == dev))
    put(db, database.pruned, [{"dev": dev, **each._asdict()} for each in joined([*known, *more])], replace=False)


ASK_AT_ONCE = 400               # keys in one query
Key = tuple[str, int]           # dev, seq
Moment = tuple[str, int]        # boot, mono_ms


class Came(NamedTuple):
    dev: str
    event: ward_side.Event
    text: str           # JSON, whole
    when: Arrival

    @property
    def key(self) -> Key:
        """Device and seq; a repetition has the same."""
        return self.dev, self.event.seq

    @property
    def moment(self) -> Moment:
        """The device's moment; a repetition has the same, another event with the same seq has not."""
        return self.event.boot, self.event.data.mono_ms


def note(db: sql.Connection, events: Sequence[Came],
         devices: Mapping[str, DeviceRecord]) -> tuple[list[Came], dict[Key, Moment]]:
    """Inserts new events; returns them by (dev, seq), and the moment of each key. `devices` is as before the commit."""
    first = {came.key: came for came in reversed(events)}
    there = _there(db, list(first))
    there |= _deleted(db, [came for key, came in first.items()
                           if key not in there and came.event.seq <= devices[came.dev].reach.top])
    new = [came for key, came in sorted(first.items()) if key not in there]
    put(db, database.event, [_row(came) for came in new], replace=False)
    return new, there | {came.key: came.moment for came in new}


def _there(db: sql.Connection, keys: list[Key]) -> dict[Key, Moment]:
    own = database.event.c
    found: dict[Key, Moment] = {}
    for start in range(0, len(keys), ASK_AT_ONCE):
        asked = sql.select(own.dev, own.seq, own.boot, own.mono_ms).where(
            sql.tuple_(own.dev, own.seq).in_(keys[start:start + ASK_AT_ONCE]))
        found |= {(row.dev, row.seq): (row.boot, row.mono_ms) for row in db.execute(asked)}
    return found


def _deleted(db: sql.Connection, maybe: Sequence[Came]) -> dict[Key, Moment]:
    """Returns the moments of deleted events. The boot is remembered, and mono_ms is taken from the copy."""
    if not maybe:
        return {}
    stretches = remembered(db, {came.dev for came in maybe})
    return {came.key: (stretch.boot, came.event.data.mono_ms) for came in maybe
            for stretch in stretches.get(came.dev, []) if stretch.first <= came.event.seq <= stretch.last}


def _row(came: Came) -> dict[str, Any]:
    event = came.event
    return {"dev": came.dev, "seq": event.seq, "kind": event.data.kind, "boot": event.boot,
            "mono_ms": event.data.mono_ms, "clock": event.clock,
            "time_ms": int(event.time.timestamp() * 1000) if event.time else None, "hist": event.data.hist,
            "taken_ms": came.when.now_ms, "message": came.text}
