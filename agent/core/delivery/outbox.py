"""Decides which message of the outbox goes next, when it is sent again, and which one is dropped if the box is full.
Pure.

A message is *offered* (published), then *taken* (the broker's PUBACK), then *settled* (the ward's receipt, or the
PUBACK if there is no ward). Only settling removes it. So a crash in between repeats a message and never loses one.
"""
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agent.core.contract.wire import Entry, GapData, Hour, rfc3339

BOUND_B = 64 * 1024 * 1024
QUARANTINE_KEPT_N = 1000
LARGEST_B = 8 * 1024                # of one payload
LATE_MS = 60_000                    # older than this when it is sent: marked `hist`
GIVES_WAY = ("health_hist", "label", "motion")       # dropped in this order; no other kind is
STRETCHES_MAX, HOURS_MAX = 120, 24          # keep a gap's message below LARGEST_B
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class OutboxPace:
    """The rate, the repetitions and the window of the outbox."""

    per_s: float = 20.0             # messages a second
    burst_n: float = 5.0            # burst without waiting: an event and its clip belong together
    again_s: float = 30.0           # sent again after this time without a receipt, doubled each time,
    again_max_s: float = 600.0      # up to this
    window_n: int = 500             # offered and not yet settled


@dataclass(slots=True)
class Offer:
    times_n: int
    due_mono_s: float               # sent again then
    flying: bool                    # no PUBACK yet


@dataclass(slots=True)
class Offers:
    """The messages out since this process started. Up to `cursor` all rows are out or settled, later ones not."""

    pace: OutboxPace = field(default_factory=OutboxPace)
    cursor: int = 0
    _out: dict[int, Offer] = field(default_factory=dict)
    _tokens: float = 0.0
    _filled_mono_s: float = float("-inf")

    def allowed_n(self, now_mono_s: float) -> int:
        gained = (now_mono_s - self._filled_mono_s) * self.pace.per_s
        self._tokens = min(self.pace.burst_n, self._tokens + gained)
        self._filled_mono_s = now_mono_s
        return int(self._tokens)

    def due(self, now_mono_s: float, limit_n: int) -> list[int]:
        ready = (seq for seq, offer in self._out.items() if not offer.flying and offer.due_mono_s <= now_mono_s)
        return sorted(ready)[:limit_n]

    @property
    def fresh_n(self) -> int:
        return max(0, self.pace.window_n - len(self._out))

    def offered(self, seq: int, now_mono_s: float) -> None:
        times_n = self._out[seq].times_n + 1 if seq in self._out else 1
        wait_s = min(self.pace.again_max_s, self.pace.again_s * 2.0 ** min(times_n - 1, 32))
        self._out[seq] = Offer(times_n, now_mono_s + wait_s, flying=True)
        self.cursor = max(self.cursor, seq)
        self._tokens -= 1

    def taken(self, seq: int) -> None:
        """Notes the broker's answer. The ward need not have the message yet."""
        if seq in self._out:
            self._out[seq].flying = False

    def settled(self, seqs: Iterable[int]) -> None:
        for seq in seqs:
            self._out.pop(seq, None)

    def out(self, seqs: Iterable[int]) -> list[int]:
        """Returns the `seqs` that are out. A receipt counts only for these, because the ward cannot have others."""
        return [seq for seq in seqs if seq in self._out]

    def out_upto(self, upto: int) -> list[int]:
        return [seq for seq in self._out if seq <= upto]

    def lost(self, now_mono_s: float) -> None:
        """The connection is gone. Messages without a PUBACK may be lost, so they are due at once on the next one."""
        for offer in self._out.values():
            if offer.flying:
                offer.flying, offer.due_mono_s = False, now_mono_s

    def shorten_waits(self, now_mono_s: float) -> None:
        """The ward listens again: each message is due after the first repetition's wait at most."""
        for offer in self._out.values():
            offer.due_mono_s = min(offer.due_mono_s, now_mono_s + self.pace.again_s)

    def again(self, first: int, last: int, now_mono_s: float) -> None:
        """The ward misses these messages: those that are out are due now. Later rows follow anyway."""
        for seq, offer in self._out.items():
            if first <= seq <= last:
                offer.due_mono_s = min(offer.due_mono_s, now_mono_s)

    def wait_s(self, now_mono_s: float, more: bool) -> float:
        """Returns the seconds until there is a message to send. `more`: new messages wait behind the cursor."""
        dues = [offer.due_mono_s for offer in self._out.values() if not offer.flying]
        if more and self.fresh_n:
            dues.append(now_mono_s)
        if not dues:
            return float("inf")
        token_s = max(0.0, (1 - self._tokens) / self.pace.per_s)
        return max(token_s, min(dues) - now_mono_s)


def is_late(entry: Entry, boot: str, mono_ms: int) -> bool:
    """Whether the message is late if it is sent at this moment of this boot. Uses no wall clock."""
    return entry.boot != boot or mono_ms - entry.mono_ms > LATE_MS


def fold(entries: Sequence[Entry]) -> tuple[GapData, int]:
    """Folds `entries` (oldest first, at least one) into a gap message. Returns it and how many entries fitted."""
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
    """Builds a gap message for the seqs of first..last that are not in `kept` (ascending). Returns it and its last seq.
    The message is None if no seq is missing. It ends before `last` if there are too many stretches for one message."""
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
    """An event counts in the hour in which it began; its length in the hour in which it ended."""
    data: dict[str, Any] = msgspec.json.decode(entry.data)
    dur_ms = data.get("dur_ms")
    if hour is None:
        time = None if entry.clock == "unset" else rfc3339(entry.wall_ms)
        hour = Hour(c=entry.camera, boot=entry.boot, mono_ms=entry.mono_ms, motion_n=0, dur_ms=0, time=time)
    return msgspec.structs.replace(hour, motion_n=hour.motion_n + (data.get("phase") == "start"),
                                   dur_ms=hour.dur_ms + (dur_ms if isinstance(dur_ms, int) else 0))
