"""An event's word: which looks are shown, what of the picture, what the answers come to, and when there is time."""
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.household.labels import ALIVE, FREE_MIN_B, HOT_C, LOAD_MAX, hindrance
from agent.core.media.model import Box
from agent.core.vision.best_looks import APART_S, LOOKS_MAX, BestLooks, RatedLook
from agent.core.vision.label import (
    AGREE_N,
    CLASSES_N,
    LEAST_PX,
    SURE,
    UNSURE,
    WORD_OF,
    anchors,
    edges_in,
    part_around,
    scores_of,
    word_for,
)

GB = 1_000_000_000
shares = st.floats(0, 1)
looks = st.lists(st.builds(RatedLook, st.floats(0, 1), st.floats(0, 20), st.integers()), min_size=1)
boxes = st.tuples(shares, shares, shares, shares).map(
    lambda edges: Box(min(edges[:2]), min(edges[2:]), abs(edges[0] - edges[1]), abs(edges[2] - edges[3])))
scores = st.fixed_dictionaries(dict.fromkeys(SURE, shares))


@given(looks)
def test_the_best_look_of_all_is_kept_and_the_others_show_other_moments(offered: list[RatedLook]):
    best = BestLooks()
    for look in offered:
        best.add(look)
    worths = [look.worth for look in best.looks]
    assert worths == sorted(worths, reverse=True) and worths[0] == max(look.worth for look in offered)
    assert 1 <= len(best.looks) <= LOOKS_MAX
    times = sorted(look.mono_s for look in best.looks)
    assert all(later - sooner >= APART_S for sooner, later in zip(times, times[1:], strict=False))


@given(looks, shares, st.floats(0, 20))
def test_what_is_worth_no_more_than_the_least_changes_nothing(offered: list[RatedLook], worth: float, at_s: float):
    best = BestLooks()
    for look in offered:
        best.add(look)
    before, least = best.looks, best.least(at_s)
    best.add(RatedLook(worth, at_s, "new"))
    assert (best.looks == before) == (worth <= least)


@given(boxes, st.integers(16, 400), st.integers(16, 400))
def test_a_cut_out_lies_in_the_picture_around_the_box(box: Box, wide: int, high: int):
    part, edges = part_around(box, wide, high), edges_in(part_around(box, wide, high), box, wide, high)
    side = max(1.6 * max(box.w * wide, box.h * high), LEAST_PX)
    left, top, width, height = part
    assert not any(each % 2 for each in part)
    assert abs(width - min(side, wide)) <= 1.5 and abs(height - min(side, high)) <= 1.5
    assert 0 <= left <= box.x * wide + 2 and 0 <= top <= box.y * high + 2
    assert (box.x + box.w) * wide - 2 <= left + width <= wide
    assert (box.y + box.h) * high - 2 <= top + height <= high
    assert edges[0] * width + left == pytest.approx(box.x * wide, abs=1e-6)
    assert edges[3] * height + top == pytest.approx((box.y + box.h) * high, abs=1e-6)


@given(st.lists(scores, min_size=1, max_size=LOOKS_MAX))
def test_a_word_is_sure_or_it_is_nothing(each_said: list[dict]):
    label = word_for(each_said)
    best = {word: fmean(sorted(each[word] for each in each_said)[-AGREE_N:]) for word in SURE}
    if label is None or label.word == "nothing":
        assert all(best[word] < least for word, least in SURE.items())
        assert (label is None) == (max(best[word] for word in ALIVE) >= UNSURE)
    else:
        assert best[label.word] >= SURE[label.word]


def test_what_may_be_somebody_gets_no_label_because_nothing_would_hide_it():
    faint = dict.fromkeys(SURE, 0.0) | {"person": UNSURE}
    assert word_for([faint] * 3) is None and word_for([faint | {"other": SURE["other"]}]).word == "other"
    assert word_for([faint | {"person": UNSURE - 0.01}]).word == "nothing"


def test_what_looks_like_somebody_once_is_nobody():
    never = dict.fromkeys(SURE, 0.0)
    once, often = never | {"person": 0.5}, never | {"person": SURE["person"]}
    assert word_for([never, once, never]).word == "nothing" and word_for([often] * 3).word == "person"
    assert word_for([*[often] * AGREE_N, never]).word == "person"       # and once they are half out of the picture


@given(st.lists(scores, min_size=AGREE_N, max_size=LOOKS_MAX), scores)
def test_a_further_look_takes_no_person_away(each_said: list[dict], other: dict):
    other = other | {"vehicle": 0.0, "animal": 0.0}
    before, after = word_for(each_said), word_for([*each_said, other])
    assert before is None or before.word != "person" or after is not None and after.word == "person"


ANCHORS_N, PLAIN = 1917, np.zeros((1917, 4))       # an answer that moves no anchor
MIDDLE = (0.3, 0.3, 0.7, 0.7)


def said(class_number: int, anchor: int) -> np.ndarray:
    """The model sees something of that class at one anchor."""
    logits = np.full((ANCHORS_N, CLASSES_N), -9.0)
    logits[anchor, class_number] = 3
    return logits


def at(middle_x: float, middle_y: float, side: float) -> int:
    """The anchor that is most like that square."""
    return int(np.abs(anchors() - [middle_x, middle_y, side, side]).sum(axis=1).argmin())


def test_the_anchors_are_those_of_the_model():
    assert anchors().shape == (ANCHORS_N, 4)
    assert anchors()[0] == pytest.approx([0.5 / 19, 0.5 / 19, 0.1, 0.1])
    assert anchors()[-6] == pytest.approx([0.5, 0.5, 0.95, 0.95])


@pytest.mark.parametrize("number", range(1, CLASSES_N))
def test_each_class_of_the_model_is_a_word(number: int):
    scores = scores_of(said(number, at(0.5, 0.5, 0.4)), PLAIN, MIDDLE)
    assert word_for([scores]).word == WORD_OF.get(number, "other")


def test_what_is_elsewhere_is_not_what_moved():
    car, beside = said(23, at(0.9, 0.1, 0.2)), said(23, at(0.5, 0.5, 0.4))
    assert word_for([scores_of(car, PLAIN, MIDDLE)]).word == "nothing"
    away = np.tile([0.0, 30.0, 0.0, 0.0], (ANCHORS_N, 1))       # three of its own widths to the right
    assert word_for([scores_of(beside, away, MIDDLE)]).word == "nothing"


def test_the_model_s_own_nothing_is_nothing():
    assert word_for([scores_of(said(0, at(0.5, 0.5, 0.4)), PLAIN, MIDDLE)]) == ("nothing", pytest.approx(0, abs=0.01))


def test_somebody_before_a_parked_car_is_a_person_and_a_car_with_a_driver_a_vehicle():
    people = {"person": 0.55, "vehicle": 0.66, "animal": 0.1, "other": 0.1}
    assert word_for([people]).word == "person" and word_for([people | {"vehicle": 0.75}]).word == "vehicle"


@given(st.lists(st.lists(st.floats(-40, 40), min_size=4, max_size=4), min_size=1, max_size=5), boxes)
def test_any_answer_gives_scores(odd: list[list[float]], box: Box):
    places = np.resize(np.array(odd), (ANCHORS_N, 4))
    edges = (box.x, box.y, box.x + box.w, box.y + box.h)
    assert all(0 <= score <= 1 for score in scores_of(said(4, 7), places, edges).values())


@pytest.mark.parametrize(("free_b", "load1", "temp_c", "why"), [
    (4 * GB, 0.2, 55.0, None), (None, None, None, None), (FREE_MIN_B - 1, 0.2, 55.0, "memory"),
    (4 * GB, 4 * LOAD_MAX + 0.1, 55.0, "busy"), (4 * GB, 0.2, HOT_C + 0.1, "hot"),
    (FREE_MIN_B, 4 * LOAD_MAX, HOT_C, None)])
def test_recording_goes_first(free_b: int | None, load1: float | None, temp_c: float | None, why: str | None):
    assert hindrance(free_b, load1, 4, temp_c) == why
