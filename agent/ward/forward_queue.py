"""What the city has no receipt for: one mark an event, made with it, gone with the city's receipt.

A mark that the city refused stays, with its reason, and is not offered again.
"""
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

import sqlalchemy as sql

from agent.ward import database
from agent.ward.database import put

_own, _event = database.to_city.c, database.event.c
_waiting = _own.code.is_(None)


class Parcel(NamedTuple):
    """An event on its way to the city."""

    id: int             # of its mark: the order in which events came
    dev: str
    seq: int
    message: str        # the CloudEvent, whole


class Backlog(NamedTuple):
    """How much waits."""

    waiting_n: int
    oldest_ms: int | None       # when the first of it came, UTC by the ward
    refused_n: int              # what the city will not take


def waits(dev: sql.ColumnElement[str], seq: sql.ColumnElement[int]) -> sql.ColumnElement[bool]:
    """Whether the city still has to get this event."""
    return sql.exists().where(_own.dev == dev, _own.seq == seq, _waiting)


def mark(db: sql.Connection, keys: Iterable[tuple[str, int]]) -> None:
    """The city has to get these events."""
    put(db, database.to_city, [{"dev": dev, "seq": seq} for dev, seq in keys], replace=False)


def mark_again(db: sql.Connection, dev: str, first: int, last: int) -> list[int]:
    """The city misses these seqs of a device: it has to get those that are here, even if it refused them once.

    Returns the ids of their marks.
    """
    marked = (_own.dev == dev) & _own.seq.between(first, last)
    db.execute(sql.update(database.to_city).where(marked).values(code=None))
    there = sql.exists().where(_own.dev == _event.dev, _own.seq == _event.seq)
    here = sql.select(_event.dev, _event.seq).where(_event.dev == dev, _event.seq.between(first, last), ~there)
    db.execute(sql.insert(database.to_city).from_select(["dev", "seq"], here.order_by(_event.seq)))
    return list(db.execute(sql.select(_own.id).where(marked)).scalars())


def waiting(db: sql.Connection, limit_n: int) -> list[int]:
    """The ids of the first marks that wait."""
    return list(db.execute(sql.select(_own.id).where(_waiting).order_by(_own.id).limit(limit_n)).scalars())


def parcels(db: sql.Connection, ids: Collection[int]) -> list[Parcel]:
    """The events of these marks, as far as they are still there, in order."""
    asked = sql.select(_own.id, _own.dev, _own.seq, _event.message).join(
        database.event, (_event.dev == _own.dev) & (_event.seq == _own.seq)).where(_own.id.in_(ids)).order_by(_own.id)
    return [Parcel(*row) for row in db.execute(asked)]


def settle(db: sql.Connection, ids: Collection[int]) -> None:
    """The city has these."""
    db.execute(sql.delete(database.to_city).where(_own.id.in_(ids)))


def set_aside(db: sql.Connection, id: int, code: str) -> None:
    """The city will never take this."""
    db.execute(sql.update(database.to_city).where(_own.id == id).values(code=code))


def measure(db: sql.Connection) -> Backlog:
    """How much waits now."""
    def count(what: Any) -> int:
        return db.execute(sql.select(sql.func.count()).select_from(database.to_city).where(what)).scalar_one()

    first = sql.select(sql.func.min(_own.id)).where(_waiting).scalar_subquery()
    oldest = sql.select(_event.taken_ms).join(
        database.to_city, (_event.dev == _own.dev) & (_event.seq == _own.seq)).where(_own.id == first)
    return Backlog(count(_waiting), db.execute(oldest).scalar(), count(~_waiting))
