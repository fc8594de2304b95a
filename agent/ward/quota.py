"""How much a ward takes from one device: messages at a pace, and room in the database for events. Pure.

Both are buckets that run dry steadily: what would flow over is not taken and gets no receipt, so a device that means it
well keeps it, and offers it again later. A city has no such bounds: its senders are forwarders, whose wards have them.
"""
from dataclasses import dataclass, field
from typing import Literal

# `over_spool` is the intake's; with `not_taken` a message was none of the contract's; of `cloned` there are two.
Excess = Literal["over_rate", "over_room", "over_spool", "not_taken", "cloned"]

# A device sends 20 events a second at most (docs/design/ward.md), some 600 bytes each.
PACE_B_PER_S = 50_000
BURST_B = 8_000_000             # what waits of one device at a broker whose ingest was away
MESSAGE_B = 500                 # what a message costs beside its payload
DAY_S = 86_400
KNOWN_MAX = 20_000              # devices; those beyond are judged anew when room is made
LASTS_S = 600.0                 # so long a device counts as one that is over its share


@dataclass(slots=True)
class Bucket:
    """Bytes that run off at a steady pace."""

    size_b: float
    b_per_s: float
    level_b: float = 0.0
    at_mono_s: float = 0.0

    def room_b(self, now_mono_s: float) -> float:
        """How much it would take now."""
        self.level_b = max(0.0, self.level_b - (now_mono_s - self.at_mono_s) * self.b_per_s)
        self.at_mono_s = now_mono_s
        return self.size_b - self.level_b

    def pour(self, more_b: int) -> None:
        """Fill in as much, even beyond its brim."""
        self.level_b += more_b


@dataclass(slots=True)
class Share:
    """One device's buckets, and when it was last over them."""

    pace: Bucket
    room: Bucket
    over_mono_s: float = float("-inf")
    noted_mono_s: dict[Excess, float] = field(default_factory=dict)


class Quota:
    """What each device has used of its share."""

    def __init__(self, room_b: float, bounded: bool = True) -> None:
        """`room_b` is for a device's events, at once and in a day; where nobody is `bounded`, all is taken."""
        self._room_b, self._bounded = room_b, bounded
        self._shares: dict[str, Share] = {}

    def excess(self, dev: str, payload_b: int, is_event: bool, now_mono_s: float) -> Excess | None:
        """Why a message is not taken now; None if it is, and then it counts."""
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
        """A new event of so many bytes has come into the database."""
        if self._bounded:
            self._share(dev, now_mono_s).room.pour(event_b)

    def is_news(self, dev: str, why: Excess, now_mono_s: float, every_s: float) -> bool:
        """Whether that was not told in the last `every_s`; from now on it was."""
        noted = self._share(dev, now_mono_s).noted_mono_s
        if now_mono_s - noted.get(why, float("-inf")) < every_s:
            return False
        noted[why] = now_mono_s
        return True

    def is_over(self, dev: str, now_mono_s: float) -> bool:
        """Whether it was over its share a moment ago."""
        return dev in self._shares and now_mono_s - self._shares[dev].over_mono_s < LASTS_S

    def over_n(self, now_mono_s: float) -> int:
        """How many devices are over their share."""
        return sum(self.is_over(dev, now_mono_s) for dev in self._shares)

    def _share(self, dev: str, now_mono_s: float) -> Share:
        if (share := self._shares.get(dev)) is None:
            if len(self._shares) >= KNOWN_MAX:
                self._shares.clear()
            share = self._shares[dev] = Share(Bucket(BURST_B, PACE_B_PER_S, at_mono_s=now_mono_s),
                                              Bucket(self._room_b, self._room_b / DAY_S, at_mono_s=now_mono_s))
        return share
