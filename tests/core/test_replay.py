"""A replay sees what the recorder would have seen, for each of its variants, whatever the others do."""
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.event import EventMachine, Order
from agent.core.model import Box, Luma, Point
from agent.core.motion import Detector, Look, MotionSettings, Reason, Seen
from agent.core.motion.picture import shrunken, work_size
from agent.core.replay import Event, Outcome, Replay, Stretch, Variant, differences
from agent.core.replay.story import Story
from agent.core.replay.trace import Trace
from agent.core.replay.turns import Turns
from tests.scenes import START_MONO_S, Walk, noise, pictures

NOW = Variant("now", "normal", 0.1, 5)
LOW = Variant("low", "low", 0.1, 5)
OFTEN = Variant("often", "normal", 0.1, 10)
UPPER = ((Point(0, 0), Point(1, 0), Point(1, 1), Point(0, 1)),)


def replayed(scene: Iterable[Luma], *variants: Variant) -> list[Outcome]:
    replay = Replay(variants, over_after_s=2, longest_s=300)
    for luma in scene:
        if replay.wants(luma.mono_s):
            replay.look(luma)
    return replay.end()


@pytest.fixture(scope="module")
def walk() -> list[Luma]:
    """Somebody walks through from the 5th to the 10th second of 14, at 10 pictures a second."""
    return [replace(luma, y=luma.y.copy()) for luma in pictures(14, 10, Walk(start_s=5, stop_s=10), noise(2))]


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
            opened += [luma.mono_s] if order is Order.OPEN else []
    (now,) = replayed(walk, NOW)
    assert [event.began_s for event in now.events] == opened
    assert now.events[-1].ended_s == machine.last_motion_mono_s


def test_variants_together_are_what_each_is_alone(walk):
    variants = (NOW, LOW, OFTEN, replace(NOW, name="nowhere", ignore=UPPER))
    together = replayed(walk, *variants)
    assert together == [replayed(walk, variant)[0] for variant in variants]
    assert [outcome.looks_n for outcome in together] == [71, 71, 140, 71]
    assert not together[-1].events


def test_another_size_of_the_picture_is_another_scene(walk):
    wide = (replace(luma, y=np.kron(luma.y, np.ones((2, 2), np.uint8)), mono_s=luma.mono_s + 14.1) for luma in walk)
    (now,) = replayed([*walk, *wide], NOW)
    assert now.silent_s["settling"] >= 2 and len(now.events) == 2


@settings(max_examples=40)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_a_picture_made_small_once_looks_like_the_large_one(width, height, seed):
    size = work_size((height, width), MotionSettings().work_px)
    y = np.random.default_rng(seed).integers(0, 255, (height, width), np.uint8)
    small = shrunken(y, size)
    assert work_size(small.shape, MotionSettings().work_px) == size
    assert np.array_equal(shrunken(small, size), small)


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
    assert all(later - earlier >= 0.5 / fps - 1e-9 for earlier, later in zip(taken, taken[1:], strict=False))


MOVING = Look(True, 0.02, (Seen(1, Box(0.1, 0.1, 0.2, 0.2)),))


def told(looks: Sequence[tuple[float, Look]], over_after_s: float = 8, longest_s: float = 300) -> list[Event]:
    story = Story(over_after_s, longest_s)
    for at_s, look in looks:
        story.step(at_s, look)
    story.close()
    assert story.events_n == len(story.events)
    return story.events


def test_a_gap_ends_an_event_as_it_does_in_the_recorder():
    assert [(e.began_s, e.ended_s) for e in told([(0, MOVING), (1, MOVING), (9.5, MOVING)])] == [(0, 1), (9.5, 9.5)]
    assert [(e.began_s, e.ended_s) for e in told([(0, MOVING), (1, MOVING), (8.5, MOVING)])] == [(0, 8.5)]


def test_an_event_that_is_too_long_goes_on_in_another_one():
    events = told([(at_s, MOVING) for at_s in range(25)], longest_s=10)
    assert [(e.began_s, e.ended_s, e.continues) for e in events] == [(0, 10, False), (10, 20, True), (20, 24, True)]


LOOKS = st.lists(st.tuples(
    st.floats(0.01, 30), st.builds(Look, st.booleans(), st.floats(0, 1), reasons=st.sampled_from(
        [(), (Reason.SETTLING,), (Reason.BUSY, Reason.FROZEN)]), tracks_n=st.integers(0, 1))), max_size=300)


def dated(steps: list[tuple[float, Look]]) -> list[tuple[float, Look]]:
    times = np.cumsum([step_s for step_s, _ in steps]).tolist()
    return [(at_s, look) for at_s, (_, look) in zip(times, steps, strict=True)]


@settings(max_examples=60)
@given(LOOKS, st.integers(4, 40))
def test_a_thinned_trace_is_bounded_and_keeps_every_peak(steps, points_max):
    looks, trace = dated(steps), Trace(points_max)
    for at_s, look in looks:
        trace.add(at_s, look)
    points = trace.points
    assert len(points) <= points_max
    assert all(point.ended_s < after.began_s for point, after in zip(points, points[1:], strict=False))
    for at_s, look in looks:
        (point,) = [point for point in points if point.began_s <= at_s <= point.ended_s]
        assert point.score >= look.score and point.moving >= look.moving and point.reasons >= set(look.reasons)
    assert max((p.score for p in points), default=0) == max((look.score for _, look in looks), default=0)


@settings(max_examples=40)
@given(LOOKS, st.integers(4, 40))
def test_thinning_on_the_way_is_thinning_at_the_end(steps, points_max):
    looks, trace = dated(steps), Trace(points_max)
    for at_s, look in looks:
        trace.add(at_s, look)
    for bucket_s in (0.0, *(0.25 * 2**n for n in range(20))):
        groups = [list(g) for _, g in groupby(looks, lambda one: floor(one[0] / bucket_s) if bucket_s else one[0])]  # noqa: B023
        if len(groups) <= points_max:
            break
    assert [(g[0][0], g[-1][0], max(look.score for _, look in g)) for g in groups] == [p[:3] for p in trace.points]


SPANS = st.lists(st.tuples(st.floats(0.1, 20), st.floats(0, 20)), max_size=20).map(
    lambda pairs: [Event(*span) for span in np.cumsum(np.ravel(pairs)).reshape(-1, 2).tolist()])


@given(SPANS, SPANS)
def test_what_is_missed_one_way_is_added_the_other_way(now, other):
    missed, added = differences(now, other)
    assert differences(other, now) == (added, missed)
    assert differences(now, now) == ((), ())
    near = [event for event in now if any(
        one.began_s <= event.ended_s + 1 and one.ended_s >= event.began_s - 1 for one in other)]
    assert set(missed) == set(now) - set(near)


def test_stretches_tell_where_there_was_footage(walk):
    replay = Replay([NOW], 2, 300)
    for luma in [*walk, *(replace(luma, mono_s=luma.mono_s + 100) for luma in walk)]:
        replay.look(luma)
    begin, end = START_MONO_S, walk[-1].mono_s
    assert replay.stretches == (Stretch(begin, end), Stretch(begin + 100, end + 100))
