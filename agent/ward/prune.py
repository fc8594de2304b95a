"""Deletes old events, and remembers their seqs: a copy that comes late must not count as a new event.

Only seqs are remembered, as stretches of a device's boot: how many events there were, not of what kind or when.
"""
from collections.abc import Collection, Iterable
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import sqlalchemy as sql

from agent.ward import database, forward_marks
from agent.ward.database import put

KEPT = ("consent", "command", "config", "delivery")     # consent, orders and hand-overs are proofs, and stay


class PrunedStretch(NamedTuple):
    """The deleted events `first`..`last` of a boot."""

    first: int
    last: int
    boot: str


def joined(stretches: Iterable[PrunedStretch]) -> list[PrunedStretch]:
    """The same seqs in as few stretches as possible, by seq."""
    done: list[PrunedStretch] = []
    for each in sorted(stretches):
        if done and done[-1].boot == each.boot and each.first <= done[-1].last + 1:
            done[-1] = done[-1]._replace(last=max(done[-1].last, each.last))
        else:
            done.append(each)
    return done


def prune(db: sql.Connection, before_ms: int, limit_n: int, for_city: bool) -> int:
    """Delete up to `limit_n` of the oldest events that came before this moment (UTC ms); returns how many.

    Proofs stay; below a city, so do events that wait for it.
    """
    own = database.event.c
    asked = sql.select(own.dev, own.seq, own.boot).where(own.taken_ms < before_ms, own.kind.not_in(KEPT))
    if for_city:
        asked = asked.where(~forward_marks.waits(own.dev, own.seq))
    old = sorted(db.execute(asked.order_by(own.taken_ms).limit(limit_n)))
    for dev, rows in groupby(old, key=attrgetter("dev")):
        _remember(db, dev, [PrunedStretch(row.seq, row.seq, row.boot) for row in rows])
    if old:
        keys = [(row.dev, row.seq) for row in old]
        db.execute(sql.delete(database.event).where(sql.tuple_(own.dev, own.seq).in_(keys)))
    return len(old)


def remembered(db: sql.Connection, devs: Collection[str]) -> dict[str, list[PrunedStretch]]:
    """The deleted stretches of these devices."""
    own = database.pruned.c
    asked = sql.select(database.pruned).where(own.dev.in_(devs)).order_by(own.dev, own.first)
    return {dev: [PrunedStretch(row.first, row.last, row.boot) for row in rows]
            for dev, rows in groupby(db.execute(asked), key=attrgetter("dev"))}


def _remember(db: sql.Connection, dev: str, more: list[PrunedStretch]) -> None:
    known = remembered(db, [dev]).get(dev, [])
    db.execute(sql.delete(database.pruned).where(database.pruned.c.dev == dev))
    put(db, database.pruned, [{"dev": dev, **each._asdict()} for each in joined([*known, *more])], replace=False)
