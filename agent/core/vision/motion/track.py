"""One thing followed through the pictures, with the averages of its sights."""
from dataclasses import dataclass
from math import exp, hypot

from agent.core.vision.motion.blobs import Blob
from agent.core.vision.motion.rect import Edges
from agent.core.vision.motion.settings import MotionSettings

_NEW = 0.3              # weight of a new sight in area and size
_NEW_SPEED = 0.4
_NEW_HABIT = 0.2        # in overlap and surprise
_MOVING_SHARE = 0.06    # share of its pixels that differ from a moment ago if it moves
_MOVING_MIN_PX = 2


def edges(blob: Blob) -> Edges:
    return Edges(float(blob.x), float(blob.y), float(blob.x + blob.w), float(blob.y + blob.h))


@dataclass(slots=True)
class Track:
    """Lengths are pixels of the analysed picture. Averages give the latest sights more weight."""

    number: int                    # never used twice
    blob: Blob                     # the latest sight
    edges: Edges                   # its box, which grows at once and shrinks slowly
    x0: float                      # its first place
    y0: float
    born_mono_s: float
    seen_mono_s: float
    moved_mono_s: float            # when it last moved
    area: float                    # averaged
    size_px: float                 # longer side of its box, averaged
    vx: float = 0.0                # px/s
    vy: float = 0.0
    hits_n: int = 1                # number of sights
    unbroken_s: float = 0.0        # time in sight, without gaps
    path_px: float = 0.0           # way walked, including all turns
    overlap: float = 0.0           # share that was there in the picture before, averaged
    surprise_px: float = 0.0       # distance from the expected place, averaged
    crispness: float | None = None     # of its edges, averaged; None until it was measured
    confirmed: bool = False
    resting: bool = False          # its place was noted since it last moved

    @classmethod
    def begin(cls, number: int, blob: Blob, now_mono_s: float) -> "Track":
        return cls(number, blob, edges(blob), blob.cx, blob.cy, now_mono_s, now_mono_s, now_mono_s,
                   float(blob.area), float(max(blob.w, blob.h)))

    @property
    def net_px(self) -> float:
        return hypot(self.blob.cx - self.x0, self.blob.cy - self.y0)

    @property
    def speed_px_per_s(self) -> float:
        return hypot(self.vx, self.vy)

    def expected(self, now_mono_s: float) -> tuple[float, float]:
        since_s = now_mono_s - self.seen_mono_s
        return self.blob.cx + self.vx * since_s, self.blob.cy + self.vy * since_s

    def see(self, blob: Blob, surprise_px: float, now_mono_s: float, dt_s: float, s: MotionSettings) -> None:
        """Adds the next sight, `surprise_px` from the expected place, `dt_s` after the picture before."""
        self._follow(blob, now_mono_s - self.seen_mono_s, s.shrink_s)
        self._average(blob, surprise_px, s.hollow_px)
        self.hits_n += 1
        self.unbroken_s += dt_s
        self.seen_mono_s = now_mono_s
        if blob.moving_n >= max(_MOVING_MIN_PX, _MOVING_SHARE * blob.area):
            self.moved_mono_s = now_mono_s
        if self.speed_px_per_s > s.walk_sizes_per_s * self.size_px:
            self.resting = False
        self.blob = blob

    def take_crispness(self, crispness: float) -> None:
        self.crispness = crispness if self.crispness is None else self.crispness + _NEW * (crispness - self.crispness)

    def _follow(self, blob: Blob, since_s: float, shrink_s: float) -> None:
        dx, dy = blob.cx - self.blob.cx, blob.cy - self.blob.cy
        new = max(_NEW_SPEED, 1 / self.hits_n)
        self.vx += new * (dx / since_s - self.vx)
        self.vy += new * (dy / since_s - self.vy)
        self.path_px += hypot(dx, dy)
        keep = exp(-since_s / shrink_s)
        right, bottom = blob.x + blob.w, blob.y + blob.h
        x, y = since_s * self.vx, since_s * self.vy
        left0, top0, right0, bottom0 = self.edges                  # moved along, then drawn in towards the blob's
        self.edges = Edges(blob.x + keep * min(0.0, left0 + x - blob.x), blob.y + keep * min(0.0, top0 + y - blob.y),
                           right + keep * max(0.0, right0 + x - right), bottom + keep * max(0.0, bottom0 + y - bottom))

    def _average(self, blob: Blob, surprise_px: float, hollow_px: float) -> None:
        overlap = blob.overlap
        if self.size_px >= hollow_px:                       # only its outline may show
            overlap = max(overlap, _common(self.blob, blob))
        self.overlap += max(_NEW_HABIT, 1 / self.hits_n) * (overlap - self.overlap)
        if self.hits_n > 1:                                 # the first way only gives the speed
            self.surprise_px += max(_NEW_HABIT, 1 / (self.hits_n - 1)) * (surprise_px - self.surprise_px)
        self.area += _NEW * (blob.area - self.area)
        self.size_px += _NEW * (max(blob.w, blob.h) - self.size_px)


def _common(a: Blob, b: Blob) -> float:
    w = min(a.x + a.w, b.x + b.w) - max(a.x, b.x)
    h = min(a.y + a.h, b.y + b.h) - max(a.y, b.y)
    return max(0, w) * max(0, h) / min(a.w * a.h, b.w * b.h)
