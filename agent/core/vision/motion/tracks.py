"""Links blobs over time into tracks, and decides which tracks are objects.

All lengths are in pixels of the analysed picture.
"""
from collections.abc import Callable
from math import exp

import cv2
import numpy as np

from agent.core.vision.motion.background import weight
from agent.core.vision.motion.blobs import Blob
from agent.core.vision.motion.lines import Lines, Way
from agent.core.vision.motion.settings import MotionSettings
from agent.core.vision.motion.track import Track

_SIZE_RATIO_MAX = 4.0             # a blob's area changes by at most this factor from one sight to the next
_REACH_SIZES = 0.4                # distance from the expected place, in sizes, plus one size for each second,
_REACH_SIZES_MAX = 1.5
_REACH_PX = 1.5                   # plus this,
_REACH_PX_PER_S = 10.0            # plus this for the time out of sight
_BLURRED = 0.8                    # share of the usual crispness for things that go fast and straight
_CLUTTER_S = 1.2                  # time constant of the clutter
_DOUBTFUL = 0.5                   # an unconfirmed track counts half as clutter
_CLOSE_S = 0.1            # pictures this close in time overlap as the settings demand
_OVERLAP_FADE_S = 0.5     # with more time between them, less overlap is needed
_SLOW_S = 0.15            # pictures this far apart show more of the way: a big blob needs one sight less
_BIG_OVERLAP = 0.9        # a big solid blob needs this share of the others' overlap
_BIG_FAST = 2.0           # and may be this many times faster
_FAST = 1.5               # things this many times faster than people must follow a line
_HIDDEN_PX = 1.0          # part of its length that the background's tolerance hides
_OWN_UNREST = 0.5         # a waiting thing makes its own place restless, by this share of the possible gain
_ROUNDING_S = 0.01        # times are sums of fractions
_IN_SIGHT_SHARE = 0.75    # a thing that stays in place has been in sight for this share of its life


def is_object(t: Track, restless: float, clutter: float, now_mono_s: float, dt_s: float, s: MotionSettings) -> bool:
    """Whether the track is an object. `restless` is the restlessness of its place (0..busy_max), `clutter` the
    unexplained blobs in a picture, `dt_s` the time since the picture before."""
    big = _is_big(t, s)
    if t.hits_n < s.confirm_hits_n - (big and dt_s > _SLOW_S):
        return False
    overlap_min = s.overlap * exp(-max(0.0, dt_s - _CLOSE_S) / _OVERLAP_FADE_S)
    age_s = now_mono_s - t.born_mono_s + _ROUNDING_S
    if big and t.overlap > _BIG_OVERLAP * overlap_min and not _is_fast(t, age_s, _BIG_FAST, s):
        return True
    if age_s < s.confirm_s + s.clutter_s * clutter:
        return False
    return (t.overlap > overlap_min and _travels(t, restless, age_s, s)) or _stays(t, restless, age_s, now_mono_s, s)


def buzzes(t: Track, now_mono_s: float, s: MotionSettings) -> bool:
    """Whether a confirmed track is fast for its size and turns: an insect near the lens."""
    return _is_fast(t, now_mono_s - t.born_mono_s, 1.0, s) and t.surprise_px > _surprise_max_px(t, s)


def is_slow(t: Track, now_mono_s: float, s: MotionSettings) -> bool:
    return not _is_fast(t, now_mono_s - t.born_mono_s, 1.0, s)


def _surprise_max_px(t: Track, s: MotionSettings) -> float:
    return s.surprise_px + s.surprise_sizes * t.size_px


def _is_fast(t: Track, age_s: float, times: float, s: MotionSettings) -> bool:
    return t.path_px > times * s.speed_sizes_per_s * age_s * (t.size_px + _HIDDEN_PX)


def _is_big(t: Track, s: MotionSettings) -> bool:
    return t.blob.share > s.big_pct / 100 and t.blob.strong_n > s.big_solid * t.blob.area


def _travels(t: Track, restless: float, age_s: float, s: MotionSettings) -> bool:
    """Far enough for its size, straight enough, and near the expected place. Fast things need a line instead."""
    surprise_max_px = _surprise_max_px(t, s) * (s.fast_surprise if _is_fast(t, age_s, 1.0, s) else 1.0)
    others = max(0.0, restless - _OWN_UNREST * s.busy_grow_per_s * age_s)
    way_min_px = (s.travel_px + s.travel_sizes * t.size_px) * (1 + others)
    return (not _is_fast(t, age_s, _FAST, s) and t.net_px > way_min_px and t.net_px > s.straight * t.path_px
            and t.surprise_px < surprise_max_px)


def _stays(t: Track, restless: float, age_s: float, now_mono_s: float, s: MotionSettings) -> bool:
    return (age_s > s.stay_s and now_mono_s - t.moved_mono_s < s.rest_s
            and t.overlap > s.stay_overlap and restless < s.stay_busy_max
            and t.unbroken_s > _IN_SIGHT_SHARE * age_s and not _is_fast(t, age_s, 1.0, s))


class Tracker:
    """All tracks of one camera, at most `tracks_max`."""

    def __init__(self, settings: MotionSettings, first_number: int, shape: tuple[int, int], area_min: int) -> None:
        """Starts with nothing in sight. Track numbers start at `first_number`. `shape` (height, width) is that of the
        analysed picture, `area_min` the area of the smallest blobs."""
        self._s = settings
        self._lines = Lines(shape, area_min)
        self.next_number = first_number
        self.tracks: list[Track] = []
        self.clutter = 0.0             # unexplained blobs in a picture, averaged over a second

    def step(self, blobs: list[Blob], busy: np.ndarray, crispness: Callable[[Blob], float],
             now_mono_s: float, dt_s: float) -> None:
        """Links `blobs` to the tracks, confirms objects, drops lost tracks and begins new ones. `busy` is the
        background's plane of restlessness; `crispness` returns that of a blob relative to the scene's own."""
        if not blobs and not self.tracks:
            self.clutter -= weight(dt_s, _CLUTTER_S) * self.clutter
            return
        s = self._s
        links = self._link(blobs, now_mono_s, dt_s)
        for i, (j, surprise_px) in links.items():
            self.tracks[i].see(blobs[j], surprise_px, now_mono_s, dt_s, s)
        ways = self._ways(blobs, links, now_mono_s, dt_s)
        for i, (j, _) in links.items():
            self._judge(self.tracks[i], ways.get(j), busy, crispness, now_mono_s, dt_s)
        linked = {j for j, _ in links.values()}
        loose = [blob for j, blob in enumerate(blobs) if j not in linked]
        doubtful_n = sum(not self.tracks[i].confirmed for i in links)
        self.clutter += weight(dt_s, _CLUTTER_S) * (len(loose) + _DOUBTFUL * doubtful_n - self.clutter)
        kept = [t for t in self.tracks if now_mono_s - t.seen_mono_s <= dt_s + self._patience_s(t)]
        new = loose[:s.tracks_max - len(kept)]
        begun = [Track.begin(self.next_number + i, blob, now_mono_s) for i, blob in enumerate(new)]
        self.next_number += len(new)
        for t in begun if ways else ():
            if (way := ways.get(blobs.index(t.blob))) is not None:
                self._confirm(t, way, crispness)
        self.tracks = kept + begun

    def _patience_s(self, t: Track) -> float:
        return self._s.lost_confirmed_s if t.confirmed else self._s.lost_s

    def _ways(self, blobs: list[Blob], links: dict[int, tuple[int, float]], now_mono_s: float,
              dt_s: float) -> dict[int, Way]:
        """Blob index -> its way, for those that certainly have one. Known slow tracks need none."""
        known = {j: self.tracks[i] for i, (j, _) in links.items() if self.tracks[i].confirmed}
        asked = [j for j in range(len(blobs)) if j not in known or not is_slow(known[j], now_mono_s, self._s)]
        ways = self._lines.step([blobs[j] for j in asked], [j not in known for j in asked], self.clutter, now_mono_s,
                                dt_s, self._s.confirm_s)
        return {asked[k]: way for k, way in ways.items()}

    def _judge(self, t: Track, way: Way | None, busy: np.ndarray, crispness: Callable[[Blob], float],
               now_mono_s: float, dt_s: float) -> None:
        if t.confirmed:
            t.confirmed = way is not None or not buzzes(t, now_mono_s, self._s)
            return
        b = t.blob
        restless = cv2.mean(busy[b.y:b.y + b.h, b.x:b.x + b.w])[0]
        if way is not None or is_object(t, restless, self.clutter, now_mono_s, dt_s, self._s):
            self._confirm(t, way, crispness)

    def _confirm(self, t: Track, way: Way | None, crispness: Callable[[Blob], float]) -> None:
        """Confirms the track if its edges are crisp enough; a straight fast way may blur them."""
        t.take_crispness(crispness(t.blob))
        t.confirmed = t.crispness > self._s.crisp_min * (_BLURRED if way and way.straight else 1.0)
        if way is not None:
            t.vx, t.vy = way.vx, way.vy

    def _link(self, blobs: list[Blob], now_mono_s: float, dt_s: float) -> dict[int, tuple[int, float]]:
        """Track index -> (blob index, distance from the expected place). Tracks with more sights choose first."""
        if not blobs or not self.tracks:
            return {}
        seen = np.array([(b.cx, b.cy, max(b.w, b.h), b.area) for b in blobs])
        known = np.array([
            (*t.expected(now_mono_s), t.size_px, t.area, now_mono_s - t.seen_mono_s) for t in self.tracks])
        away = np.hypot(known[:, None, 0] - seen[:, 0], known[:, None, 1] - seen[:, 1])
        since = known[:, None, 4]
        reach = np.maximum(known[:, None, 2], seen[:, 2]) * np.minimum(_REACH_SIZES + since, _REACH_SIZES_MAX)
        reach += _REACH_PX + _REACH_PX_PER_S * (since - dt_s)
        ratio = seen[:, 3] / known[:, None, 3]
        pairs = np.argwhere((away < reach) & (ratio < _SIZE_RATIO_MAX) & (ratio > 1 / _SIZE_RATIO_MAX))
        links: dict[int, tuple[int, float]] = {}
        taken: set[int] = set()
        for i, j in sorted(pairs.tolist(), key=lambda pair: (-self.tracks[pair[0]].hits_n, away[pair[0], pair[1]])):
            if i not in links and j not in taken:
                links[i] = (j, float(away[i, j]))
                taken.add(j)
        return links
