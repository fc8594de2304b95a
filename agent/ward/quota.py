"""How much a ward takes from one device: messages by rate, and room in the database for events.

Both are buckets that drain steadily. A message that would overflow one is not taken and gets no receipt, so an honest
device keeps it and offers it again later. A city has no such limits: its senders are forwarders, whose wards have them.

Ingest and intake also store when a device was last over its share, sent what was not taken, or was there twice, for
`taimat ward watch` and the desk.
"""
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import sqlalchemy as sql

from agent.ward import database

# `over_spool` is the intake's; with `not_taken` a message was none of the contract's; of `cloned` there are two.
Excess = Literal["over_rate", "over_room", "over_spool", "not_taken", "cloned"]

# A device sends 20 events a second at most (docs/design/ward.md), some 600 bytes each.
PACE_B_PER_S = 50_000
BURST_B = 8_000_000             # the backlog of one device at a broker whose ingest was away
MESSAGE_B = 500                 # what a message costs beside its payload
DAY_S = 86_400
KNOWN_MAX = 20_000              # devices; beyond it, all start again at zero
LASTS_S = 600.0                 # how long a device counts as being over its share


@dataclass(slots=True)
class Bucket:
    size_b: float
    b_per_s: float
    level_b: float = 0.0
    at_mono_s: float = 0.0

    def room_b(self, now_mono_s: float) -> float:
        self.level_b = max(0.0, self.level_b - (now_mono_s - self.at_mono_s) * self.b_per_s)
        self.at_mono_s = now_mono_s
        return self.size_b - self.level_b

    def pour(self, more_b: int) -> None:
        """Adds bytes, even beyond the size."""
        self.level_b += more_b


@dataclass(slots=True)
class Share:
    """One device's buckets, and when it was last over them."""

    pace: Bucket
    room: Bucket
    over_mono_s: float = float("-inf")
    noted_mono_s: dict[Excess, float] = field(default_factory=dict)


class Quota:
    def __init__(self, room_b: float, bounded: bool = True) -> None:
        """`room_b` is for a device's events, at once and in a day; if not `bounded`, everything is taken."""
        self._room_b, self._bounded = room_b, bounded
        self._shares: dict[str, Share] = {}

    def excess(self, dev: str, payload_b: int, is_event: bool, now_mono_s: float) -> Excess | None:
        """Returns why a message is not taken now, or None; then it counts."""
        if not self._bounded:
            return None
        share = self._share(dev, now_mono_s)
        cost_b = payload_b + MESSAGE_B
        why: Excess | None = None
        if share.pace.room_b(now_mono_s) < cost_b:
            why = "over_rate"
        elif is_event and share.room.room_b(now_mono_s) < payload_b:
            why = "over_room"
        if why:
            share.over_mono_s = now_mono_s
        else:
            share.pace.pour(cost_b)
        return why

    def keep(self, dev: str, event_b: int, now_mono_s: float) -> None:
        if self._bounded:
            self._share(dev, now_mono_s).room.pour(event_b)

    def is_news(self, dev: str, why: Excess, now_mono_s: float, every_s: float) -> bool:
        """Whether this was not logged in the last `every_s`; notes it as logged."""
        noted = self._share(dev, now_mono_s).noted_mono_s
        if now_mono_s - noted.get(why, float("-inf")) < every_s:
            return False
        noted[why] = now_mono_s
        return True

    def is_over(self, dev: str, now_mono_s: float) -> bool:
        """Whether it was over its share in the last LASTS_S."""
        return dev in self._shares and now_mono_s - self._shares[dev].over_mono_s < LASTS_S

    def over_n(self, now_mono_s: float) -> int:
        return sum(self.is_over(dev, now_mono_s) for dev in self._shares)

    def _share(self, dev: str, now_mono_s: float) -> Share:
        if (share := self._shares.get(dev)) is None:
            if len(self._shares) >= KNOWN_MAX:
                self._shares.clear()
            share = self._shares[dev] = Share(Bucket(BURST_B, PACE_B_PER_S, at_mono_s=now_mono_s),
                                              Bucket(self._room_b, self._room_b / DAY_S, at_mono_s=now_mono_s))
        return share


HOUR_MS = 3_600_000
SHOWN_MS: dict[Excess, int] = {"cloned": 24 * HOUR_MS}      # others an hour; this one is still shown the next morning


def note_excess(db: sql.Connection, overs: Iterable[tuple[str, Excess]], now_ms: int) -> None:
    rows = [{"dev": dev, "what": what, "at_ms": now_ms} for dev, what in sorted(set(overs))]
    database.put(db, database.excess, rows, replace=True)


def read_excesses(engine: sql.Engine, now_ms: int) -> dict[str, list[str]]:
    """Returns the recent excesses of each device. Raises DatabaseFault."""
    own, found = database.excess.c, defaultdict[str, list[str]](list)
    with database.transaction(engine) as db:
        for row in db.execute(sql.select(database.excess).order_by(own.dev, own.what)):
            if row.at_ms > now_ms - SHOWN_MS.get(row.what, HOUR_MS):
                found[row.dev].append(row.what)
    return found
