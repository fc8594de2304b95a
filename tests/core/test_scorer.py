"""The bench's scorer: what counts as found, false, late and well placed."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.benches.motion import IN_A_ROW, patient
from scripts.benches.score import Report, Score, merged, score_clip, spans, total

FPS = 10
BOX = [40, 20, 10, 30]


def truth(*stretches: tuple[float, int]) -> dict:
    """A clip of stretches, (seconds, label) each, with one box wherever something moves."""
    labels = [label for seconds, label in stretches for _ in range(round(seconds * FPS))]
    return {"clip": "c", "fps": FPS, "width": 320, "height": 180, "frames": len(labels), "labels": labels,
            "boxes": [[BOX] if label == 1 else [] for label in labels]}


def says(clip: dict, *moving_s: tuple[float, float], boxes: tuple = ()) -> list[Report]:
    """A report for each frame: motion within these spans of seconds."""
    times_s = [frame / FPS for frame in range(clip["frames"])]
    return [Report(t_s, moves, boxes if moves else ())
            for t_s in times_s for moves in [any(begin <= t_s < end for begin, end in moving_s)]]


WALK = truth((10, 0), (4, 1), (16, 0))


def test_an_event_that_is_found_counts_with_its_delay():
    score = score_clip(WALK, says(WALK, (10.8, 14)))
    assert (score.events, score.hits, score.false_events) == (1, 1, 0)
    assert score.delay_s(0.5) == pytest.approx(0.8)
    assert score.found_s == pytest.approx(3.2) and score.missed_s == pytest.approx(0.8)
    assert score.event_f1 == 1 and score.active_share == 0


@pytest.mark.parametrize(("at_s", "hits"), [(9.5, 0), (9.7, 1), (14.4, 1), (14.6, 0)])
def test_it_is_found_from_a_little_before_until_a_little_after(at_s: float, hits: int):
    assert score_clip(WALK, says(WALK, (at_s, at_s + 0.09))).hits == hits


@pytest.mark.parametrize(("begin_s", "end_s", "false_n"), [
    (14, 16, 0),            # somebody has just gone
    (14, 16.2, 1),
    (9.7, 10, 0),           # somebody is about to come
    (20, 21, 1),
    (17, 26.9, 1),
    (17, 27.2, 2),          # a long alarm is more than one
    (0, 2.9, 0),            # the detector may learn at first
])
def test_false_alarms(begin_s: float, end_s: float, false_n: int):
    score = score_clip(WALK, says(WALK, (begin_s, end_s)))
    assert score.false_events == false_n
    assert bool(score.false_s) == bool(false_n)


def test_alarms_close_together_are_one_and_apart_are_two():
    assert score_clip(WALK, says(WALK, (20, 21), (22.5, 23))).false_events == 1
    assert score_clip(WALK, says(WALK, (20, 21), (23.5, 24))).false_events == 2


@pytest.mark.parametrize(("gap_s", "events"), [(1.0, 1), (1.2, 2)])
def test_activity_with_a_short_gap_is_one_event(gap_s: float, events: int):
    assert score_clip(truth((5, 0), (2, 1), (gap_s, 0), (2, 1), (9, 0)), []).events == events


def test_a_flash_is_no_event():
    assert score_clip(truth((5, 0), (0.2, 1), (9, 0)), []).events == 0


def test_what_does_not_matter_is_neither_missed_nor_false():
    clip = truth((5, 0), (10, -1), (5, 0))
    score = score_clip(clip, says(clip, (5, 15)))
    assert (score.events, score.false_events, score.found_s, score.false_s) == (0, 0, 0, 0)


def test_a_quiet_clips_alarms_are_told_apart():
    clip = truth((20, 0))
    assert score_clip(clip, says(clip, (8, 9))).quiet_clips_false_events == 1
    assert score_clip(WALK, says(WALK, (20, 21))).quiet_clips_false_events == 0


def test_a_report_holds_for_half_a_second():
    rare = [Report(t_s, 10 <= t_s < 14) for t_s in np.arange(0, 30, 0.5).tolist()]
    assert score_clip(WALK, rare).found_s == pytest.approx(4.0)
    assert score_clip(WALK, [Report(10.0, True)]).found_s == pytest.approx(0.6)


def test_boxes_are_compared_where_both_have_some():
    assert score_clip(WALK, says(WALK, (10, 14), boxes=(BOX,))).box_iou == 1
    beside = score_clip(WALK, says(WALK, (10, 14), boxes=([200, 20, 10, 30],)))
    assert (beside.box_centre_recall, beside.box_iou) == (0, 0)
    assert score_clip(WALK, says(WALK, (10, 14))).box_iou is None


def test_in_sum_clips_of_any_rate_weigh_by_their_seconds():
    slow = {**truth((10, 0), (4, 1), (16, 0)), "fps": 5, "frames": 150}
    slow |= {"labels": slow["labels"][::2], "boxes": slow["boxes"][::2]}
    both = total([score_clip(WALK, says(WALK, (10, 14))), score_clip(slow, [])])
    assert (both.events, both.hits) == (2, 1)
    assert both.found_s == pytest.approx(both.missed_s) == pytest.approx(4.0)


def test_without_anything_to_tell_figures_are_absent():
    nothing = total([])
    assert nothing == Score()
    assert nothing.event_f1 is nothing.frame_f1 is nothing.active_share is nothing.delay_s(0.9) is None


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 5))
def test_spans_are_the_stretches_and_merging_only_fills_short_gaps(flags: list[bool], gap: int):
    stretches = spans(np.array(flags, bool))
    assert [i for first, last in stretches for i in range(first, last + 1)] == np.flatnonzero(flags).tolist()
    joined = merged(stretches, gap)
    assert all(after[0] - before[1] - 1 > gap for before, after in zip(joined, joined[1:], strict=False))
    assert {edge for span in joined for edge in span} <= {edge for span in stretches for edge in span}


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=200), st.lists(st.booleans(), max_size=200))
def test_whatever_is_said_the_sums_hold(labels: list[int], said: list[bool]):
    clip = truth(*((1 / FPS, label) for label in labels))
    score = score_clip(clip, [Report(k / FPS, moves) for k, moves in enumerate(said)])
    assert 0 <= score.hits <= score.events and len(score.delays_s) == score.hits
    assert score.found_s + score.missed_s == pytest.approx(sum(label == 1 for label in labels[3 * FPS:]) / FPS)
    assert (score.false_events > 0) == (score.false_s > 0)


def test_patience_waits_for_eight_in_a_row():
    said = [Report(k / FPS, 5 <= k < 20 or k == 30) for k in range(40)]
    assert [k for k, report in enumerate(patient(said)) if report.motion] == list(range(5 + IN_A_ROW - 1, 20))
