"""The detector: one luma picture in, one look out. This room knows only seconds, not frames per second.

The method is the project's own: contrast with the surroundings instead of brightness, a background with a range
instead of a value, and tracks that must behave like objects. `settings.py` explains the constants.
"""
from collections.abc import Sequence

from agent.core.media.model import Point
from agent.core.vision.luma import Luma
from agent.core.vision.motion.look import Look, Reason
from agent.core.vision.motion.picture import work_size
from agent.core.vision.motion.rect import covered
from agent.core.vision.motion.scene import Scene
from agent.core.vision.motion.settings import MotionSettings
from agent.core.vision.motion.tracks import Judged
from agent.core.vision.motion.verdict import Verdict

_TIME_DIGITS = 4            # tenths of a millisecond: the start of the clock must not change results by rounding
DETECTOR_VERSION: str = "6"      # change it whenever detection changes; it is stored with events


class Detector:
    """Motion in one camera's picture. Pass every picture, in order."""

    def __init__(self, settings: MotionSettings, ignore: Sequence[Sequence[Point]] = (),
                 verdict: Verdict | None = None) -> None:
        """`ignore` are polygons in fractions of the picture in which nothing counts; `verdict` is another than the
        fitted one. Raises ValueError for a wrong polygon."""
        covered(ignore, (1, 1))
        self._verdict = verdict or Verdict.fitted()
        self._s = settings
        self._ignore = ignore
        self._scene: Scene | None = None
        self._shape: tuple[int, ...] = ()
        self._begun_mono_s = self._at_s = float("nan")      # of the scene; and the latest picture's time in it
        self._last = Look(False, reasons=(Reason.SETTLING,))

    def step(self, luma: Luma) -> Look:
        """Looks at one picture of any size, at any time. Never raises.

        A gap in time, a clock that goes back or another size begins a new scene. A picture that comes too soon after
        the one before is skipped: the result is the last one.
        """
        if luma.plane.size == 0:
            return Look(False, reasons=(Reason.NO_PICTURE,))
        at_s = round(luma.mono_s - self._begun_mono_s, _TIME_DIGITS)
        dt_s = at_s - self._at_s
        same = self._scene is not None and luma.shape == self._shape
        if same and 0 <= dt_s < self._s.step_min_s:
            return self._last
        if same and 0 < dt_s <= self._s.gap_max_s:
            self._at_s = at_s
            self._last = self._scene.look(luma, at_s, dt_s)
        else:
            self._begin(luma)
            self._last = Look(False, reasons=(Reason.SETTLING,))
        return self._last

    def judged(self) -> Judged | None:
        """Returns what the latest full look judged, its boxes in fractions of the picture; None before the first."""
        if self._scene is None:
            return None
        boxes, measures = self._scene.judged
        w, h = work_size(self._shape, self._s.work_px)
        return Judged(boxes / (w, h, w, h), measures)

    def busy(self, columns: int, rows: int) -> list[list[float]]:
        """Returns how restless the picture has been (leaves, a flag): 0 calm .. 1, the highest value of each cell, row
        by row. Motion there needs more evidence. Empty before the first picture."""
        if self._scene is None:
            return []
        restless = self._scene.restless / self._s.busy_max
        h, w = restless.shape
        return [[round(float(restless[h * row // rows:-(-h * (row + 1) // rows),
                                      w * column // columns:-(-w * (column + 1) // columns)].max()), 2)
                 for column in range(columns)] for row in range(rows)]

    def forget_busy(self) -> None:
        """Marks every place as calm again: the tree was cut, or the camera turned."""
        if self._scene is not None:
            self._scene.calm()

    def _begin(self, luma: Luma) -> None:
        self._begun_mono_s, self._at_s = luma.mono_s, 0.0
        size = work_size(luma.shape, self._s.work_px)
        self._shape = luma.shape
        first_number = self._scene.next_number if self._scene else 1
        self._scene = Scene(luma, size, covered(self._ignore, size), self._s, self._verdict,
                            first_number)
