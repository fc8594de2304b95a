"""Detector and zones together, on generated scenes: a person walks through a yard with a gate in it."""
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from agent.core.media.model import Point
from agent.core.vision.event import EventMachine, EventOrder
from agent.core.vision.luma import Luma
from agent.core.vision.motion import Detector, MotionSettings
from agent.core.vision.zones import Direction, Zone, ZoneRule, Zones
from tests import scenes
from tests.core.zone_looks import area, line, zone
from tests.scenes import Walk, noise, pictures

WALKER = Walk(start_s=5, x=30, px_per_s=28, stop_s=14)      # the foot goes from 0.1 to 0.9, at 0.83
GATE, BEGIN, DOOR = area(0.5, 0.6, 0.75, 1), area(0, 0.5, 0.35, 1), area(0.5, 0, 0.75, 0.5)
LINE = ((0.6, 0.5), (0.6, 1.0))
AT_GATE_S, AT_LINE_S, GONE_S = 5 + (0.5 - 0.09) * 320 / 28, 5 + (0.6 - 0.09) * 320 / 28, 14.0


def events(scene: Iterable[Luma], *zones: Zone) -> list[tuple[float, float, set[str]]]:
    """(begin, end, names) of each event, in seconds of the scene."""
    detector, at_work, machine = Detector(MotionSettings.for_people()), Zones(zones), EventMachine(3, 300)
    found: list[tuple[float, float, set[str]]] = []
    for luma in scene:
        counted = at_work.step(detector.step(luma), luma.mono_s)
        machine, order = machine.step(bool(counted.objects), luma.mono_s)
        if order is EventOrder.OPEN:
            found.append((luma.mono_s - scenes.START_MONO_S, 0.0, set()))
        if order is EventOrder.CLOSE:
            found[-1] = (found[-1][0], machine.last_motion_mono_s - scenes.START_MONO_S, found[-1][2])
        if machine.state.value != "quiet":
            found[-1][2].update(counted.zones)
    return found


def scene(fps: float = 10, *things: scenes.Happening) -> list[Luma]:
    return list(pictures(20, fps, *(things or (WALKER,)), noise(2)))


@pytest.fixture(scope="module")
def walked() -> list[Luma]:
    return scene()


def begins(found: Sequence[tuple[float, float, set[str]]]) -> list[float]:
    return [begin for begin, _, _ in found]


@pytest.mark.parametrize(("drawn", "begin_s"), [
    ([], 5.6), ([zone(ZoneRule.WATCH, GATE)], AT_GATE_S), ([zone(ZoneRule.ENTER, GATE)], AT_GATE_S),
    ([zone(ZoneRule.DWELL, GATE, dwell_s=2)], AT_GATE_S + 2), ([line(Direction.BOTH, *LINE)], AT_LINE_S),
    ([line(Direction.LEFT, *LINE)], AT_LINE_S)],
    ids=["no zone", "watch", "enter", "dwell", "cross", "cross to the left"])
def test_an_event_begins_when_its_zone_is_fulfilled(walked, drawn, begin_s):
    (begin, end, names), = events(walked, *drawn)
    assert begin == pytest.approx(begin_s, abs=0.6) and begin < end < GONE_S + 1.5
    assert names == {each.name for each in drawn}


@pytest.mark.parametrize("drawn", [
    zone(ZoneRule.WATCH, DOOR), zone(ZoneRule.ENTER, BEGIN), zone(ZoneRule.DWELL, GATE, dwell_s=6),
    line(Direction.RIGHT, *LINE)], ids=["nobody there", "began there", "gone too soon", "the other way"])
def test_what_fulfils_no_zone_is_no_event(walked, drawn):
    assert events(walked, drawn) == []


def test_all_zones_of_an_event_are_named(walked):
    (_, _, names), = events(walked, zone(ZoneRule.WATCH, GATE), line(Direction.BOTH, *LINE),
                          zone(ZoneRule.WATCH, DOOR, "door"))
    assert names == {"gate"}
    (_, _, names), = events(walked, zone(ZoneRule.WATCH, GATE, "gate"), zone(ZoneRule.WATCH, BEGIN, "path"))
    assert names == {"gate", "path"}


def test_somebody_who_stops_and_sways_in_the_area_dwells_there():
    waiting = scene(5, Walk(start_s=5, x=100, rest_s=8, sway_px=2))
    (begin, _, _), *_ = events(waiting, zone(ZoneRule.DWELL, GATE, dwell_s=6))
    assert 12 < begin < 18


ALL_RULES = (zone(ZoneRule.WATCH, GATE), zone(ZoneRule.ENTER, GATE), zone(ZoneRule.DWELL, GATE, dwell_s=2),
             line(Direction.LEFT, *LINE))


def mirrored(drawn: Zone) -> Zone:
    turned = {Direction.LEFT: Direction.RIGHT, Direction.RIGHT: Direction.LEFT}.get(drawn.direction, drawn.direction)
    return replace(drawn, area=tuple(Point(1 - x, y) for x, y in drawn.area), direction=turned,
                   line=tuple(Point(1 - x, y) for x, y in drawn.line))


@pytest.mark.parametrize("drawn", ALL_RULES, ids=lambda each: each.rule.value)
def test_a_mirrored_scene_with_mirrored_zones_has_the_same_events(walked, drawn):
    turned = [replace(luma, plane=luma.y[:, ::-1]) for luma in walked]
    plain, other = events(walked, drawn), events(turned, mirrored(drawn))
    assert begins(other) == pytest.approx(begins(plain), abs=0.4) and len(plain) == 1


@pytest.mark.parametrize("drawn", ALL_RULES, ids=lambda each: each.rule.value)
def test_half_the_pictures_show_the_same_events(walked, drawn):
    plain, half = events(walked, drawn), events(walked[::2], drawn)
    assert begins(half) == pytest.approx(begins(plain), abs=0.6) and len(plain) == 1


def test_who_walks_off_the_picture_and_back_has_entered_twice():
    there, back = WALKER, Walk(start_s=22, x=300, px_per_s=-28, stop_s=31)
    both = list(pictures(36, 5, there, back, noise(2)))
    found = events(both, zone(ZoneRule.ENTER, GATE))
    assert begins(found) == pytest.approx([AT_GATE_S, 22 + (0.94 - 0.75) * 320 / 28], abs=0.8)


def test_the_detector_confirms_well_within_the_time_that_the_pre_roll_is_lengthened_by():
    waits = []
    for seed in range(10):
        for fps in (5.0, 10.0):
            walk = Walk(start_s=5, x=40 + 10 * seed, px_per_s=22 + 2 * seed, tall=36 + 2 * seed)
            film = pictures(8, fps, walk, noise(2), seed=seed + 1)
            (begin, _, _), = events(film) or [(99.0, 0.0, set())]
            waits.append(begin - 5)
    assert sorted(waits)[round(0.9 * len(waits)) - 1] <= 1.3 and max(waits) < 2.0
