"""Outbox policy: which message goes next, when it is offered again, and what gives way when the box is full. Pure.

A message is *offered* (published), then *taken* (the broker's PUBACK), then *settled* (the ward's receipt, or the
PUBACK where no ward is). Only settling removes it: whatever dies in between costs a repetition, never a message.
"""
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agent.core.contract.wire import Entry, GapData, Hour, rfc3339

BOUND_B = 64 * 1024 * 1024
LARGEST_B = 8 * 1024                # of one payload
LATE_MS = 60_000                    # older than this when sent: marked `hist`
GIVES_WAY = ("health_hist", "label", "motion")       # in this order; no other kind ever does
STRETCHES_MAX, HOURS_MAX = 120, 24          # keeps a gap's message below LARGEST_B
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class OutboxPace:
    """The rate, the repetitions and the window of the outbox."""

    per_s: float = 20.0             # messages a second
    burst_n: float = 5.0            # so many without waiting: an event and its clip belong together
    again_s: float = 30.0           # offered again after this long without a receipt, doubled each time,
    again_max_s: float = 600.0      # up to this
    window_n: int = 500             # offered and not yet settled


@dataclass(slots=True)
class Offer:
    """One message that is out."""

    times_n: int
    due_mono_s: float               # offered again then
    flying: bool                    # no PUBACK yet


@dataclass(slots=True)
class Offers:
    """What is out since this process started. All rows up to `cursor` are out or settled, none behind it is."""

    pace: OutboxPace = field(default_factory=OutboxPace)
    cursor: int = 0
    _out: dict[int, Offer] = field(default_factory=dict)
    _tokens: float = 0.0
    _filled_mono_s: float = float("-inf")

    def allowed_n(self, now_mono_s: float) -> int:
        """How many messages the rate allows now."""
        gained = (now_mono_s - self._filled_mono_s) * self.pace.per_s
        self._tokens = min(self.pace.burst_n, self._tokens + gained)
        self._filled_mono_s = now_mono_s
        return int(self._tokens)

    def due(self, now_mono_s: float, limit_n: int) -> list[int]:
        """Seqs to offer again now, oldest first."""
        ready = (seq for seq, offer in self._out.items() if not offer.flying and offer.due_mono_s <= now_mono_s)
        return sorted(ready)[:limit_n]

    @property
    def fresh_n(self) -> int:
        """How many new messages find a place in the window."""
        return max(0, self.pace.window_n - len(self._out))

    def offered(self, seq: int, now_mono_s: float) -> None:
        """Note that this message was published now."""
        times_n = self._out[seq].times_n + 1 if seq in self._out else 1
        wait_s = min(self.pace.again_max_s, self.pace.again_s * 2.0 ** min(times_n - 1, 32))
        self._out[seq] = Offer(times_n, now_mono_s + wait_s, flying=True)
        self.cursor = max(self.cursor, seq)
        self._tokens -= 1

    def taken(self, seq: int) -> None:
        """Note the broker's answer; whether the ward has the message is another matter."""
        if seq in self._out:
            self._out[seq].flying = False

    def settled(self, seqs: Iterable[int]) -> None:
        """Note that these are done for good."""
        for seq in seqs:
            self._out.pop(seq, None)

    def out(self, seqs: Iterable[int]) -> list[int]:
        """Those of `seqs` that are out. A receipt counts for these alone: nobody can have what was never offered."""
        return [seq for seq in seqs if seq in self._out]

    def out_upto(self, upto: int) -> list[int]:
        """What is out up to and including `upto`."""
        return [seq for seq in self._out if seq <= upto]

    def lost(self, now_mono_s: float) -> None:
        """The connection is gone: what was flying may never have arrived, so it is due at once on the next one."""
        for offer in self._out.values():
            if offer.flying:
                offer.flying, offer.due_mono_s = False, now_mono_s

    def hurry(self, now_mono_s: float) -> None:
        """The ward listens again: nothing waits longer than a first repetition does."""
        for offer in self._out.values():
            offer.due_mono_s = min(offer.due_mono_s, now_mono_s + self.pace.again_s)

    def again(self, first: int, last: int, now_mono_s: float) -> None:
        """The ward misses these: what is out of them is due now. What lies behind the cursor comes anyway."""
        for seq, offer in self._out.items():
            if first <= seq <= last:
                offer.due_mono_s = min(offer.due_mono_s, now_mono_s)

    def wait_s(self, now_mono_s: float, more: bool) -> float:
        """Seconds until there is something to offer; `more` says that new messages wait behind the cursor."""
        dues = [offer.due_mono_s for offer in self._out.values() if not offer.flying]
        if more and self.fresh_n:
            dues.append(now_mono_s)
        if not dues:
            return float("inf")
        token_s = max(0.0, (1 - self._tokens) / self.pace.per_s)
        return max(token_s, min(dues) - now_mono_s)


def is_late(entry: Entry, boot: str, mono_ms: int) -> bool:
    """Whether the message, sent at this moment of this boot, is history by then. No wall clock is asked."""
    return entry.boot != boot or mono_ms - entry.mono_ms > LATE_MS


def fold(entries: Sequence[Entry]) -> tuple[GapData, int]:
    """One gap message in the place of as many of `entries` (oldest first, at least one) as fit, and their number."""
    stretches: list[tuple[int, int]] = []
    hours: dict[tuple[str | None, str, int], Hour] = {}
    folded_n = 0
    for entry in entries:
        joins = bool(stretches) and stretches[-1][1] + 1 == entry.seq
        key = (entry.camera, entry.boot, entry.mono_ms // HOUR_MS)
        counted = entry.kind == "motion"
        too_wide = not joins and len(stretches) == STRETCHES_MAX
        too_long = counted and key not in hours and len(hours) == HOURS_MAX
        if too_wide or too_long:
            break
        stretches[-1:] = [(stretches[-1][0], entry.seq)] if joins else [*stretches[-1:], (entry.seq, entry.seq)]
        if counted:
            hours[key] = _count(hours.get(key), entry)
        folded_n += 1
    return GapData(code="outbox_full", missing=stretches, n=folded_n, hours=list(hours.values())), folded_n


def not_kept(first: int, last: int, kept: Iterable[int]) -> tuple[GapData | None, int]:
    """A gap message for the seqs of first..last that are not among `kept` (ascending), and how far it reaches.

    None where none is missing. It reaches less far than `last` where more stretches are missing than fit.
    """
    stretches: list[tuple[int, int]] = []
    at = first
    for seq in [*kept, last + 1]:
        if at < seq:
            if len(stretches) == STRETCHES_MAX:
                last = at - 1
                break
            stretches.append((at, seq - 1))
        at = seq + 1
    missing_n = sum(end - begin + 1 for begin, end in stretches)
    return GapData(code="not_kept", missing=stretches, n=missing_n) if stretches else None, last


def _count(hour: Hour | None, entry: Entry) -> Hour:
    """The hour with this message counted: an event counts where it began, its length where it ended."""
    data: dict[str, Any] = msgspec.json.decode(entry.data)
    if hour is None:
        time = None if entry.clock == "unset" else rfc3339(entry.wall_ms)
        hour = Hour(c=entry.camera, boot=entry.boot, mono_ms=entry.mono_ms, motion_n=0, dur_ms=0, time=time)
    return msgspec.structs.replace(hour, motion_n=hour.motion_n + (data.get("phase") == "start"),
                                   dur_ms=hour.dur_ms + (data.get("dur_ms") or 0))
