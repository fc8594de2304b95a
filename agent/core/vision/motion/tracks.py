"""Follows patches over time and asks for a verdict on each: object, or weather, insects and light.

All tracks of a camera are one table with a row for each, so that a picture full of snow costs little more than a
picture with one person. All lengths are pixels of the analysed picture.
"""
from collections.abc import Callable, Iterable
from typing import NamedTuple

import cv2
import numpy as np

from agent.core.vision.motion.background import weight
from agent.core.vision.motion.crowd import Crowd
from agent.core.vision.motion.lines import WAY, Lines
from agent.core.vision.motion.settings import MotionSettings
from agent.core.vision.motion.verdict import MEASURES, Surroundings, Verdict, measured

_SIZE_RATIO_LOG = 1.4       # logarithm of the factor by which a blob's area changes at most between two sights
_REACH_SIZES = 0.4          # distance from the expected place, in sizes, plus one size for each second,
_REACH_SIZES_MAX = 1.5
_REACH_PX = 1.5             # plus this,
_REACH_PX_PER_S = 10.0      # plus this for the time out of sight
_CLUTTER_S = 1.2            # time constant of the clutter
_DOUBTFUL = 0.5             # an unconfirmed track counts half as clutter
_NEW = 0.3                  # weight of a new sight in area, size and crispness,
_NEW_SPEED = 0.4            # in speed,
_NEW_OVERLAP = 0.2          # and in overlap
_MOVING_SHARE = 0.06        # share of its pixels that differ from a moment ago if it moves,
_MOVING_MIN_PX = 2          # and at least so many
_SLOW_SIZES_PER_S = 2.0     # what is slower and known from more sights than this needs no line
_NEW_SIGHTS = 2
_SIGHTS_MIN = 3             # with fewer sights nothing can be told
_RISE_MAX = 4.0             # one sight raises the log odds by at most this
_AGAIN_S = 0.3              # a sure verdict holds this long
_SURE_LINE = 12.0           # a line with a higher score gives its speed to the track

_SIDES = np.array((1.0, 1.0, -1.0, -1.0))       # left and top grow downwards

# A track: its box (left, top, right, bottom), which grows at once and shrinks slowly; its latest centre, its first,
# and its speed a second; its number; when it was first and last seen, and last moved; averages of area, longer side,
# the share that had changed in the picture before, and crispness; its sights, seconds in sight, way with all turns;
# whether it is confirmed, whether it has come to rest; the verdict's log odds and time; the row of its latest blob.
TRACK = np.dtype([
    ("box", float, 4), ("at", float, 2), ("first", float, 2), ("speed", float, 2),
    *((name, float) for name in (
        "number", "born_s", "seen_s", "moved_s", "area", "size", "overlap", "crispness", "sights", "unbroken_s", "path",
        "confirmed", "resting", "odds", "judged_s", "patch"))])


class Judged(NamedTuple):
    """The tracks that were judged in one picture: the boxes of their blobs, shape (n, 4), and their measures."""

    boxes: np.ndarray
    measures: np.ndarray


_NOTHING = Judged(np.empty((0, 4)), np.empty((0, len(MEASURES))))


class Tracker:
    """All tracks of one camera, at most `tracks_max`."""

    def __init__(self, settings: MotionSettings, verdict: Verdict, first_number: int, shape: tuple[int, int],
                 area_min: int) -> None:
        """Starts with nothing in sight. Track numbers start at `first_number`. `shape` (height, width) is that of the
        analysed picture, `area_min` the area of the smallest blobs."""
        self._s = settings
        self._picture_px = shape[0] * shape[1]
        self._lines, self._crowd, self._verdict = Lines(shape, area_min), Crowd(), verdict
        self._table = np.empty(0, TRACK)
        self.next_number = first_number
        self.clutter = 0.0             # unexplained blobs in a picture, averaged over a second
        self.judged = _NOTHING

    def __len__(self) -> int:
        return len(self._table)

    def seen(self, now_s: float) -> np.ndarray:
        """Returns the confirmed tracks (TRACK) that are in the picture of `now_s`."""
        return self._table[(self._table["confirmed"] > 0) & (self._table["seen_s"] == now_s)]

    def rest(self, numbers: Iterable[int]) -> None:
        """Marks tracks as having come to rest."""
        self._table["resting"][np.isin(self._table["number"], list(numbers))] = 1

    def step(self, blobs: np.ndarray, busy: np.ndarray, looks: Callable[[np.ndarray], np.ndarray], now_s: float,
             dt_s: float) -> None:
        """Links `blobs` (BLOB) to the tracks, drops lost ones, begins new ones, and judges all that are in sight.

        `busy` is the background's plane of restlessness; `looks` returns for blobs what they look like (SIGHT).
        """
        self.judged = _NOTHING
        old, seen = self._link(blobs, now_s, dt_s)
        if old:
            t = self._table[old]
            self._see(t, blobs[seen], now_s, dt_s)
            t["patch"] = seen
            self._table[old] = t
        loose = np.ones(len(blobs), bool)
        loose[seen] = False
        doubtful_n = np.count_nonzero(self._table["confirmed"][old] == 0) if old else 0
        unexplained = len(blobs) - len(seen) + _DOUBTFUL * doubtful_n
        self._renew(blobs, loose.nonzero()[0], now_s, dt_s)
        if len(blobs):
            self._judge(blobs, busy, looks, now_s, dt_s)
        self.clutter += weight(dt_s, _CLUTTER_S) * (unexplained - self.clutter)

    def _link(self, blobs: np.ndarray, now_s: float, dt_s: float) -> tuple[list[int], list[int]]:
        """Returns rows of the table and of blobs that belong together. Longer known tracks choose first."""
        t = self._table
        if not len(blobs) or not len(t):
            return [], []
        since = (now_s - t["seen_s"])[:, None]
        away = np.hypot(*(t["at"] + t["speed"] * since - blobs["at"][:, None]).T)
        reach = (np.maximum(t["size"][:, None], blobs["size"]) * np.minimum(_REACH_SIZES + since, _REACH_SIZES_MAX)
                 + (_REACH_PX + _REACH_PX_PER_S * (since - dt_s)))
        ratio = np.abs(np.log(blobs["area"] / t["area"][:, None]))
        i, j = ((away < reach) & (ratio < _SIZE_RATIO_LOG)).nonzero()
        order = np.lexsort((away[i, j], -t["sights"][i]))
        links: dict[int, int] = {}
        taken: set[int] = set()
        for row, blob in zip(i[order].tolist(), j[order].tolist(), strict=True):
            if row not in links and blob not in taken:
                links[row] = blob
                taken.add(blob)
        return list(links), list(links.values())

    def _see(self, t: np.ndarray, b: np.ndarray, now_s: float, dt_s: float) -> None:
        """Adds a sight (BLOB) to each of these tracks."""
        since_s, new = (now_s - t["seen_s"])[:, None], 1 / t["sights"]
        way = b["at"] - t["at"]
        t["speed"] += np.maximum(_NEW_SPEED, new)[:, None] * (way / since_s - t["speed"])
        t["path"] += np.hypot(*way.T)
        # The boxes move along, then are drawn in towards the blobs'.
        off = np.minimum(0.0, (t["box"] + np.tile(since_s * t["speed"], 2) - b["box"]) * _SIDES)
        t["box"] = b["box"] + np.exp(-since_s / self._s.shrink_s) * off * _SIDES
        t["overlap"] += np.maximum(_NEW_OVERLAP, new) * (b["before"] / b["area"] - t["overlap"])
        t["area"] += _NEW * (b["area"] - t["area"])
        t["size"] += _NEW * (b["size"] - t["size"])
        t["sights"] += 1
        t["unbroken_s"] += dt_s
        t["moved_s"][b["moving"] >= np.maximum(_MOVING_MIN_PX, _MOVING_SHARE * b["area"])] = now_s
        t["resting"] *= np.hypot(*t["speed"].T) <= self._s.walk_sizes_per_s * t["size"]
        t["at"], t["seen_s"] = b["at"], now_s

    def _renew(self, blobs: np.ndarray, loose: np.ndarray, now_s: float, dt_s: float) -> None:
        """Drops what is lost and begins a track for each of the blobs that are `loose` (their rows), while there is
        room."""
        t, s = self._table, self._s
        if not len(t) and not len(loose):
            return
        confirmed = t["confirmed"] > 0
        lost = now_s - t["seen_s"] > dt_s + np.where(confirmed, s.lost_confirmed_s, s.lost_s)
        self._crowd.passed(t[lost & ~confirmed], dt_s)
        if not len(loose) and not lost.any():
            return
        kept_n = len(t) - np.count_nonzero(lost)
        b = blobs[loose[:s.tracks_max - kept_n]]
        self._table = np.zeros(kept_n + len(b), TRACK)
        self._table[:kept_n] = t[~lost]
        new = self._table[kept_n:]
        new["number"] = self.next_number + np.arange(len(b))
        self.next_number += len(b)
        new["box"], new["at"], new["first"], new["area"], new["size"] = b["box"], b["at"], b["at"], b["area"], b["size"]
        new["born_s"] = new["seen_s"] = new["moved_s"] = now_s
        new["sights"], new["patch"] = 1, loose[:len(b)]

    def _judge(self, blobs: np.ndarray, busy: np.ndarray, looks: Callable[[np.ndarray], np.ndarray], now_s: float,
               dt_s: float) -> None:
        t, s = self._table, self._s
        again = (t["odds"] < s.certainty + s.doubt) | (now_s - t["judged_s"] > _AGAIN_S)
        doubtful = (t["confirmed"] == 0) | (again & (t["moved_s"] == now_s))       # who stands still tells no more
        rows = ((t["seen_s"] == now_s) & doubtful).nonzero()[0]
        if not len(rows):
            return
        t = t[rows]
        b = blobs[t["patch"].astype(int)]
        ways = self._ways(t, b, now_s, dt_s)
        ready = (t["sights"] >= _SIGHTS_MIN) | (ways["steps"] >= _SIGHTS_MIN - 1)
        if not ready.any():
            return
        rows, t, b, ways = rows[ready], t[ready], b[ready], ways[ready]
        sights = looks(b)
        t["crispness"] += np.where(t["judged_s"] > 0, _NEW, 1.0) * (sights["crispness"] - t["crispness"])
        unrest = [1.0 + cv2.mean(busy[top:bottom, left:right])[0]
                  for left, top, right, bottom in b["box"].astype(int).tolist()]
        scene = Surroundings(self._crowd, self.clutter, self._picture_px, now_s, dt_s)
        self.judged = Judged(b["box"], measured(t, b, sights, ways, unrest, scene))
        odds = self._verdict.odds(self.judged.measures)
        t["odds"] = np.where(t["judged_s"] > 0, np.minimum(odds, t["odds"] + _RISE_MAX), odds)
        t["confirmed"] = t["odds"] > s.certainty - s.doubt * t["confirmed"]
        t["judged_s"] = now_s
        fast = ((ways["score"] > _SURE_LINE) | (t["sights"] < _SIGHTS_MIN)) & (t["confirmed"] > 0)
        if fast.any():
            t["speed"][fast] = ways["speed"][fast]
        self._table[rows] = t

    def _ways(self, t: np.ndarray, b: np.ndarray, now_s: float, dt_s: float) -> np.ndarray:
        """Returns the line (WAY) of each track; nothing is asked about what is slow."""
        slow = t["path"] <= _SLOW_SIZES_PER_S * (now_s - t["born_s"]) * (t["size"] + 1)
        asked = ~(slow & (t["sights"] > _NEW_SIGHTS))
        ways = np.zeros(len(b), WAY)
        if asked.any():
            ways[asked] = self._lines.step(b[asked], t["sights"][asked] == 1, self.clutter, now_s, dt_s)
        return ways
