"""What the scene looks like when nothing happens, learned per pixel; and what differs from it now."""
from math import exp
from typing import NamedTuple

import cv2
import numpy as np

from agent.core.motion.glance import Glance
from agent.core.motion.picture import Picture
from agent.core.motion.settings import MotionSettings

_CLOSE = np.ones((3, 3), np.uint8)
_FIRST_DEVIATION = 0.03
_EARLIER_DEVIATIONS = 2.5    # as close as this to the earlier background is that background
_REST_DEVIATIONS = 1.5       # a pixel this close to a moment ago keeps still
_MOVE_DEVIATIONS = 2.2       # this far from a moment ago it moves
_OUTLIER_DEVIATIONS = 4.0    # one picture widens the deviation by no more than this
_WIDEN_UNDER = 0.35          # and by this share of the usual speed under something that is seen
_BRIGHTNESS_WEIGHT = 2.0     # what truly changed differs less in brightness than in contrast
_FORGIVE = 3.0               # a pixel that moves loses its time of rest so many times faster than it gained it
_WAY_PX_PER_S = 10.0         # a walker's way: what had changed is widened by it when pictures come slowly,
_WAY_FREE_S = 0.1            # but not when they are this close in time
_WAY_MAX_PX = 3


class Change(NamedTuple):
    """What differs from the background; planes of the analysed picture's shape."""

    mask: np.ndarray         # uint8 0/1: changed, small holes closed
    strong: np.ndarray       # bool: changed beyond doubt
    moving: np.ndarray       # bool: differs from a moment ago
    resting: np.ndarray      # bool: the same as a moment ago
    before: np.ndarray       # uint8 0/1: the mask of the picture before, widened by a walker's way since then
    threshold: np.ndarray    # float32: the contrast that counts as one deviation
    share: float             # changed share of the picture, 0..1


class Pace(NamedTuple):
    """How much time one learning step stands for."""

    since_s: float           # since the step before
    seen_s: float            # for which what is seen now has been there; shorter if the pictures between showed nothing


def weight(dt_s: float, time_constant_s: float) -> float:
    """Share of the new value in an exponential average after `dt_s`."""
    return 1.0 - exp(-dt_s / time_constant_s)


def _approach(average: np.ndarray, value: np.ndarray, share: np.ndarray | float) -> None:
    """Move `average` in place towards `value`."""
    average += np.float32(share) * (value - average)


class Background:
    """Mean contrast and brightness of every pixel, its deviation, an earlier background, and how restless it is."""

    def __init__(self, picture: Picture, settings: MotionSettings, ignored: np.ndarray | None) -> None:
        """Start from one picture. `ignored` is a bool plane of pixels that never count, or None."""
        self._s = settings
        self._counts = None if ignored is None else ~ignored
        self._shake = np.ones((2 * settings.shake_px + 1,) * 2, np.uint8)
        self._brightness = picture.brightness.copy()
        self._mean = picture.contrast.copy()
        self._earlier = picture.contrast.copy()
        self._recent = picture.contrast.copy()
        self._lately = picture.contrast.copy()
        self._deviation = np.full_like(self._mean, _FIRST_DEVIATION)
        self._still_s = np.zeros_like(self._mean)
        self._before = np.zeros(self._mean.shape, np.uint8)
        self._age_s = 0.0
        self.busy = np.zeros_like(self._mean)      # restlessness: 0 calm .. busy_max

    def compare(self, picture: Picture, dt_s: float) -> Change:
        """Tell what in `picture` is not background, `dt_s` after the picture before.

        A pixel counts only if two things changed: its contrast has left the range of the background's neighbourhood
        (leaves and a shaken camera stay inside), and its brightness is another one (what surrounds a bright object
        keeps its own).
        """
        s, contrast = self._s, picture.contrast
        usual = self._usual()
        threshold = self._threshold(usual)
        above = contrast - cv2.dilate(self._mean, self._shake)
        below = cv2.erode(self._mean, self._shake) - contrast
        lighter = cv2.absdiff(picture.brightness, self._brightness) / picture.scale
        excess = np.minimum(np.maximum(above, below), _BRIGHTNESS_WEIGHT * lighter) / threshold
        excess *= cv2.absdiff(contrast, self._earlier) >= _EARLIER_DEVIATIONS * usual
        if self._counts is not None:
            excess *= self._counts
        mask = cv2.morphologyEx((excess > s.grow_deviations).view(np.uint8), cv2.MORPH_CLOSE, _CLOSE)
        step = cv2.absdiff(contrast, self._recent) / threshold
        return Change(mask, excess > s.seed_deviations, step > _MOVE_DEVIATIONS, step < _REST_DEVIATIONS,
                      self._widened_before(dt_s), threshold, cv2.countNonZero(mask) / mask.size)

    def uneasy(self, picture: Picture, change: Change) -> np.ndarray:
        """Bool plane of pixels that differ from a while ago, with no tolerance for leaves or a shaken camera."""
        off = cv2.absdiff(picture.contrast, self._lately) > self._s.sway_deviations * change.threshold
        return off if self._counts is None else off & self._counts

    def glance(self, picture: Picture, share: float) -> Glance:
        """The levels within which no pixel reaches `share` of what is evidence by itself, in the light of `picture`.

        As in `compare`, a pixel counts only beyond both limits: that of the contrast and that of the brightness.
        Surroundings change less than what is in them, so a true change passes these limits before it is evidence.
        """
        evidence = share * self._s.seed_deviations * self._threshold(self._usual())
        around = picture.scale
        off = around * evidence / _BRIGHTNESS_WEIGHT
        high = np.maximum(self._brightness + off, around * (cv2.dilate(self._mean, self._shake) + evidence))
        low = np.minimum(self._brightness - off, around * (cv2.erode(self._mean, self._shake) - evidence))
        dark = np.float32(self._s.dark_level)
        return Glance.between(low - dark, high - dark, None if self._counts is None else ~self._counts)

    def learn(self, picture: Picture, change: Change, confirmed: np.ndarray, pace: Pace, settling: bool) -> None:
        """Move the background towards `picture`: quickly where nothing is seen, slowly under what is.

        `confirmed` (bool) marks confirmed objects: all other changes make their place restless. While `settling`
        everything is learned at once.
        """
        s, seen = self._s, change.mask.view(bool)
        self._age_s += pace.since_s
        fast = max(weight(pace.since_s, s.learn_s), pace.since_s / self._age_s)
        slow = weight(pace.seen_s, s.learn_under_s)
        if settling:
            fast = slow = max(fast, weight(pace.since_s, s.relearn_s))
        limit = _OUTLIER_DEVIATIONS * np.maximum(self._deviation, np.float32(s.deviation_min))
        off = np.minimum(cv2.absdiff(picture.contrast, self._mean), limit)
        _approach(self._deviation, off, np.where(seen, _WIDEN_UNDER * weight(pace.seen_s, s.learn_s), fast))
        gain = np.where(seen, slow, fast)
        _approach(self._mean, picture.contrast, gain)
        _approach(self._brightness, picture.brightness, gain)
        self._absorb(picture, seen, change.resting, pace.seen_s)
        _approach(self._recent, picture.contrast, weight(pace.since_s, s.recent_s))
        _approach(self._lately, picture.contrast, weight(pace.since_s, s.lately_s))
        growth, fading = np.float32(s.busy_grow_per_s * pace.seen_s), np.float32(-s.busy_fade_per_s * pace.since_s)
        self.busy += np.where(seen & ~confirmed, growth, fading)
        np.clip(self.busy, 0, s.busy_max, out=self.busy)
        self._before = change.mask

    def _usual(self) -> np.ndarray:
        return np.maximum(cv2.blur(self._deviation, (3, 3)), np.float32(self._s.deviation_min))

    def _threshold(self, usual: np.ndarray) -> np.ndarray:
        return usual * (1 + np.float32(self._s.busy_deviations) * self.busy)

    def _absorb(self, picture: Picture, seen: np.ndarray, resting: np.ndarray, dt_s: float) -> None:
        """Take what was seen and kept still for long into the background, and remember what it covers."""
        self._still_s += np.where(resting, np.float32(dt_s), np.float32(-_FORGIVE * dt_s))
        self._still_s *= seen
        np.maximum(self._still_s, 0, out=self._still_s)
        done = self._still_s > self._s.absorb_s
        if done.any():
            self._earlier[done] = self._mean[done]
            self._mean[done] = picture.contrast[done]
            self._brightness[done] = picture.brightness[done]
            self._still_s[done] = 0

    def _widened_before(self, dt_s: float) -> np.ndarray:
        way_px = min(_WAY_MAX_PX, round(_WAY_PX_PER_S * (dt_s - _WAY_FREE_S)))
        return self._before if way_px < 1 else cv2.dilate(self._before, np.ones((2 * way_px + 1,) * 2, np.uint8))
