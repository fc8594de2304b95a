"""The marks of events without the city's receipt: made with the event, deleted with the receipt.

The mark of an event that the city refused stays, with the reason, and is not offered again.
"""
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

import sqlalchemy as sql

from agent.ward import database
from agent.ward.database import put

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
    """Returns SQL for whether this event waits for the city."""
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


def waiting(db: sql.Connection, limit_n: int) -> list[int]:
    return list(db.execute(sql.select(_own.id).where(_waiting).order_by(_own.id).limit(limit_n)).scalars())


def marked_events(db: sql.Connection, ids: Collection[int]) -> list[MarkedEvent]:
    """Returns the events of these marks, in order, without deleted ones."""
    asked = sql.select(_own.id, _own.dev, _own.seq, _event.message).join(
        database.event, (_event.dev == _own.dev) & (_event.seq == _own.seq)).where(_own.id.in_(ids)).order_by(_own.id)
    return [MarkedEvent(*row) for row in db.execute(asked)]


def settle(db: sql.Connection, ids: Collection[int]) -> None:
    """Deletes these marks: the city has their events."""
    db.execute(sql.delete(database.to_city).where(_own.id.in_(ids)))


def set_aside(db: sql.Connection, id: int, code: str) -> None:
    """Notes that the city has refused this event, and why."""
    db.execute(sql.update(database.to_city).where(_own.id == id).values(code=code))


def measure(db: sql.Connection) -> ForwardBacklog:
    def count(what: Any) -> int:
        return db.execute(sql.select(sql.func.count()).select_from(database.to_city).where(what)).scalar_one()

    first = sql.select(sql.func.min(_own.id)).where(_waiting).scalar_subquery()
    oldest = sql.select(_event.taken_ms).join(
        database.to_city, (_event.dev == _own.dev) & (_event.seq == _own.seq)).where(_own.id == first)
    return ForwardBacklog(count(_waiting), db.execute(oldest).scalar(), count(~_waiting))
