"""What the ward's database says at the end."""
from collections.abc import Iterator, Mapping

import msgspec
import sqlalchemy as sql

from agent.ward import database


def kept(url: str, made: Mapping[str, int]) -> tuple[int, int]:
    """How many events the database has, and how many of those that each device `made` it has not.

    A device's seqs count from 1, and (device, seq) is the table's key: what is there is there once. Raises
    DatabaseFault.
    """
    own = database.event.c
    asked = sql.select(own.dev, sql.func.count(), sql.func.max(own.seq)).group_by(own.dev)
    engine = database.open_engine(url, read_only=True)
    with engine.connect() as db:
        found = {dev: (n, top) for dev, n, top in db.execute(asked)}
    engine.dispose()
    strange_n = sum(n for dev, (n, top) in found.items() if top > made.get(dev, 0))
    kept_n = sum(n for n, _ in found.values()) - strange_n
    return kept_n, sum(made.values()) - kept_n


def health_lags_s(url: str) -> Iterator[float]:
    """Of each device's last report: seconds from its making to its being taken in. Raises DatabaseFault."""
    own = database.device.c
    engine = database.open_engine(url, read_only=True)
    with engine.connect() as db:
        for text, taken_ms in db.execute(sql.select(own.health, own.health_ms).where(own.health.is_not(None))):
            yield (taken_ms - msgspec.json.decode(text)["ts"]) / 1000
    engine.dispose()
