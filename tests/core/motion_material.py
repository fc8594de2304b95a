"""What the motion tests share: a scene that is looked at, and when and where something moved in it."""
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest

from agent.core.media.model import Point
from agent.core.vision.luma import Luma
from agent.core.vision.motion import Detector, Look, MotionSettings
from tests.scenes import START_MONO_S

USUAL = MotionSettings.for_people()
RATES = pytest.mark.parametrize("fps", [5.0, 10.0])

Looks = list[tuple[float, Look]]        # seconds since the scene began, and what was said then


def watch(scene: Iterable[Luma], ignore: Sequence[Sequence[Point]] = (), settings: MotionSettings = USUAL,
          detector: Detector | None = None) -> Looks:
    """What a new detector, or the given one, says of each picture."""
    detector = detector or Detector(settings, ignore)
    return [(luma.mono_s - START_MONO_S, detector.step(luma)) for luma in scene]


def moving_from(looks: Looks) -> float | None:
    """When something moved first; None if nothing did."""
    return next((t for t, look in looks if look.moving), None)


def stretches(looks: Looks) -> list[tuple[float, float]]:
    """From when to when something moved, each time; the last one may end with the scene."""
    ended = [*looks, (looks[-1][0], Look(False))]
    edges = [t for (_, before), (t, look) in pairwise([(0.0, Look(False)), *ended]) if look.moving != before.moving]
    return list(zip(edges[::2], edges[1::2], strict=True))


def inside(look: Look, x: float, y: float) -> bool:
    """True if a box of the look holds the point, in fractions of the picture."""
    return any(b.x <= x <= b.x + b.w and b.y <= y <= b.y + b.h for b in look.boxes)
