"""Learns for each pixel how the scene usually looks, and finds what differs from it now."""
from math import exp, sqrt
from typing import NamedTuple

import cv2
import numpy as np

from agent.core.vision.motion.picture import WorkPicture
from agent.core.vision.motion.settings import MotionSettings

_ROUNDING_LEVELS = 0.5      # the first look blurs in whole grey levels, the full look does not


class Glance(NamedTuple):
    """The grey levels between which no slightly blurred pixel counts; uint8 planes of the analysed shape. They come
    from one full look and hold for a short time after it."""

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def between(cls, low: np.ndarray, high: np.ndarray, ignored: np.ndarray | None) -> "Glance":
        """Makes it from exact limits (float32). Pixels that are `ignored` (bool) may have any level."""
        low, high = np.ceil(low + _ROUNDING_LEVELS), np.floor(high - _ROUNDING_LEVELS)
        if ignored is not None:
            low[ignored], high[ignored] = 0, 255
        return cls(*(np.clip(limit, 0, 255).astype(np.uint8) for limit in (low, high)))

    def outside_n(self, small: np.ndarray) -> int:
        """Returns the number of pixels of the shrunken picture (uint8) outside the levels."""
        return small.size - cv2.countNonZero(cv2.inRange(cv2.GaussianBlur(small, (3, 3), 0), self.low, self.high))


_CLOSE = np.ones((5, 3), np.uint8)      # people are taller than wide: their parts are above each other
_FIRST_DEVIATION = 0.03
_EARLIER_DEVIATIONS = 2.5    # a pixel this near to the earlier background is that background
_REST_DEVIATIONS = 1.5       # a pixel this near to its recent value rests
_MOVE_DEVIATIONS = 2.2       # a pixel this far from its recent value moves
_OUTLIER_DEVIATIONS = 4.0    # one picture widens the deviation by at most this
_NOISIEST = 0.2              # no gain makes a pixel vary more
_WIDEN_UNDER = 0.35          # share of the usual speed of widening under something visible
_BRIGHTNESS_WEIGHT = 2.0     # a true change differs less in brightness than in contrast
_GREY_SHARE = 0.4            # of the usual spread of contrast
_FORGIVE = 3.0               # a moving pixel loses its time of rest this much faster than it gained it
_WAY_PX_PER_S = 10.0         # a walker's way: earlier changes are widened by it if pictures come slowly,
_WAY_FREE_S = 0.1            # but not if they are this close in time
_WAY_MAX_PX = 3
_WIDER = [np.ones((2 * way_px + 1,) * 2, np.uint8) for way_px in range(_WAY_MAX_PX + 1)]


Window = tuple[slice, slice]     # rows, columns


class Change(NamedTuple):
    """The difference from the background; planes of the analysed picture's shape. Read-only."""

    mask: np.ndarray         # uint8 0/1: changed, small holes closed
    window: Window           # the part of the picture with all changes: usually a small one
    strong: np.ndarray       # bool: changed beyond doubt
    moving: np.ndarray       # bool: differs from a moment ago
    resting: np.ndarray      # bool: the same as a moment ago
    height: np.ndarray       # float32: difference in grey levels
    before: np.ndarray       # uint8 0/1: the patches of the picture before, widened by a walker's way since then
    share: float             # changed share of the picture, 0..1; if 0, no plane has a mark
    differs: float           # the same including what looks as it did earlier


class LearnPace(NamedTuple):
    since_s: float           # since the step before
    seen_s: float  # how long the present content has been visible; shorter if the pictures between showed nothing


class _Limits(NamedTuple):
    """The limits for the comparison with a picture; planes of its shape."""

    usual: np.ndarray        # deviation of each pixel and its neighbours
    threshold: np.ndarray    # the same, wider if the place is restless
    lowest: np.ndarray       # contrast of the neighbourhood
    highest: np.ndarray


def _window(mask: np.ndarray) -> Window:
    x, y, w, h = cv2.boundingRect(mask)
    return slice(y, y + h), slice(x, x + w)


def _spread(contrast: np.ndarray) -> float:
    mean = cv2.mean(contrast)[0]        # with the norm, a fifth of the time of meanStdDev
    return sqrt(max(0.0, cv2.norm(contrast) ** 2 / contrast.size - mean ** 2))


def weight(dt_s: float, time_constant_s: float) -> float:
    """Returns the share of the new value in an exponential average after `dt_s`."""
    return 1.0 - exp(-dt_s / time_constant_s)


class Background:
    """Mean contrast and brightness of every pixel, its deviation, an earlier background, and its restlessness."""

    def __init__(self, picture: WorkPicture, settings: MotionSettings, ignored: np.ndarray | None) -> None:
        """Starts from one picture. `ignored` is a bool plane of pixels that never count, or None."""
        self._s = settings
        self._ignored = ignored
        self._shake = np.ones((2 * settings.shake_px + 1,) * 2, np.uint8)
        self.brightness = picture.brightness.copy()
        self._mean = picture.contrast.copy()
        self._earlier = picture.contrast.copy()
        self._recent = picture.contrast.copy()
        self._lately = picture.contrast.copy()
        self._deviation = np.full_like(self._mean, _FIRST_DEVIATION)
        self._still_s = np.zeros_like(self._mean)
        self._before = np.zeros(self._mean.shape, np.uint8)
        none = self._before.view(bool)
        self._nothing = Change(self._before, (slice(0), slice(0)), none, none, none, self._mean, self._before, 0.0, 0.0)
        self.age_s = 0.0                           # time of learning
        self.busy = np.zeros_like(self._mean)      # restlessness: 0 calm .. busy_max
        self._derive()

    def resume(self, picture: WorkPicture) -> None:
        self._recent = picture.contrast.copy()
        self._lately = picture.contrast.copy()
        self._still_s.fill(0)
        self._before = np.zeros_like(self._before)

    def _derive(self) -> None:
        usual = cv2.max(cv2.blur(self._deviation, (3, 3)), self._s.deviation_min)
        self._limits = _Limits(usual, cv2.multiply(usual, self.busy + 1.0), cv2.erode(self._mean, self._shake),
                               cv2.dilate(self._mean, self._shake))

    def calm(self) -> None:
        self.busy.fill(0)
        self._derive()

    def expect_noise(self, times: float) -> None:
        """Adapts to a camera's noise that has just become `times` as high."""
        np.minimum(self._deviation * times, np.maximum(self._deviation, _NOISIEST), out=self._deviation)
        self._derive()

    def compare(self, picture: WorkPicture, dt_s: float) -> Change:
        """Finds what in `picture` is not background, `dt_s` after the picture before.

        A pixel counts only if two values changed: its contrast is outside the range of the background's neighbourhood
        (leaves and a shaken camera stay inside), and its brightness differs (the surroundings of a bright object keep
        theirs).
        """
        s, contrast = self._s, picture.contrast
        nearest = cv2.min(cv2.max(contrast, self._limits.lowest), self._limits.highest)
        height = cv2.absdiff(picture.brightness, self.brightness)
        lighter = cv2.divide(height, picture.scale, scale=_BRIGHTNESS_WEIGHT)
        excess = cv2.divide(cv2.min(cv2.absdiff(contrast, nearest), lighter), self._limits.threshold)
        grown = excess > s.grow_deviations
        grown_n = cv2.countNonZero(grown.view(np.uint8))
        if not grown_n:
            return self._nothing
        new = cv2.absdiff(contrast, self._earlier) >= _EARLIER_DEVIATIONS * self._limits.usual
        if self._ignored is not None:
            new &= ~self._ignored
        mask = cv2.morphologyEx((grown & new).view(np.uint8), cv2.MORPH_CLOSE, _CLOSE)
        step = cv2.divide(cv2.absdiff(contrast, self._recent), self._limits.threshold)
        return Change(mask, _window(mask), new & (excess > s.seed_deviations), step > _MOVE_DEVIATIONS,
                      step < _REST_DEVIATIONS, height, self._widened_before(dt_s),
                      cv2.countNonZero(mask) / mask.size, grown_n / mask.size)

    def _widened_before(self, dt_s: float) -> np.ndarray:
        way_px = min(_WAY_MAX_PX, round(_WAY_PX_PER_S * (dt_s - _WAY_FREE_S)))
        return self._before if way_px < 1 else cv2.dilate(self._before, _WIDER[way_px])

    def fills(self, picture: WorkPicture) -> bool:
        """False if `picture` has much less contrast than the background: a grey picture."""
        return _spread(picture.contrast) > _GREY_SHARE * _spread(self._mean)

    def as_before(self, picture: WorkPicture) -> np.ndarray:
        """Returns a bool plane of pixels that look as before the present content came and was learned."""
        return cv2.absdiff(picture.contrast, self._earlier) < _EARLIER_DEVIATIONS * self._limits.usual

    def uneasy(self, picture: WorkPicture) -> np.ndarray:
        """Returns a bool plane of pixels that differ from a while ago, without tolerance for leaves or a shaken
        camera."""
        off = cv2.absdiff(picture.contrast, self._lately) > self._s.sway_deviations * self._limits.threshold
        return off if self._ignored is None else off & ~self._ignored

    def glance(self, picture: WorkPicture, share: float) -> Glance:
        """Returns the levels within which no pixel reaches `share` of the evidence for a change, in the light of
        `picture`.

        As in `compare`, a pixel counts only beyond both limits, of contrast and of brightness. Surroundings change
        less than the content in them, so a true change exceeds these limits before it is evidence.
        """
        evidence = share * self._s.seed_deviations * self._limits.threshold
        off = picture.scale * evidence / _BRIGHTNESS_WEIGHT
        high = np.maximum(self.brightness + off, picture.scale * (self._limits.highest + evidence))
        low = np.minimum(self.brightness - off, picture.scale * (self._limits.lowest - evidence))
        return Glance.between(low - self._s.dark_level, high - self._s.dark_level, self._ignored)

    def learn(self, picture: WorkPicture, change: Change, core: np.ndarray, loose: np.ndarray, pace: LearnPace,
              settling: bool) -> None:
        """Moves the background towards `picture`: quickly where nothing is visible, slowly under what is.

        `core` (uint8 0/1) marks the patches. `loose` marks the changes outside confirmed objects, which make their
        place restless. While `settling` everything is learned quickly.
        """
        s = self._s
        self.age_s += pace.since_s
        # If looks are rare, each must not weigh more: what is one picture's noise would count as the scene's.
        fast = max(weight(min(pace.since_s, s.calm_max_s), s.learn_s), pace.since_s / self.age_s)
        slow = weight(pace.seen_s, s.learn_under_s)
        if settling:
            fast = slow = max(fast, weight(pace.since_s, s.relearn_s))
        off = cv2.min(cv2.absdiff(picture.contrast, self._mean), _OUTLIER_DEVIATIONS * self._limits.usual)
        unseen = change.mask ^ 1 if change.share else None
        for average, value, under in ((self._deviation, off, _WIDEN_UNDER * weight(pace.seen_s, s.learn_s)),
                                      (self._mean, picture.contrast, slow),
                                      (self.brightness, picture.brightness, slow)):
            cv2.accumulateWeighted(value, average, fast, mask=unseen)
            if change.share:
                cv2.accumulateWeighted(value, average, under, mask=change.mask)
        self._absorb(picture, change, pace.seen_s)
        cv2.accumulateWeighted(picture.contrast, self._recent, weight(pace.since_s, s.recent_s))
        cv2.accumulateWeighted(picture.contrast, self._lately, weight(pace.since_s, s.lately_s))
        self._stir(change, loose, pace)
        self._before = core
        self._derive()

    def _absorb(self, picture: WorkPicture, change: Change, seen_s: float) -> None:
        if not change.share:
            self._still_s.fill(0)
            return
        still_s = self._still_s[change.window] - _FORGIVE * seen_s
        still_s += np.float32((1 + _FORGIVE) * seen_s) * change.resting[change.window]
        still_s = np.maximum(still_s, 0) * change.mask[change.window]
        self._still_s.fill(0)
        self._still_s[change.window] = still_s
        if still_s.max() > self._s.absorb_s:
            done = self._still_s > self._s.absorb_s
            self._earlier[done] = self._mean[done]
            self._mean[done] = picture.contrast[done]
            self.brightness[done] = picture.brightness[done]
            self._still_s[done] = 0

    def _stir(self, change: Change, loose: np.ndarray, pace: LearnPace) -> None:
        """Restlessness grows at visible things that are not objects, and fades elsewhere."""
        fading = self._s.busy_fade_per_s * pace.since_s
        self.busy -= fading
        if change.share:
            busy = self.busy[change.window]
            busy += np.float32(self._s.busy_grow_per_s * pace.seen_s + fading) * loose[change.window]
            np.minimum(busy, self._s.busy_max, out=busy)
        cv2.max(self.busy, 0.0, dst=self.busy)
