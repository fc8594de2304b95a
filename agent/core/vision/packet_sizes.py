"""Packet sizes as a hint: more bytes than a quiet scene needs may mean motion. Pure."""
from dataclasses import dataclass
from math import exp, log2

WINDOW_S = 0.4          # one large packet means nothing
LEARN_S = 10.0          # time in which the quiet level adapts
FIRST_N = 3             # packets that weigh against the first ones
QUIET_SHARE = 0.3       # this share of packets is below the level
SPREAD_MIN = 0.1        # in doublings; no encoder is more exact
SPREAD_FIRST = 0.2
FAR = 3.0               # one packet changes the spread by at most this many spreads
STEP = 4.0              # spreads that the level moves in LEARN_S if all packets are on one side of it


@dataclass(slots=True)
class PacketSizes:
    """How much larger packets are than in the scene's quiet moments. Use it only to start a closer look, not to skip
    one.

    An encoder with a fixed bit rate makes all packets alike, and rain is as loud as people: docs/design/motion.md says
    how useful such a hint is. The level is a low quantile of the sizes' logarithm, followed step by step. The spread
    is that of the packets below it, because those above it may be the event.
    """

    level: float = 0.0              # log2 of bytes
    spread: float = SPREAD_FIRST
    excess: float = 0.0           # of the last moments, in spreads above the level
    seen_n: int = 0
    last_mono_s: float = 0.0
    after_key: bool = False

    def step(self, size_b: int, key: bool, mono_s: float) -> float:
        """Takes the next packet. Returns the excess. Keyframes and the packets right after them are ignored."""
        since_s, self.last_mono_s = max(0.0, mono_s - self.last_mono_s), mono_s
        if key or self.after_key:
            self.after_key = key
            return self.excess
        self.seen_n += 1
        size = log2(max(1, size_b))
        if self.seen_n == 1:
            self.level = size
            return self.excess
        off, spread = size - self.level, max(self.spread, SPREAD_MIN)
        self.excess += (1 - exp(-since_s / WINDOW_S)) * (off / spread - self.excess)
        new = max(1 - exp(-since_s / LEARN_S), 1 / (self.seen_n + FIRST_N))
        self.level += STEP * new * spread * (QUIET_SHARE if off > 0 else QUIET_SHARE - 1)
        if off < 0:
            self.spread += min(1.0, 2 * new) * (1.5 * min(-off, FAR * spread) - self.spread)
        return self.excess
