"""A day in fake time: dawn, noon, dusk, infrared. Who comes is seen at any hour, nothing else, and nothing grows.

Usually only its morning, from infrared to full light.
"""
import pickle
from collections.abc import Iterator
from math import pi, sin, sqrt

import cv2
import numpy as np
import pytest

from agent.core.vision.luma import Luma
from agent.core.vision.motion import Detector
from tests.core.motion_material import USUAL
from tests.scenes import Walk, infrared, yard

SIZE = 160, 90
HOUR_S = 3600.0
EVERY_S = 4.0                               # nobody is there: few pictures will do
VISIT_S, VISIT_FPS = 10.0, 5.0
VISITS_H = (1.0, 4.5, 6.2, 9.0, 12.5, 17.5, 18.3, 21.0, 23.5)
NIGHT_ENDS_H, NIGHT_BEGINS_H = 6.0, 18.0    # infrared before and after
DRAWS_N = 61                                # of noise, used over and over
STATE_MAX_BYTES = 3_000_000


def small(picture: np.ndarray) -> np.ndarray:
    """As large as what is analysed, so that a day is over in seconds."""
    return cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA)


class Outdoors:
    """The yard from midnight on: sunlight, clouds, a camera that turns its gain up in the dusk."""

    def __init__(self) -> None:
        """Prepare what each picture is made of."""
        rng = np.random.default_rng(5)
        self._by_night = infrared(-1.0)
        self._day, self._night = small(yard(1)), small(self._seen(yard(1), night=True))
        self._noise = rng.normal(0, 1, (DRAWS_N, *SIZE[::-1])).astype(np.float32)

    def at(self, t_s: float, walk: Walk | None = None) -> Luma:
        """The picture at `t_s` after midnight."""
        hour = t_s / HOUR_S
        night = not NIGHT_ENDS_H <= hour < NIGHT_BEGINS_H
        if walk is None:
            empty = self._night if night else self._day
        else:
            empty = small(self._seen(walk(yard(1), t_s, None), night))
        sun = 1.0 if night else 0.35 + 0.65 * sin(pi * (hour - NIGHT_ENDS_H) / (NIGHT_BEGINS_H - NIGHT_ENDS_H))
        cloud = 1.0 if night else 1 + 0.15 * sin(t_s / 40) * sin(t_s / 311)
        gain = 8.0 if night else 1 / sun
        draw = self._noise[int(t_s * 7) % DRAWS_N]
        picture = empty * np.float32(sun * cloud) + draw * np.float32(sqrt(gain))
        return Luma(np.clip(picture, 0, 255).astype(np.uint8), t_s, gain=gain)

    def _seen(self, picture: np.ndarray, night: bool) -> np.ndarray:
        return self._by_night(picture, 0.0, None) if night else picture


def moments(begin_h: float, end_h: float) -> Iterator[tuple[float, Walk | None]]:
    """The seconds of the day at which there is a picture, and who walks through it."""
    t_s, visits = begin_h * HOUR_S, [hour * HOUR_S for hour in VISITS_H if hour >= begin_h]
    while t_s < end_h * HOUR_S:
        if visits and t_s >= visits[0]:
            walk = Walk(start_s=visits.pop(0) + 2, x=110, stop_s=t_s + VISIT_S - 1)
            yield from ((t_s + i / VISIT_FPS, walk) for i in range(round(VISIT_S * VISIT_FPS)))
            t_s += VISIT_S
        yield t_s, None
        t_s += EVERY_S


@pytest.mark.parametrize(("begin_h", "end_h", "visits_n"), [
    pytest.param(4.0, 9.1, 3, id="morning"),
    pytest.param(0.0, 24.0, len(VISITS_H), id="all", marks=pytest.mark.thorough)])
def test_a_day_and_a_night(begin_h: float, end_h: float, visits_n: int):
    detector, outdoors = Detector(USUAL), Outdoors()
    seen_s: dict[float, float] = {}         # the start of a visit -> when it was first seen
    false_s: list[float] = []
    sizes: list[int] = []
    for number, (t_s, walk) in enumerate(moments(begin_h, end_h)):
        look = detector.step(outdoors.at(t_s, walk))
        if look.moving and walk and t_s >= walk.start_s:
            seen_s.setdefault(walk.start_s, t_s)
        elif look.moving and (not seen_s or t_s > max(seen_s) + VISIT_S + 2):
            false_s.append(t_s)
        assert look.tracks_n <= USUAL.tracks_max
        if number % 200 == 0:
            sizes.append(len(pickle.dumps(detector)))
    assert false_s == []
    assert len(seen_s) == visits_n
    assert max(first_s - start_s for start_s, first_s in seen_s.items()) <= 1.5
    assert max(sizes) <= STATE_MAX_BYTES and max(sizes[len(sizes) // 2:]) <= 1.1 * max(sizes[:len(sizes) // 2])
