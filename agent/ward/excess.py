"""When a device was last over its share, and of what, or sent what was not taken: written by ingest and intake, for
`taimat ward watch`.
"""
from collections import defaultdict
from collections.abc import Iterable

import sqlalchemy as sql

from agent.ward import database
from agent.ward.quota import Excess

SHOWN_MS = 3_600_000


def note(db: sql.Connection, overs: Iterable[tuple[str, Excess]], now_ms: int) -> None:
    """These devices are over their share now, in the caller's transaction."""
    rows = [{"dev": dev, "what": what, "at_ms": now_ms} for dev, what in sorted(set(overs))]
    database.put(db, database.excess, rows, replace=True)


def read(engine: sql.Engine, now_ms: int) -> dict[str, list[str]]:
    """What each device was over in the last hour. Raises DatabaseFault."""
    own, found = database.excess.c, defaultdict[str, list[str]](list)
    with database.transaction(engine) as db:
        for row in db.execute(sql.select(own.dev, own.what).where(own.at_ms > now_ms - SHOWN_MS).order_by(own.what)):
            found[row.dev].append(row.what)
    return found
