"""When a device was last over its share, and of what, sent what was not taken, or was there twice.

Written by ingest and intake, for `taimat ward watch` and the desk.
"""
from collections import defaultdict
from collections.abc import Iterable

import sqlalchemy as sql

from agent.ward import database
from agent.ward.quota import Excess

HOUR_MS = 3_600_000
SHOWN_MS: dict[Excess, int] = {"cloned": 24 * HOUR_MS}      # others an hour; who comes in the morning sees this, too


def note(db: sql.Connection, overs: Iterable[tuple[str, Excess]], now_ms: int) -> None:
    """These devices are over their share now, in the caller's transaction."""
    rows = [{"dev": dev, "what": what, "at_ms": now_ms} for dev, what in sorted(set(overs))]
    database.put(db, database.excess, rows, replace=True)


def read(engine: sql.Engine, now_ms: int) -> dict[str, list[str]]:
    """What each device was over of late. Raises DatabaseFault."""
    own, found = database.excess.c, defaultdict[str, list[str]](list)
    with database.transaction(engine) as db:
        for row in db.execute(sql.select(database.excess).order_by(own.dev, own.what)):
            if row.at_ms > now_ms - SHOWN_MS.get(row.what, HOUR_MS):
                found[row.dev].append(row.what)
    return found
