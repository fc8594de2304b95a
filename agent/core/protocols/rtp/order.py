"""Decode times: RTP tells only when a frame is shown, MP4 wants to know when it is decoded.

With B-frames a frame is decoded earlier than frames that are shown before it. At most `depth` frames overtake any one,
so decode times are the show times in order, delayed by `depth` frames: each is known when its unit comes, and no unit
has to wait. Without B-frames the depth is 0 and both times are the same. (libavformat derives them like that, too.)
"""
from collections import deque
from heapq import heappushpop, nlargest

from agent.core.protocols.rtp.items import EncodedUnit

DEPTH_MAX = 16              # H.264 and H.265 allow no more
DEPTH_GUESS_MAX = 4         # where the parameter sets don't tell (or lie), a unit further back is a clock set anew
GAP_US = 5_000_000          # a unit so far ahead is no frame with B-frames before it: a pause, or a clock set anew
STEP_US = 40_000            # between the decode times of a run's first units, whose real ones are before its beginning
HOLD_MAX_N = 6              # where nothing tells the depth, so many first units are held and watched,
HOLD_US = 2_000_000         # but not for longer
NEVER_US = -(1 << 62)


class DecodeOrder:
    """Dates the units of one format. Within a run dts grows, and is never after pts; a new run is a jump in both."""

    def __init__(self, depth: int | None) -> None:
        """`depth`: how many frames may overtake another by the parameter sets, None if they don't tell."""
        self._depth = depth or 0
        self._held: list[EncodedUnit] | None = [] if depth is None else None
        self._shown: deque[int] = deque(maxlen=DEPTH_MAX)       # show times of the latest units
        self._due: list[int] = []       # a heap: the decode times, `depth` of them, that are next whatever comes
        self._newest_us = NEVER_US      # the latest show time
        self._last_us = NEVER_US        # the latest decode time

    def date(self, unit: EncodedUnit) -> list[EncodedUnit]:
        """The next unit in decode order, its dts open; returns those that can be dated now, nearly always this one."""
        if self._held is None:
            return [self._dated(unit)]
        self._held.append(unit)
        if len(self._held) < HOLD_MAX_N and abs(unit.pts_us - self._held[0].pts_us) < HOLD_US:
            return []
        return self.flush()

    def flush(self) -> list[EncodedUnit]:
        """The units that are still held, because no more will come or enough are there to see their order."""
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
        if dts_us <= self._last_us:     # two frames with one time, or the depth has just been learnt
            dts_us = self._last_us + 1
        self._last_us = dts_us
        if dts_us == pts_us == unit.dts_us:
            return unit
        return unit._replace(pts_us=max(pts_us, dts_us), dts_us=dts_us)

    def _look_back(self, unit: EncodedUnit) -> None:
        """The unit is not shown soon after all that came before it: is it a B-frame, or is the clock another one?"""
        overtook_n = sum(time > unit.pts_us for time in self._shown)
        if (unit.pts_us > self._newest_us or overtook_n > max(self._depth, DEPTH_GUESS_MAX)
                or (overtook_n and unit.key)):      # nothing decoded before a keyframe is shown after it
            self._shown.clear()
            self._newest_us, self._last_us = unit.pts_us, NEVER_US
            self._due = [unit.pts_us - ahead * STEP_US for ahead in range(self._depth, 0, -1)]
        elif overtook_n > self._depth:
            self._depth = overtook_n
            self._due = sorted(nlargest(overtook_n, self._shown))
