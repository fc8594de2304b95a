"""Deletes old events and remembers which they were: a copy that comes late must not be taken for a new event.

What is remembered is seqs alone, as stretches of one boot of a device: how many events there were, not when or of what.
"""
from collections.abc import Collection, Iterable
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import sqlalchemy as sql

from agent.ward import database
from agent.ward import forward_queue as marks
from agent.ward.database import put

KEPT = ("consent", "command", "config", "delivery")     # who agreed and ordered, what was handed over: proof, for good


class Stretch(NamedTuple):
    """The events `first`..`last` of a boot were here."""

    first: int
    last: int
    boot: str


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """The same seqs in as few stretches as possible, by seq."""
    done: list[Stretch] = []
    for each in sorted(stretches):
        if done and done[-1].boot == each.boot and each.first <= done[-1].last + 1:
            done[-1] = done[-1]._replace(last=max(done[-1].last, each.last))
        else:
            done.append(each)
    return done


def prune(db: sql.Connection, before_ms: int, limit_n: int, for_city: bool) -> int:
    """Delete up to so many of the oldest events that came before this (UTC ms); returns how many.

    What is a proof stays; with a city above, so does what it has not got yet.
    """
    own = database.event.c
    asked = sql.select(own.dev, own.seq, own.boot).where(own.taken_ms < before_ms, own.kind.not_in(KEPT))
    if for_city:
        asked = asked.where(~marks.waits(own.dev, own.seq))
    old = sorted(db.execute(asked.order_by(own.taken_ms).limit(limit_n)))
    for dev, rows in groupby(old, key=attrgetter("dev")):
        _remember(db, dev, [Stretch(row.seq, row.seq, row.boot) for row in rows])
    if old:
        keys = [(row.dev, row.seq) for row in old]
        db.execute(sql.delete(database.event).where(sql.tuple_(own.dev, own.seq).in_(keys)))
    return len(old)


def remembered(db: sql.Connection, devs: Collection[str]) -> dict[str, list[Stretch]]:
    """The stretches of these devices that were deleted."""
    own = database.pruned.c
    asked = sql.select(database.pruned).where(own.dev.in_(devs)).order_by(own.dev, own.first)
    return {dev: [Stretch(row.first, row.last, row.boot) for row in rows]
            for dev, rows in groupby(db.execute(asked), key=attrgetter("dev"))}


def _remember(db: sql.Connection, dev: str, more: list[Stretch]) -> None:
    known = remembered(db, [dev]).get(dev, [])
    db.execute(sql.delete(database.pruned).where(database.pruned.c.dev == dev))
    put(db, database.pruned, [{"dev": dev, **each._asdict()} for each in joined([*known, *more])], replace=False)
