"""Boxes: the whole of somebody, one box each."""
import numpy as np
import pytest

from agent.core.media.model import Box
from tests.core.motion_material import RATES, watch
from tests.scenes import HEIGHT, WIDTH, Walk, noise, pictures, yard

EMPTY = yard(1)


def iou(a: Box, b: Box) -> float:
    """Intersection over union."""
    w = max(0.0, min(a.x + a.w, b.x + b.w) - max(a.x, b.x))
    h = max(0.0, min(a.y + a.h, b.y + b.h) - max(a.y, b.y))
    return w * h / (a.w * a.h + b.w * b.h - w * h)


def body(walk: Walk, t_s: float) -> Box:
    """The box around head, body and feet of somebody at `t_s`."""
    half = 0.18 * walk.tall
    return Box((walk.middle_x(t_s) - half) / WIDTH, (walk.y - walk.tall) / HEIGHT, 2 * half / WIDTH,
               walk.tall / HEIGHT)


def rail(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
    """A rail before everybody, of the colour of what is behind."""
    picture[119:124] = EMPTY[119:124]
    return picture


@RATES
@pytest.mark.parametrize("tall", [44.0, 90.0])
def test_the_box_of_a_walker_is_about_the_walker(tall, fps):
    walk = Walk(start_s=5, x=30, tall=tall)
    found = [(t, look) for t, look in watch(pictures(11, fps, walk, noise(2))) if 7 <= t <= 10]
    fits = [iou(look.largest, body(walk, t)) for t, look in found if look.moving]
    assert len(fits) == len(found) and np.median(fits) >= 0.5


@RATES
def test_somebody_who_only_moves_their_head_keeps_the_whole_box(fps):
    stand = Walk(start_s=4, x=100, rest_s=7, nod_px=3)
    found = [look for t, look in watch(pictures(30, fps, stand, noise(1))) if t > 12 and look.moving]
    assert len(found) >= 0.4 * 18 * fps
    assert min(iou(look.largest, body(stand, 20.0)) for look in found) >= 0.5


@RATES
def test_the_parts_above_and_below_a_rail_are_one_person(fps):
    looks = watch(pictures(10, fps, Walk(start_s=5, x=20, tall=80), rail, noise(2)))
    counts = [len(look.objects) for t, look in looks if t >= 6.5]
    assert counts.count(1) >= 0.9 * len(counts)


@RATES
def test_two_people_side_by_side_stay_two(fps):
    looks = watch(pictures(11, fps, Walk(start_s=5, x=20), Walk(start_s=5, x=70), noise(2)))
    found = [look for t, look in looks if t >= 7]
    assert sum(len(look.objects) == 2 for look in found) >= 0.9 * len(found)
    assert all(one.number in {1, 2} for look in found for one in look.objects)
