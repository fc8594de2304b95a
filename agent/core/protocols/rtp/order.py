"""Computes decode times: RTP says only when a frame is shown, MP4 also needs when it is decoded.

With B-frames a frame is decoded earlier than frames that are shown before it. At most `depth` frames overtake any one.
So decode times are the sorted show times, delayed by `depth` frames: each is known when its unit comes, and no unit
must wait. Without B-frames the depth is 0 and both times are equal. libavformat does the same.
"""
from collections import deque
from heapq import heappushpop, nlargest

from agent.core.protocols.rtp.items import EncodedUnit

DEPTH_MAX = 16              # H.264 and H.265 allow no more
DEPTH_GUESS_MAX = 4  # if the parameter sets have no depth or a wrong one, a unit further back means a reset clock
GAP_US = 5_000_000          # a unit so far ahead means a pause or a reset clock, not B-frames
STEP_US = 40_000            # between the decode times of a run's first units, whose real ones are before its start
HOLD_MAX_N = 6              # if the depth is unknown, this many first units are held and watched,
HOLD_US = 2_000_000         # but not for longer
NEVER_US = -(1 << 62)


class DecodeOrder:
    """Dates the units of one format. Within a run dts grows, and is never after pts. A new run makes both jump."""

    def __init__(self, depth: int | None) -> None:
        """`depth`: how many frames may overtake another, by the parameter sets; None if unknown."""
        self._depth = depth or 0
        self._held: list[EncodedUnit] | None = [] if depth is None else None
        self._shown: deque[int] = deque(maxlen=DEPTH_MAX)       # show times of the latest units
        self._due: list[int] = []       # a heap: the next `depth` decode times
        self._newest_us = NEVER_US      # the latest show time
        self._last_us = NEVER_US        # the latest decode time

    def date(self, unit: EncodedUnit) -> list[EncodedUnit]:
        """Adds the next unit in decode order, without its dts. Returns the units that can be dated now, usually this
        one."""
        if self._held is None:
            return [self._dated(unit)]
        self._held.append(unit)
        if len(self._held) < HOLD_MAX_N and abs(unit.pts_us - self._held[0].pts_us) < HOLD_US:
            return []
        return self.flush()

    def flush(self) -> list[EncodedUnit]:
        """Returns the held units, because the stream ends or their order is known."""
        held, self._held = self._held or [], None
        times = [unit.pts_us for unit in held]
        overtaken = [sum(time > times[n] for time in times[:n]) for n in range(len(times))]
        self._depth = max((count for count in overtaken if count <= DEPTH_GUESS_MAX), default=self._depth)
        return [self._dated(unit) for unit in held]

    def _dated(self, unit: EncodedUnit) -> EncodedUnit:
        pts_us = unit.pts_us
        if not self._newest_us < pts_us <= self._newest_us + GAP_US:
            self._look_back(unit)
        self._newest_us = max(self._newest_us, pts_us)
        self._shown.append(pts_us)
        dts_us = heappushpop(self._due, pts_us)
        if dts_us <= self._last_us:     # two frames with one time, or the depth has just changed
            dts_us = self._last_us + 1
        self._last_us = dts_us
        if dts_us == pts_us == unit.dts_us:
            return unit
        return unit._replace(pts_us=max(pts_us, dts_us), dts_us=dts_us)

    def _look_back(self, unit: EncodedUnit) -> None:
        """The unit is shown earlier than others before it, or much later: is it a B-frame, or was the clock reset?"""
        overtook_n = sum(time > unit.pts_us for time in self._shown)
        if (unit.pts_us > self._newest_us or overtook_n > max(self._depth, DEPTH_GUESS_MAX)
                or (overtook_n and unit.key)):      # no frame decoded before a keyframe is shown after it
            self._shown.clear()
            self._newest_us, self._last_us = unit.pts_us, NEVER_US
            self._due = [unit.pts_us - ahead * STEP_US for ahead in range(self._depth, 0, -1)]
        elif overtook_n > self._depth:
            self._depth = overtook_n
            self._due = sorted(nlargest(overtook_n, self._shown))
