"""One unbroken run of pictures of one size: everything that has been learned, and the look at the next picture."""
import cv2
import numpy as np

from agent.core.model import Box, Luma
from agent.core.motion.background import Background, Pace
from agent.core.motion.blobs import Blob, find_blobs, strong_min
from agent.core.motion.glance import Glance
from agent.core.motion.look import Look, Reason, Seen
from agent.core.motion.picture import Picture, Size, prepare, shrunken
from agent.core.motion.settings import MotionSettings
from agent.core.motion.stays import Place, Stays
from agent.core.motion.track import Edges, Track
from agent.core.motion.tracks import Tracker

_GLANCE_SHARE = 0.75      # of the evidence that a strong pixel needs: from here on the first look asks the full one
_CLUTTER_IDLE = 0.05      # with fewer blobs a picture than this, averaged, nothing is going on


def _outside(mask: np.ndarray, blobs: list[Blob]) -> np.ndarray:
    """`mask` without what lies in the boxes of `blobs`."""
    if blobs:
        mask = mask.copy()
    for b in blobs:
        mask[b.y:b.y + b.h, b.x:b.x + b.w] = 0
    return mask


class Scene:
    """Begins with its first picture; a gap in time or another size needs a new one."""

    def __init__(self, luma: Luma, size: Size, ignored: np.ndarray | None, settings: MotionSettings,
                 first_number: int) -> None:
        """`size` is that of the analysed picture; `ignored` a bool plane of that size, or None.

        Objects are numbered from `first_number` on.
        """
        self._s = settings
        self._size = size
        self._picture = prepare(shrunken(luma.y, size), settings)
        self._background = Background(self._picture, settings, ignored)
        self._tracker = Tracker(settings, first_number)
        self._stays = Stays(settings, size)
        self._blob_min_px = max(1, round(settings.blob_pct / 100 * self._picture.contrast.size))
        self._started_mono_s = luma.mono_s + settings.start_s      # silent until then
        self._settled_mono_s = float("-inf")
        self._fresh_mono_s = luma.mono_s                           # when a full look last saw another picture
        self._moving_mono_s = float("-inf")                        # "moving" is held until then
        self._objects: tuple[Seen, ...] = ()
        self._full_mono_s = luma.mono_s                            # the latest full look
        self._look = Look(False, reasons=(Reason.SETTLING,))       # and what it said
        self._glance: Glance | None = None                         # what a first look compares with; None: it won't do

    @property
    def next_number(self) -> int:
        """The first number that no object has had."""
        return self._tracker.next_number

    def look(self, luma: Luma, dt_s: float) -> Look:
        """Judge the next picture, `dt_s` (> 0) after the one before, and learn from it.

        While nothing is going on a first look is enough for most pictures: if too few pixels for a blob have changed by
        a good part of what the full look asks for, it could not find one. The full look then comes, and learns,
        every `calm_s`.
        """
        small = shrunken(luma.y, self._size)
        since_s = luma.mono_s - self._full_mono_s
        calm = self._glance is not None and self._glance.outside_n(small) < strong_min(self._blob_min_px)
        if not calm or since_s > self._s.calm_s:
            pace = Pace(since_s, since_s if calm else dt_s)
            self._look = self._full(prepare(small, self._s), luma.mono_s, dt_s, pace)
            self._full_mono_s = luma.mono_s
            self._glance = self._background.glance(self._picture, _GLANCE_SHARE) if self._idle(luma.mono_s) else None
        return self._look

    def _full(self, picture: Picture, now: float, dt_s: float, pace: Pace) -> Look:
        s = self._s
        if cv2.norm(picture.small, self._picture.small, cv2.NORM_INF):
            self._fresh_mono_s = now
        self._picture = picture
        change = self._background.compare(picture, dt_s)
        whole = change.share > s.global_share
        if whole:
            self._settled_mono_s = now + s.settle_s
        blobs = [] if whole else find_blobs(change, self._blob_min_px, s.blobs_max)
        self._tracker.step(blobs, self._background.busy, now, dt_s)
        confirmed = [t for t in self._tracker.tracks if t.confirmed and t.seen_mono_s == now]
        seen = [] if whole else self._seen(picture, confirmed, now)
        loose = _outside(change.mask, [t.blob for t in confirmed])
        self._background.learn(picture, change, loose, pace, now < self._settled_mono_s)
        if seen and now >= self._started_mono_s:
            self._moving_mono_s = now + s.hold_s
            found = [Seen(each.number, self._box(each.edges)) for each in seen]
            self._objects = tuple(sorted(found, key=lambda one: -one.box.w * one.box.h))
        moving = now <= self._moving_mono_s
        objects = self._objects if moving else ()
        followed_n = max(len(self._tracker.tracks), self._stays.stirring_n)
        return Look(moving, change.share, objects, self._reasons(whole, now), followed_n)

    def _idle(self, now_mono_s: float) -> bool:
        """True if the latest full look found nothing that the next picture might continue."""
        learned_mono_s = max(self._started_mono_s + self._s.learn_s, self._settled_mono_s)
        return (now_mono_s > max(learned_mono_s, self._moving_mono_s) and not self._stays.places
                and not self._tracker.tracks and self._tracker.clutter < _CLUTTER_IDLE)

    def _seen(self, picture: Picture, confirmed: list[Track], now_mono_s: float) -> list[Track | Place]:
        """The `confirmed` tracks, all in sight, that move now, and the places where somebody stands who does."""
        self._stays.remember(confirmed, now_mono_s)
        found: list[Track | Place] = [t for t in confirmed if now_mono_s - t.moved_mono_s < self._s.rest_s]
        if self._stays.places:
            uneasy = self._background.uneasy(picture)
            lively = self._stays.lively(uneasy, self._blob_min_px, now_mono_s)
            if now_mono_s >= self._settled_mono_s:
                found += lively
        return found

    def _reasons(self, whole: bool, now_mono_s: float) -> tuple[Reason, ...]:
        s = self._s
        holds = (
            (Reason.SETTLING, now_mono_s < self._started_mono_s or now_mono_s < self._settled_mono_s),
            (Reason.GLOBAL_CHANGE, whole),
            (Reason.FROZEN, now_mono_s - self._fresh_mono_s > s.frozen_s),
            (Reason.BUSY, self._tracker.clutter > s.busy_clutter),
        )
        return tuple([reason for reason, true in holds if true])

    def _box(self, edges: Edges) -> Box:
        w, h = self._size
        left, top, right, bottom = edges
        x, y = max(left / w, 0.0), max(top / h, 0.0)
        return Box(x, y, min(right / w, 1.0) - x, min(bottom / h, 1.0) - y)
