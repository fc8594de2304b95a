"""A replay sees what the recorder would have seen, for each of its variants, whatever the others do."""
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.media.model import Box, Point
from agent.core.vision.event import EventMachine, EventOrder
from agent.core.vision.luma import Luma
from agent.core.vision.motion import Detector, Look, MotionSettings, Reason, SeenObject
from agent.core.vision.replay import FootageReplay, FootageStretch, ReplayEvent, Variant, VariantOutcome, differences
from agent.core.vision.replay.outcome import silences
from agent.core.vision.replay.story import EventCollector
from agent.core.vision.replay.variant import Turns
from agent.core.vision.zones import Counted, Zone, ZoneRule, Zones
from tests.scenes import START_MONO_S, Walk, noise, pictures

NOW = Variant("now", "normal", 0.1, 5)
LOW = Variant("low", "low", 0.1, 5)
OFTEN = Variant("often", "normal", 0.1, 10)
UPPER = ((Point(0, 0), Point(1, 0), Point(1, 1), Point(0, 1)),)
RIGHT = (Point(0.35, 0), Point(1, 0), Point(1, 1), Point(0.35, 1))
MACHINE = EventMachine(over_after_s=2, longest_s=300)


def replayed(scene: Iterable[Luma], *variants: Variant, machine: EventMachine = MACHINE) -> list[VariantOutcome]:
    replay = FootageReplay(variants, machine)
    for luma in scene:
        if replay.wants(luma.mono_s):
            replay.look(luma)
    return replay.end()


@pytest.fixture(scope="module")
def walk() -> list[Luma]:
    """Somebody walks through from the 5th to the 10th second of 14, at 10 pictures a second."""
    return [replace(luma, plane=luma.y.copy()) for luma in pictures(14, 10, Walk(start_s=5, stop_s=10), noise(2))]


def test_who_walks_through_is_one_event_with_its_time_its_score_and_its_box(walk):
    (now,) = replayed(walk, NOW)
    (event,) = now.events
    assert 5 <= event.began_s - START_MONO_S <= 6.5 and 9.5 <= event.ended_s - START_MONO_S <= 11.5
    assert event.began_s <= event.peak_s <= event.ended_s and 0.005 < event.score < 0.1
    assert event.largest is not None and event.score == now.peak.score
    assert 70 <= now.looks_n <= 71 and now.moving_s == pytest.approx(event.ended_s - event.began_s, abs=0.5)
    assert 1 <= now.silent_s["settling"] <= 2


def test_it_is_the_same_as_the_detector_and_the_machine_by_themselves(walk):
    detector, machine, turns, opened = Detector(MotionSettings.for_people()), EventMachine(2, 300), Turns(5), []
    for luma in walk:
        if turns.due(luma.mono_s):
            turns.took(luma.mono_s)
            machine, order = machine.step(detector.step(luma).moving, luma.mono_s)
            opened += [luma.mono_s] if order is EventOrder.OPEN else []
    (now,) = replayed(walk, NOW)
    assert [event.began_s for event in now.events] == opened
    assert now.events[-1].ended_s == machine.last_motion_mono_s


def zone(rule: ZoneRule, area: tuple[Point, ...] = RIGHT, dwell_s: float = 0.0) -> Zone:
    return Zone(rule.value, rule, area, dwell_s=dwell_s)


def test_with_zones_only_who_fulfils_one_makes_an_event(walk):
    free, enter, both, never = replayed(
        walk, NOW, replace(NOW, zones=(zone(ZoneRule.ENTER),)),
        replace(NOW, zones=(zone(ZoneRule.WATCH), zone(ZoneRule.ENTER))),
        replace(NOW, zones=(zone(ZoneRule.DWELL, dwell_s=60),)))
    (first,), (event,) = free.events, enter.events
    assert first.zones == () and event.zones == ("enter",) and both.events[0].zones == ("watch", "enter")
    assert first.began_s + 1 < event.began_s < event.ended_s <= first.ended_s
    assert event.largest.x + event.largest.w > 0.35 and never.events == ()
    assert enter.silent_s["no_zone"] + enter.moving_s == pytest.approx(free.moving_s)
    assert never.silent_s["no_zone"] == pytest.approx(free.moving_s) and "no_zone" not in free.silent_s


def test_it_is_what_zones_and_machine_say_by_themselves(walk):
    areas = (zone(ZoneRule.ENTER), Zone("door", ZoneRule.CROSS, line=(Point(0.3, 1), Point(0.3, 0))))
    detector, zones, machine, turns, opened = Detector(MotionSettings.for_people()), Zones(areas), MACHINE, Turns(5), []
    for luma in walk:
        if turns.due(luma.mono_s):
            turns.took(luma.mono_s)
            counted = zones.step(detector.step(luma), luma.mono_s)
            machine, order = machine.step(bool(counted.objects), luma.mono_s)
            opened += [luma.mono_s] if order is EventOrder.OPEN else []
    (now,) = replayed(walk, replace(NOW, zones=areas))
    assert opened and [event.began_s for event in now.events] == opened
    assert now.events[-1].ended_s == machine.last_motion_mono_s


def test_what_comes_too_soon_after_an_event_is_no_other_one(walk):
    later = (replace(luma, mono_s=luma.mono_s + 14.1) for luma in walk)
    (cool,) = replayed([*walk, *later], NOW, machine=replace(MACHINE, cool_down_s=60))
    (event,) = cool.events
    assert event.ended_s - START_MONO_S < 12 and 4 <= cool.silent_s["cool_down"] <= 6
    assert cool.moving_s == pytest.approx(event.ended_s - event.began_s + cool.silent_s["cool_down"], abs=0.5)


def test_variants_together_are_what_each_is_alone(walk):
    variants = (NOW, LOW, OFTEN, replace(NOW, name="nowhere", ignore=UPPER))
    together = replayed(walk, *variants)
    assert together == [replayed(walk, variant)[0] for variant in variants]
    assert [outcome.looks_n for outcome in together] == [71, 71, 140, 71]
    assert not together[-1].events


def test_another_size_of_the_picture_is_another_scene(walk):
    wide = (replace(luma, plane=np.kron(luma.y, np.ones((2, 2), np.uint8)), mono_s=luma.mono_s + 14.1) for luma in walk)
    (now,) = replayed([*walk, *wide], NOW)
    assert now.silent_s["settling"] >= 2 and len(now.events) == 2


def test_an_empty_picture_is_no_picture():
    (now,) = replayed([Luma(np.zeros((0, 0), np.uint8), at_s) for at_s in (0.0, 0.2, 0.4)], NOW)
    assert now.silent_s == {"no_picture": pytest.approx(0.4)} and now.peak.score == 0


@given(st.sampled_from([1.0, 5.0, 7.0, 15.0]), st.lists(st.floats(0.01, 0.5), min_size=2, max_size=200))
def test_turns_are_never_more_than_asked_for(fps, steps):
    turns, at_s, taken = Turns(fps), 0.0, []
    for step_s in steps:
        at_s += step_s
        if turns.due(at_s):
            turns.took(at_s)
            taken.append(at_s)
    assert taken and len(taken) <= (at_s - taken[0]) * fps + 2
    assert all(later - earlier >= 0.5 / fps - 0.001 for earlier, later in zip(taken, taken[1:], strict=False))


MOVING = Look(True, 0.02, (SeenObject(1, Box(0.1, 0.1, 0.2, 0.2)),))


def told(looks: Sequence[tuple[float, Look]], over_after_s: float = 8, longest_s: float = 300) -> list[ReplayEvent]:
    story = EventCollector(EventMachine(over_after_s, longest_s))
    for at_s, look in looks:
        story.step(at_s, look, Counted(look.objects))
    story.close()
    assert story.events_n == len(story.events)
    return story.events


def test_a_gap_ends_an_event_as_it_does_in_the_recorder():
    assert [(e.began_s, e.ended_s) for e in told([(0, MOVING), (1, MOVING), (9.5, MOVING)])] == [(0, 1), (9.5, 9.5)]
    assert [(e.began_s, e.ended_s) for e in told([(0, MOVING), (1, MOVING), (8.5, MOVING)])] == [(0, 8.5)]


def test_an_event_that_is_too_long_goes_on_in_another_one():
    events = told([(at_s, MOVING) for at_s in range(25)], longest_s=10)
    assert [(e.began_s, e.ended_s, e.continues) for e in events] == [(0, 10, False), (10, 20, True), (20, 24, True)]


def test_each_silence_has_its_name():
    nothing, counts = Counted(), Counted(MOVING.objects)
    assert silences(MOVING, counts, told=True) == silences(Look(False), nothing, told=True) == set()
    assert silences(MOVING, counts, told=False) == {"cool_down"} and silences(MOVING, nothing, told=True) == {"no_zone"}
    assert silences(Look(False, tracks_n=1), nothing, told=False) == {"unconfirmed"}
    unsure = Look(False, reasons=(Reason.BUSY, Reason.FROZEN), tracks_n=1)
    assert silences(unsure, nothing, told=False) == {"busy", "frozen"}


SPANS = st.lists(st.tuples(st.floats(0.1, 20), st.floats(0, 20)), max_size=20).map(
    lambda pairs: [ReplayEvent(*span) for span in np.cumsum(np.ravel(pairs)).reshape(-1, 2).tolist()])


@given(SPANS, SPANS)
def test_what_is_missed_one_way_is_added_the_other_way(now, other):
    missed, added = differences(now, other)
    assert differences(other, now) == (added, missed)
    assert differences(now, now) == ((), ())
    near = [event for event in now if any(
        one.began_s <= event.ended_s + 1 and one.ended_s >= event.began_s - 1 for one in other)]
    assert set(missed) == set(now) - set(near)


def test_stretches_tell_where_there_was_footage(walk):
    replay = FootageReplay([NOW], MACHINE)
    for luma in [*walk, *(replace(luma, mono_s=luma.mono_s + 100) for luma in walk)]:
        replay.look(luma)
    begin, end = START_MONO_S, walk[-1].mono_s
    assert replay.stretches == [FootageStretch(begin, end), FootageStretch(begin + 100, end + 100)]
