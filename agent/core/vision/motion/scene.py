"""One unbroken run of pictures of one size: everything that has been learned, and the look at the next picture."""
from dataclasses import dataclass

import cv2
import numpy as np

from agent.core.media.model import Box
from agent.core.vision.luma import Luma, Size
from agent.core.vision.motion.background import Background, Change, Glance, LearnPace
from agent.core.vision.motion.blobs import Blob, find_blobs, strong_min, without_halos
from agent.core.vision.motion.crisp import Focus
from agent.core.vision.motion.look import Look, Reason, SeenObject
from agent.core.vision.motion.outline import Outlines, Part
from agent.core.vision.motion.picture import WorkPicture, prepare
from agent.core.vision.motion.rect import Edges
from agent.core.vision.motion.settings import MotionSettings
from agent.core.vision.motion.stays import Stays
from agent.core.vision.motion.track import Track
from agent.core.vision.motion.tracks import Tracker
from agent.core.vision.motion.upheaval import BackgroundViews, Extent, Gain, Upheaval

_GLANCE_SHARE = 0.75      # of the evidence that a strong pixel needs: from here on the first look asks the full one
_CLUTTER_IDLE = 0.05      # with fewer blobs a picture than this, averaged, nothing is going on
_HIDDEN_PX = 0.5          # the background's tolerance hides the outermost part of what is before it


def _outside(mask: np.ndarray, blobs: list[Blob]) -> np.ndarray:
    """`mask` without what lies in the boxes of `blobs`."""
    if blobs:
        mask = mask.copy()
    for b in blobs:
        mask[b.y:b.y + b.h, b.x:b.x + b.w] = 0
    return mask


@dataclass(slots=True)
class _FullLook:
    """The latest full look."""

    mono_s: float
    look: Look
    fresh_mono_s: float             # when one last saw another picture
    glance: Glance | None = None    # what a first look compares with; None: a first look is not enough


@dataclass(slots=True)
class _Shown:
    """The objects that move, and until when that is held."""

    objects: tuple[SeenObject, ...] = ()
    until_mono_s: float = float("-inf")


class Scene:
    """Begins with its first picture; a gap in time or another size needs a new one."""

    def __init__(self, luma: Luma, size: Size, ignored: np.ndarray | None, settings: MotionSettings,
                 first_number: int) -> None:
        """`size` is that of the analysed picture; `ignored` a bool plane of that size, or None.

        The scene's time begins with `luma`, at 0. Objects are numbered from `first_number` on.
        """
        self._s = settings
        self._size = size
        self._picture = prepare(luma.shrunken(size), settings)
        self._background = Background(self._picture, settings, ignored)
        self._views, self._upheaval = BackgroundViews(settings), Upheaval(settings)
        self._gain = Gain()
        self._stays, self._outlines = Stays(settings, size), Outlines(settings)
        self._focus = Focus()
        self._blob_min_px = max(1, round(settings.blob_pct / 100 * self._picture.contrast.size))
        self._tracker = Tracker(settings, first_number, self._picture.contrast.shape, self._blob_min_px)
        self._started_mono_s = settings.start_s      # silent until then
        self._shown = _Shown()
        self._full = _FullLook(0.0, Look(False, reasons=(Reason.SETTLING,)), 0.0)

    @property
    def next_number(self) -> int:
        """The first number that no object has had."""
        return self._tracker.next_number

    @property
    def restless(self) -> np.ndarray:
        """How restless each pixel of the analysed picture is: float32, 0..busy_max. Not to be written to."""
        return self._background.busy

    def calm(self) -> None:
        """Forget where it has been restless."""
        self._background.calm()
        self._views.forget()
        self._full.glance = None

    def look(self, luma: Luma, now_s: float, dt_s: float) -> Look:
        """Judge the next picture, at `now_s` in the scene, `dt_s` (> 0) after the one before, and learn from it.

        While nothing is going on a first look is enough for most pictures: if too few pixels for a blob have changed by
        a good part of what the full look asks for, it could not find one. The full look then comes, and learns,
        every `calm_s`.
        """
        small = luma.shrunken(self._size)
        if (noise_times := self._gain.noise_times(luma)) > 1.0:
            self._background.expect_noise(noise_times)
            self._full.glance = None
        since_s = now_s - self._full.mono_s
        calm = self._full.glance is not None and self._full.glance.outside_n(small) < strong_min(self._blob_min_px)
        if not calm or since_s > self._s.calm_s:
            pace = LearnPace(since_s, since_s if calm else dt_s)
            self._full.look = self._look_fully(prepare(small, self._s), now_s, dt_s, pace)
            self._full.mono_s = now_s
            idle = self._idle(now_s)
            self._full.glance = self._background.glance(self._picture, _GLANCE_SHARE) if idle else None
        return self._full.look

    def _look_fully(self, picture: WorkPicture, now: float, dt_s: float, pace: LearnPace) -> Look:
        if cv2.norm(picture.small, self._picture.small, cv2.NORM_INF):
            self._full.fresh_mono_s = now
        self._picture = picture
        change = self._compare(picture, dt_s)
        blank = change.share > 0 and not self._background.fills(picture)
        settled_mono_s = self._upheaval.settled_mono_s
        extent = self._upheaval.judge(change.share, blank, now)
        if extent is Extent.WHOLE and now >= settled_mono_s:
            self._views.keep(self._background)
        if extent is not Extent.DOUBT:
            self._follow(picture, change, extent, now, dt_s, pace)
        moving = now <= self._shown.until_mono_s
        followed_n = max(len(self._tracker.tracks), self._stays.stirring_n)
        return Look(moving, change.share, self._shown.objects if moving else (), self._reasons(extent, now), followed_n)

    def _compare(self, picture: WorkPicture, dt_s: float) -> Change:
        """What differs from the background; if much does, and another view is known that fits better, from that one."""
        change = self._background.compare(picture, dt_s)
        if change.differs > self._s.view_ask_share:
            view = self._views.exchange(self._background, picture, change.differs)
            if view is not None:
                self._background = view
                self._upheaval.over()
                change = view.compare(picture, dt_s)
        return change

    def _follow(self, picture: WorkPicture, change: Change, extent: Extent, now: float, dt_s: float,
                pace: LearnPace) -> None:
        """Follow what changed, note what moves, and learn."""
        s, part = self._s, extent is Extent.PART
        core = without_halos(change) if part else change.mask
        blobs = find_blobs(change, core, self._blob_min_px, s.blobs_max) if part else []
        self._tracker.step(blobs, self._background.busy, self._crispness, now, dt_s)
        confirmed = [t for t in self._tracker.tracks if t.confirmed and t.seen_mono_s == now]
        seen = self._seen(picture, confirmed, now) if part else []
        loose = _outside(change.mask, [t.blob for t in confirmed])
        self._background.learn(picture, change, core, loose, pace, now < self._upheaval.settled_mono_s)
        if seen and now >= self._started_mono_s:
            self._shown.until_mono_s = now + s.hold_s
            whole = self._outlines.whole(seen, core, now)
            found = [SeenObject(number, self._box(edges)) for number, edges in whole]
            self._shown.objects = tuple(sorted(found, key=lambda one: -one.box.w * one.box.h))

    def _crispness(self, blob: Blob) -> float:
        return self._focus.crispness(blob, self._picture, self._background)

    def _idle(self, now_mono_s: float) -> bool:
        """True if the latest full look found nothing that the next picture might continue."""
        learned_mono_s = max(self._started_mono_s + self._s.learn_s, self._upheaval.settled_mono_s)
        return (now_mono_s > max(learned_mono_s, self._shown.until_mono_s) and not self._stays.places
                and not self._tracker.tracks and self._tracker.clutter < _CLUTTER_IDLE)

    def _seen(self, picture: WorkPicture, confirmed: list[Track], now_mono_s: float) -> list[Part]:
        """The `confirmed` tracks, all in sight, that move now, and the places where a standing person does."""
        self._stays.remember(confirmed, now_mono_s)
        found = [Part(t.number, t.edges, t.speed_px_per_s)
                 for t in confirmed if now_mono_s - t.moved_mono_s < self._s.rest_s]
        if self._stays.places:
            self._stays.forget_left(self._background.as_before(picture), now_mono_s)
            lively = self._stays.lively(self._background.uneasy(picture), self._blob_min_px, now_mono_s)
            if now_mono_s >= self._upheaval.settled_mono_s:
                found += [Part(place.number, place.edges, 0.0) for place in lively]
        return found

    def _reasons(self, extent: Extent, now_mono_s: float) -> tuple[Reason, ...]:
        s = self._s
        holds = (
            (Reason.SETTLING, now_mono_s < max(self._started_mono_s, self._upheaval.settled_mono_s)),
            (Reason.GLOBAL_CHANGE, extent is not Extent.PART),
            (Reason.FROZEN, now_mono_s - self._full.fresh_mono_s > s.frozen_s),
            (Reason.BUSY, self._tracker.clutter > s.busy_clutter),
        )
        return tuple([reason for reason, true in holds if true])

    def _box(self, edges: Edges) -> Box:
        w, h = self._size
        x, y = max((edges.left - _HIDDEN_PX) / w, 0.0), max((edges.top - _HIDDEN_PX) / h, 0.0)
        return Box(x, y, min((edges.right + _HIDDEN_PX) / w, 1.0) - x, min((edges.bottom + _HIDDEN_PX) / h, 1.0) - y)
