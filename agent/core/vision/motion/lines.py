"""Finds things that move too fast to overlap themselves: patches evenly along a line, compared with chance.

Every line is a guess that one thing made its patches. Its score is the logarithm of how much likelier that is than
chance. Each sight is weighed by its distance from the expected place and area, and by the number of unexplained
patches there. So three sights are enough on an empty road, and rain and leaves need more than they ever give.
"""
from math import exp, log, pi

import cv2
import numpy as np

_SIZES_PER_S = 11.0         # own sizes a second; nothing in a street is faster
_HIDDEN_PX = 2.0            # the visible part of a thing is shorter, because the background's tolerance hides its edges
_STEP_SIZES = 0.15          # with shorter steps things overlap themselves, and other rules judge them
_STEP_PX = 0.5
_CENTRE_PX = 0.6            # a patch's centre varies by this, plus
_CENTRE_SIZES = 0.08        # this many of its sizes,
_UNSURE = 1.5               # and more after few steps,
_PACE = 0.15                # and along the way by this share of a step: perspective, brakes
_AREA = 0.4                 # and the logarithm of its area by this
_NEARER = 0.6, 1.7           # what comes nearer grows, and its steps with it, between these factors a picture
_AREA_WORTH = 0.6           # chance patches are rarer the larger they are, by this power of their area
_GATE = 3.0                 # the most deviations from the expectation
_MEMORY_S = 0.5             # speed and direction use the sights of this time,
_SIGHTS_MIN = 3             # but at least this many
_DARTS = 0.35               # an insect swerves by this share of its way since the middle of them,
_APART_S = 0.15             # and the sight before already shows half of what it does sooner than this
_SEEN = log(0.85)           # an object is visible in most pictures
_UNSEEN = log(0.15)
_UNSEEN_S = 0.25            # and is lost after this time without a sight
_CALM_N = 0.3               # chance patches in a picture of a calm scene
_RATE_S = 8.0               # time constant of the rate of patches in a place
_CELL_PX = 10
_LOST = -2.0                # lines with a lower score are dropped,
_LINES_MAX = 96             # and all except the best
_SUREST = 18.0              # the highest score that is kept

# The columns of a line: its end, its speed, the area and size of its last patch, the times of the last and first sight,
# its steps, its score, and how much likelier its straightness is for a vehicle than for an insect.
_COLUMNS = 11
_X, _Y, _VX, _VY, _AREA_PX, _SIZE, _AT, _BORN, _STEPS, _SCORE, _STRAIGHT = range(_COLUMNS)


# What the best line that ends at a patch says: how much likelier it is than chance and than an insect, its steps, and
# its speed (px/s).
WAY = np.dtype([("score", float), ("straight", float), ("steps", float), ("speed", float, 2)])


class Lines:
    def __init__(self, shape: tuple[int, int], area_min: int) -> None:
        """`shape` (height, width) is that of the analysed picture, `area_min` the area of the smallest patches."""
        self._picture_px, self._area_min = shape[0] * shape[1], area_min
        self._rate = np.zeros((-(-shape[0] // _CELL_PX), -(-shape[1] // _CELL_PX)), np.float32)     # patches a second
        self._lines = np.empty((0, _COLUMNS))
        self._before, self._at_s = np.empty((0, _COLUMNS)), float("-inf")

    def step(self, blobs: np.ndarray, loose: np.ndarray, clutter: float, now_s: float, dt_s: float) -> np.ndarray:
        """Returns for each blob (BLOB) the best line (WAY) that ends there; zeros if there is none.

        `loose` marks those that belong to nothing known, `clutter` is their recent number in a picture, `dt_s` the
        time since the picture before.
        """
        ways = np.zeros(len(blobs), WAY)
        if not len(blobs):
            return ways
        seen = np.zeros((len(blobs), _COLUMNS))
        seen[:, :2], seen[:, _AREA_PX], seen[:, _SIZE] = blobs["at"], blobs["area"], blobs["size"]
        seen[:, _AT] = seen[:, _BORN] = now_s
        chance = self._chance(seen, clutter, dt_s)
        known = self._lines[now_s - self._lines[:, _AT] <= dt_s + _UNSEEN_S]
        number, longer, left = self._continued(known, seen, chance)
        self._lines = _best(np.concatenate((longer, left, self._begun(seen, chance, now_s - self._at_s, dt_s))))
        self._count(seen[loose], now_s)
        self._before, self._at_s = seen, now_s
        ways["score"][number], ways["straight"][number] = longer[:, _SCORE], longer[:, _STRAIGHT]
        ways["steps"][number], ways["speed"][number] = longer[:, _STEPS], longer[:, [_VX, _VY]]
        return ways

    def _chance(self, seen: np.ndarray, clutter: float, dt_s: float) -> np.ndarray:
        """Logarithm of the expected chance patches for each of these: a pixel, a picture, a unit of log area."""
        rows, columns = ((seen[:, axis] // _CELL_PX).astype(int) for axis in (_Y, _X))
        here = cv2.blur(self._rate, (3, 3))[rows, columns] * dt_s / _CELL_PX ** 2
        everywhere = (max(clutter, len(seen) - 1) + _CALM_N) / self._picture_px
        return np.log(np.maximum(here, everywhere)) - _AREA_WORTH * np.log(seen[:, _AREA_PX] / self._area_min)

    def _begun(self, seen: np.ndarray, chance: np.ndarray, since_s: float, dt_s: float) -> np.ndarray:
        """A line for each two patches that one thing may have made in the picture before and in this one."""
        was = self._before
        if not len(was) or since_s > dt_s + _UNSEEN_S:
            return was[:0]
        dx, dy = (seen[:, axis] - was[:, axis, None] for axis in (_X, _Y))
        step = np.hypot(dx, dy)
        size = np.maximum(seen[:, _SIZE], was[:, _SIZE, None])
        reach = _SIZES_PER_S * since_s * (size + _HIDDEN_PX)
        i, j = ((step > _STEP_SIZES * size + _STEP_PX) & (step < reach)).nonzero()
        lines = seen[j]
        lines[:, _VX], lines[:, _VY] = dx[i, j] / since_s, dy[i, j] / since_s
        lines[:, _BORN], lines[:, _STEPS] = was[i, _AT], 1
        like = _likeness(np.log(seen[j, _AREA_PX] / was[i, _AREA_PX]), _AREA)
        lines[:, _SCORE] = _SEEN + like - np.log(pi * reach[i, j] ** 2) - chance[j]
        return lines

    def _continued(self, known: np.ndarray, seen: np.ndarray,
                   chance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if not len(known):
            return np.empty(0, int), known, known
        x, y, vx, vy, area, size, at_s, _, steps, score = (known[:, k, None] for k in range(10))
        since_s = seen[:, _AT] - at_s
        speed = np.maximum(np.hypot(vx, vy), _STEP_PX)
        off_x, off_y = seen[:, _X] - x - vx * since_s, seen[:, _Y] - y - vy * since_s
        size = np.maximum(size, seen[:, _SIZE])
        wander = (_CENTRE_PX + _CENTRE_SIZES * size) * (1 + _UNSURE / steps)
        sights = np.minimum(steps + 1, np.maximum(_SIGHTS_MIN, _MEMORY_S / since_s))
        along, across = (off_x * vx + off_y * vy) / speed, (off_x * vy - off_y * vx) / speed
        larger = speed * since_s * (np.clip(seen[:, _SIZE] / known[:, _SIZE, None], *_NEARER) - 1)
        along = along - np.clip(along, np.minimum(0, larger), np.maximum(0, larger))
        pace = wander + _PACE * speed * since_s
        like = (_likeness(across, wander) + _likeness(along, pace) + _likeness(np.log(seen[:, _AREA_PX] / area), _AREA))
        near = ((np.abs(across) < _GATE * wander) & (np.abs(along) < _GATE * pace)
                & (np.hypot(seen[:, _X] - x, seen[:, _Y] - y) < _SIZES_PER_S * since_s * (size + _HIDDEN_PX)))
        total = np.where(near, score + _SEEN + like - chance, -np.inf)
        best = total.argmax(axis=0)
        j = np.isfinite(total[best, np.arange(len(seen))]).nonzero()[0]
        i = best[j]
        longer = seen[j]
        n = sights[i, 0] + 1
        for axis, speed_axis, off in ((_X, _VX, off_x[i, j]), (_Y, _VY, off_y[i, j])):     # least squares of n sights
            longer[:, axis] -= (n - 1) * (n - 2) / (n * (n + 1)) * off
            longer[:, speed_axis] = known[i, speed_axis] + 6 / (n * (n + 1)) * off / since_s[i, 0]
        longer[:, _BORN], longer[:, _STEPS] = known[i, _BORN], known[i, _STEPS] + 1
        longer[:, _SCORE] = np.minimum(total[i, j], _SUREST)
        off, wandering, aside = across[i, j], wander[i, j], (_DARTS * speed * since_s * (sights + 1) / 2)[i, 0]
        straight = _likeness(off, wandering) - _likeness(off, np.hypot(wandering, aside))
        longer[:, _STRAIGHT] = known[i, _STRAIGHT] + straight * np.minimum(1.0, since_s[i, 0] / _APART_S)
        ended = np.ones(len(known), bool)
        ended[i] = False
        left = known[ended]
        left[:, _SCORE] += _UNSEEN
        return j, longer, left

    def _count(self, loose: np.ndarray, now_s: float) -> None:
        self._rate *= exp(-max(0.0, now_s - self._at_s) / _RATE_S)
        rows, columns = ((loose[:, axis] // _CELL_PX).astype(int) for axis in (_Y, _X))
        np.add.at(self._rate, (rows, columns), 1 / _RATE_S)


def _likeness(off: np.ndarray, deviation: np.ndarray | float) -> np.ndarray:
    return -0.5 * (off / deviation) ** 2 - np.log(deviation) - 0.5 * log(2 * pi)


def _best(lines: np.ndarray) -> np.ndarray:
    lines = lines[lines[:, _SCORE] > _LOST]
    if len(lines) > _LINES_MAX:
        lines = lines[np.argpartition(-lines[:, _SCORE], _LINES_MAX)[:_LINES_MAX]]
    return lines
