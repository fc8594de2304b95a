"""Computes a rate at which an upload disturbs nothing else in the house. Pure: the caller passes measurements.

Packets that wait in a router's queue lengthen the round trip. Like LEDBAT (RFC 6817), this slows down as soon as they
wait longer than `TARGET_S`, no matter what filled it, and speeds up slowly. Unlike LEDBAT, it uses only a share of the
line's capacity. To measure the capacity, it sometimes speeds up for a moment until the queue begins to grow.
"""
from dataclasses import dataclass, field

TARGET_S = 0.04                 # of waiting in queues: too short to disturb a phone call
LAZY_S, LAZY_B_S = 0.04, 75_000.0       # a kernel delays its answer by this time if no second packet follows
# soon again after different results, because one may be wrong; less often after two that agree
PROBE_EVERY_S = (8.0, 120.0)
ALIKE = 1.5
GROWN, FLAT_MAX = 1.05, 8
GROWTH, BACK_OFF, RECOVERY = 1.25, 0.6, 1.06    # factors of the rate for each round trip
START_B_S, FLOOR_B_S, CEILING_B_S = 32_000.0, 8_000.0, 50_000_000.0     # bytes a second
AHEAD = 3.0  # the rate is at most this times what arrives: otherwise a loss would look like a fast line
ROUND_MIN_S = 0.05


@dataclass(frozen=True, slots=True)
class LineSample:
    """The kernel's measurements of a connection."""

    rtt_s: float                # recent, smoothed
    base_s: float               # the shortest of the last minutes
    arrives_b_s: float          # bytes a second at the other end


@dataclass(slots=True)
class Uplink:
    """The rate for one upload, which may use `share` (0..1) of the line."""

    share: float
    rate_b_s: float = START_B_S
    line_b_s: float | None = None           # the line's capacity; None during its measurement
    _known_b_s: float = field(default=0.0, init=False)      # the last measured capacity
    _best_b_s: float = field(default=0.0, init=False)
    _flat_n: int = field(default=0, init=False)             # rounds without growth
    _round_mono_s: float = field(default=float("-inf"), init=False)
    _probe_mono_s: float = field(default=float("inf"), init=False)
    _patience_s: float = field(default=PROBE_EVERY_S[0], init=False)

    def see(self, now_mono_s: float, sight: LineSample) -> None:
        """Updates the rate once in each round trip without queues: a growing queue must not slow the updates down."""
        if now_mono_s - self._round_mono_s < max(ROUND_MIN_S, sight.base_s):
            return
        self._round_mono_s = now_mono_s
        lazy_s = LAZY_S if self.rate_b_s < LAZY_B_S else 0.0
        waits = sight.rtt_s - sight.base_s - lazy_s > TARGET_S
        if self.line_b_s is None:
            self._probe(now_mono_s, sight, waits)
        elif waits:
            self.rate_b_s = max(FLOOR_B_S, self.rate_b_s * BACK_OFF)
        elif now_mono_s >= self._probe_mono_s:
            self.line_b_s, self._best_b_s, self._flat_n = None, 0.0, 0
        else:
            self.rate_b_s = min(self._own_b_s, self.rate_b_s * RECOVERY)

    @property
    def _own_b_s(self) -> float:
        return max(FLOOR_B_S, self.share * (self.line_b_s or 0.0))

    def _probe(self, now_mono_s: float, sight: LineSample, waits: bool) -> None:
        """Ends when a queue grows, or the arriving rate no longer does: TCP's own limit, as on a lossy line."""
        self._flat_n = 0 if sight.arrives_b_s > GROWN * self._best_b_s else self._flat_n + 1
        self._best_b_s = max(self._best_b_s, sight.arrives_b_s)
        if waits or self._flat_n > FLAT_MAX:
            self._found(now_mono_s, max(FLOOR_B_S, min(self._best_b_s, self.rate_b_s)))
        else:
            self.rate_b_s = min(CEILING_B_S, self.rate_b_s * GROWTH, max(START_B_S, AHEAD * self._best_b_s))

    def _found(self, now_mono_s: float, line_b_s: float) -> None:
        agrees = self._known_b_s / ALIKE <= line_b_s <= self._known_b_s * ALIKE
        self._patience_s = min(PROBE_EVERY_S[1], 2 * self._patience_s) if agrees else PROBE_EVERY_S[0]
        self.line_b_s = self._known_b_s = line_b_s
        self.rate_b_s, self._probe_mono_s = self._own_b_s * BACK_OFF, now_mono_s + self._patience_s
