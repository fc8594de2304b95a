"""Blobs linked over time into tracks."""
from collections.abc import Callable

import cv2
import numpy as np

from agent.core.vision.motion.background import weight
from agent.core.vision.motion.blobs import Blob
from agent.core.vision.motion.confirm import buzzes, is_object, is_slow
from agent.core.vision.motion.lines import Lines, Way
from agent.core.vision.motion.settings import MotionSettings
from agent.core.vision.motion.track import Track

_SIZE_RATIO_MAX = 4.0             # a blob's area grows or shrinks by no more from one sight to the next
_REACH_SIZES = 0.4                # how far from the expected place, in sizes, plus one size for each second,
_REACH_SIZES_MAX = 1.5
_REACH_PX = 1.5                   # plus this,
_REACH_PX_PER_S = 10.0            # plus this for the time it was out of sight
_BLURRED = 0.8                    # share of the usual crispness that is asked of what goes fast and straight
_CLUTTER_S = 1.2                  # time constant of the clutter
_DOUBTFUL = 0.5                   # a track that is not confirmed counts half as clutter


class Tracker:
    """All tracks of one camera, at most `tracks_max`."""

    def __init__(self, settings: MotionSettings, first_number: int, shape: tuple[int, int], area_min: int) -> None:
        """Start with nothing in sight; tracks are numbered from `first_number` on.

        `shape` (height, width) is that of the analysed picture, `area_min` the area of the smallest blobs.
        """
        self._s = settings
        self._lines = Lines(shape, area_min)
        self.next_number = first_number
        self.tracks: list[Track] = []
        self.clutter = 0.0             # blobs a picture that belong to nothing, averaged over a second

    def step(self, blobs: list[Blob], busy: np.ndarray, crispness: Callable[[Blob], float],
             now_mono_s: float, dt_s: float) -> None:
        """Link `blobs` to the tracks, tell objects from the rest, drop the lost, begin new ones.

        `busy` is the plane of restlessness of the background; `crispness` tells that of a blob beside the scene's own.
        """
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
        """Blob number -> its way, for those that are certainly on one; what is known and slow needs none."""
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
        """Take it for an object if its edges are as crisp as those of one; on its way it may be blurred by that."""
        t.take_crispness(crispness(t.blob))
        t.confirmed = t.crispness > self._s.crisp_min * (_BLURRED if way and way.straight else 1.0)
        if way is not None:
            t.vx, t.vy = way.vx, way.vy

    def _link(self, blobs: list[Blob], now_mono_s: float, dt_s: float) -> dict[int, tuple[int, float]]:
        """Track number -> (blob number, distance from the expected place); the longest seen track chooses first."""
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
