"""One continuous run of pictures of one size: everything that was learned, and the look at the next picture."""
from dataclasses import dataclass

import cv2
import numpy as np

from agent.core.media.model import Box
from agent.core.vision.luma import Luma, Size
from agent.core.vision.motion.background import Background, Change, Glance, LearnPace
from agent.core.vision.motion.blobs import BLOB, find_blobs, strong_min, without_halos
from agent.core.vision.motion.look import Look, Reason, SeenObject
from agent.core.vision.motion.outline import Outlines
from agent.core.vision.motion.parts import Part, parts
from agent.core.vision.motion.picture import WorkPicture, prepare
from agent.core.vision.motion.rect import Edges
from agent.core.vision.motion.settings import MotionSettings
from agent.core.vision.motion.stays import Stays
from agent.core.vision.motion.tracks import Judged, Tracker
from agent.core.vision.motion.upheaval import BackgroundViews, Extent, Gain, Upheaval
from agent.core.vision.motion.verdict import Verdict

_GLANCE_SHARE = 0.75      # of the evidence that a strong pixel needs: from here on the first look starts the full one
_CLUTTER_IDLE = 0.05      # with fewer blobs in an average picture nothing is going on
_HIDDEN_PX = 0.5          # the background's tolerance hides the outermost part of an object
_CRISPEST = 0.375            # a sharp edge, slightly blurred, climbs by this share of its height in a pixel
_AROUND_PX = 2               # the edges of a blob may be this far outside it
_TEXTURE_PX = 9              # the scene's own edges are searched in squares of this side,
_TEXTURE_LEVELS = 12.0       # if it has at least this contrast,
_TEXTURE_SHARE = 0.75        # and the sharper quarter counts
_TEXTURE_MIN_PX = 50         # a scene with less texture has no measurable crispness
_MEASURE_EVERY_S = 60.0
_FLAT_INSIDE = 5.0  # edges that fit this often into the breadth: the object is large, and perhaps blurred by motion


# What a patch looks like: its crispness, about 1 if it is as crisp as the scene; the most that it differs, in grey
# levels; the sign of that, -1 dark .. 1 bright; and the level of what it covers.
SIGHT = np.dtype([(name, float) for name in ("crispness", "height", "sign", "level")])


class Focus:
    """The crispness of objects relative to the scene's own edges, which are measured again at intervals."""

    def __init__(self) -> None:
        self._scene = _CRISPEST
        self._measured: Background | None = None
        self._again_age_s = 0.0

    def sights(self, blobs: np.ndarray, picture: WorkPicture, background: Background) -> np.ndarray:
        """Returns what each of the blobs (BLOB) looks like (SIGHT)."""
        if background is not self._measured or background.age_s >= self._again_age_s:
            self._scene = _scene_crispness(background.brightness)
            self._measured, self._again_age_s = background, background.age_s + _MEASURE_EVERY_S
        found = np.zeros(len(blobs), SIGHT)
        if not len(blobs):
            return found
        boxes = blobs["box"].astype(int) + (-_AROUND_PX, -_AROUND_PX, _AROUND_PX, _AROUND_PX)
        h, w = background.brightness.shape
        boxes = np.clip(boxes, 0, (w, h, w, h))
        x0, y0 = boxes[:, :2].min(axis=0).tolist()
        x1, y1 = boxes[:, 2:].max(axis=0).tolist()
        behind = background.brightness[y0:y1, x0:x1]
        changed = cv2.subtract(picture.brightness[y0:y1, x0:x1], behind)
        slope = cv2.max(cv2.absdiff(changed[1:-1, 2:], changed[1:-1, :-2]),
                        cv2.absdiff(changed[2:, 1:-1], changed[:-2, 1:-1]))
        for k, (left, top, right, bottom) in enumerate((boxes - (x0, y0, x0, y0)).tolist()):
            low, high, *_ = cv2.minMaxLoc(changed[top:bottom, left:right])
            steepest = cv2.minMaxLoc(slope[top:bottom - 2, left:right - 2])[1]
            height = max(high, -low)
            found[k] = (steepest / 2 / height if height else 0.0, height, (high + low) / height if height else 0.0,
                        cv2.mean(behind[top:bottom, left:right])[0])
        breadth = (blobs["box"][:, 2:] - blobs["box"][:, :2]).min(axis=1)
        narrow = found["crispness"] * breadth <= _FLAT_INSIDE
        found["crispness"] = np.where(narrow, found["crispness"] / self._scene, 1.0)
        return found


def _scene_crispness(background: np.ndarray) -> float:
    """Measures the scene's edges alike: less than that of a sharp edge if the camera itself is out of focus."""
    square = np.ones((_TEXTURE_PX, _TEXTURE_PX), np.uint8)
    height = cv2.subtract(cv2.dilate(background, square), cv2.erode(background, square))
    textured = height > _TEXTURE_LEVELS
    if cv2.countNonZero(textured.view(np.uint8)) < _TEXTURE_MIN_PX:
        return _CRISPEST
    across = cv2.absdiff(cv2.Sobel(background, cv2.CV_32F, 1, 0, ksize=1), 0.0)
    down = cv2.absdiff(cv2.Sobel(background, cv2.CV_32F, 0, 1, ksize=1), 0.0)
    climb = cv2.dilate(cv2.max(across, down), square) / 2
    return min(_CRISPEST, float(np.quantile(climb[textured] / height[textured], _TEXTURE_SHARE)))


def _outside(mask: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    if len(tracks):
        mask = mask.copy()
    for left, top, right, bottom in tracks["box"].tolist():
        mask[max(0, int(top)):int(bottom) + 1, max(0, int(left)):int(right) + 1] = 0
    return mask


@dataclass(slots=True)
class _FullLook:
    mono_s: float
    look: Look
    fresh_mono_s: float             # when one last saw another picture
    glance: Glance | None = None    # limits for a first look; None: a first look is not enough


@dataclass(slots=True)
class _Shown:
    objects: tuple[SeenObject, ...] = ()
    until_mono_s: float = float("-inf")


class Scene:
    """Begins with its first picture. A gap in time or another size needs a new scene."""

    def __init__(self, luma: Luma, size: Size, ignored: np.ndarray | None, settings: MotionSettings, verdict: Verdict,
                 first_number: int) -> None:
        """`size` is that of the analysed picture; `ignored` a bool plane of that size, or None. The scene's time
        begins with `luma`, at 0. Object numbers start at `first_number`."""
        self._s = settings
        self._size = size
        self._picture = prepare(luma.shrunken(size), settings)
        self._background = Background(self._picture, settings, ignored)
        self._views, self._upheaval = BackgroundViews(settings), Upheaval(settings)
        self._gain = Gain()
        self._stays, self._outlines = Stays(settings, size), Outlines(settings)
        self._focus = Focus()
        self._blob_min_px = max(1, round(settings.blob_pct / 100 * self._picture.contrast.size))
        self._tracker = Tracker(settings, verdict, first_number, self._picture.contrast.shape, self._blob_min_px)
        self._started_mono_s = settings.start_s      # silent until then
        self._shown = _Shown()
        self._full = _FullLook(0.0, Look(False, reasons=(Reason.SETTLING,)), 0.0)

    @property
    def next_number(self) -> int:
        return self._tracker.next_number

    @property
    def judged(self) -> Judged:
        """What the latest full look judged; boxes in pixels of the analysed picture."""
        return self._tracker.judged

    @property
    def restless(self) -> np.ndarray:
        """The restlessness of each pixel of the analysed picture: float32, 0..busy_max. Read-only."""
        return self._background.busy

    def calm(self) -> None:
        self._background.calm()
        self._views.forget()
        self._full.glance = None

    def look(self, luma: Luma, now_s: float, dt_s: float) -> Look:
        """Judges the next picture, at `now_s` in the scene, `dt_s` (> 0) after the one before, and learns from it.

        While nothing is going on, a first look is enough for most pictures: if fewer pixels than a blob needs have
        changed by a good part of the full look's limit, the full look could not find one. The full look then runs, and
        learns, every `calm_s`.
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
        followed_n = max(len(self._tracker), self._stays.stirring_n)
        return Look(moving, change.share, self._shown.objects if moving else (), self._reasons(extent, now), followed_n)

    def _compare(self, picture: WorkPicture, dt_s: float) -> Change:
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
        s, part = self._s, extent is Extent.PART
        core = without_halos(change) if part else change.mask
        blobs = find_blobs(change, core, self._blob_min_px, s.blobs_max) if part else np.empty(0, BLOB)
        self._tracker.step(blobs, self._background.busy, self._sights, now, dt_s)
        confirmed = self._tracker.seen(now)
        seen = self._seen(picture, confirmed, now) if part else []
        loose = _outside(change.mask, confirmed)
        self._background.learn(picture, change, core, loose, pace, now < self._upheaval.settled_mono_s)
        if seen and now >= self._started_mono_s:
            self._shown.until_mono_s = now + s.hold_s
            whole = self._outlines.whole(seen, core, now)
            found = [SeenObject(number, self._box(edges)) for number, edges in whole]
            self._shown.objects = tuple(sorted(found, key=lambda one: -one.box.w * one.box.h))

    def _sights(self, blobs: np.ndarray) -> np.ndarray:
        return self._focus.sights(blobs, self._picture, self._background)

    def _idle(self, now_mono_s: float) -> bool:
        learned_mono_s = max(self._started_mono_s + self._s.learn_s, self._upheaval.settled_mono_s)
        return (now_mono_s > max(learned_mono_s, self._shown.until_mono_s) and not self._stays.places
                and not len(self._tracker) and self._tracker.clutter < _CLUTTER_IDLE)

    def _seen(self, picture: WorkPicture, confirmed: np.ndarray, now_mono_s: float) -> list[Part]:
        rested = self._stays.remember(confirmed, now_mono_s)
        self._tracker.rest(rested)
        found = [part for part, moved in zip(parts(confirmed), confirmed["moved_s"].tolist(), strict=True)
                 if now_mono_s - moved < self._s.rest_s]
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
