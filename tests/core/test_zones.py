"""Zones: who is in them, who came in, who stays, who goes over the line; and who is who."""
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.core.vision.motion.look import Look, Reason
from agent.core.vision.zones import Counted, Direction, Zone, ZoneRule
from agent.core.vision.zones.followed import FOUND_AGAIN_S, KNOWN_MAX, REMEMBERED_S
from tests.core.zone_looks import MARGIN, STEP_S, TALL, area, fulfilled, line, look, walk, watch, zone

GATE = area(0.4, 0.4, 0.6, 0.8)
WATCH_ALL = zone(ZoneRule.WATCH, area(0, 0, 1, 1), "all")
WATCH, ENTER = zone(ZoneRule.WATCH, GATE), zone(ZoneRule.ENTER, GATE)
OUT, IN = (0.2, 0.7), (0.5, 0.7)
NOTHING = Look(False)


def test_without_zones_all_that_moves_counts():
    both = look((1, *OUT), (2, *IN))
    assert watch([], [both, NOTHING]) == [Counted(both.objects), Counted()]


def test_of_what_moves_only_what_is_in_the_area_counts():
    seen = watch([WATCH], [look((1, *OUT), (2, *IN))])
    assert [(object.number, seen[0].zones) for object in seen[0].objects] == [(2, ("gate",))]


@pytest.mark.parametrize(("foot", "counts"), [
    ((0.5, 0.6), True), ((0.5, 0.8 + TALL / 2), True), ((0.5, 0.8 + TALL / 2 + 0.001), False),    # the centre is in it
    ((0.5, 0.4), True), ((0.5, 0.39), False), ((0.6, 0.6), True), ((0.61, 0.6), False),
])
def test_who_is_in_an_area_stands_in_it_or_has_their_middle_in_it(foot, counts):
    assert fulfilled(watch([WATCH], walk(foot))) == [counts]


def test_a_foot_on_the_pictures_lower_edge_is_in_an_area_that_ends_there():
    assert fulfilled(watch([zone(ZoneRule.WATCH, area(0, 0.96, 1, 1))], walk((0.3, 1 + 1e-12)))) == [True]


def test_an_area_may_have_any_shape():
    bay = [(0, 0), (1, 0), (1, 1), (0.8, 1), (0.8, 0.2), (0.2, 0.2), (0.2, 1), (0, 1)]
    seen = watch([zone(ZoneRule.WATCH, bay)], walk((0.1, 0.9), (0.5, 0.9), (0.9, 0.9)))
    assert fulfilled(seen) == [True, False, True]


def test_several_zones_are_named_in_the_order_of_the_settings_once_each():
    zones = [zone(ZoneRule.WATCH, GATE, "a"), zone(ZoneRule.DWELL, GATE, "b", dwell_s=60),
             zone(ZoneRule.WATCH, GATE, "c")]
    assert watch(zones, [look((1, *IN), (2, *IN))])[0].zones == ("a", "c")


# Coming in.

def test_who_came_from_outside_has_entered_until_they_leave():
    assert fulfilled(watch([ENTER], walk(OUT, (0.42, 0.7), IN, (0.65, 0.7), IN))) == [False, True, True, False, True]


def test_who_was_first_seen_inside_has_not_entered():
    assert not any(fulfilled(watch([ENTER], walk(IN, (0.45, 0.7), IN))))


def test_who_was_first_seen_inside_enters_when_they_come_back():
    assert fulfilled(watch([ENTER], walk(IN, OUT, IN))) == [False, False, True]


@given(st.lists(st.floats(-0.9 * MARGIN, 0.9 * MARGIN), max_size=30))
def test_a_box_that_jitters_on_the_border_never_enters(jitter):
    assert not any(fulfilled(watch([ENTER], walk(IN, *((0.6 + x, 0.7) for x in jitter)))))


@given(st.lists(st.floats(0, 0.9 * MARGIN), min_size=1, max_size=30))
def test_who_enters_is_not_thrown_out_by_jitter(jitter):
    assert fulfilled(watch([ENTER], walk((0.7, 0.7), IN, *((0.6 + x, 0.7) for x in jitter))))[1:].count(False) == 0


# Staying.

def test_who_stays_long_enough_counts_from_then_on_until_they_leave():
    dwell = zone(ZoneRule.DWELL, GATE, dwell_s=1)
    assert fulfilled(watch([dwell], walk(OUT, *[IN] * 7, OUT, IN))) == [False] * 6 + [True] * 2 + [False] * 2


@pytest.mark.parametrize(("unseen_s", "number", "counts"), [
    (FOUND_AGAIN_S - STEP_S, 2, True), (FOUND_AGAIN_S + STEP_S, 2, False),
    (REMEMBERED_S - 1, 1, True), (REMEMBERED_S + 1, 1, False),
])
def test_a_loss_of_sight_restarts_a_stay_only_if_it_is_long(unseen_s, number, counts):
    unseen = [NOTHING] * round(unseen_s / STEP_S)
    seen = watch([zone(ZoneRule.DWELL, GATE, dwell_s=0.5)], [*walk(IN, IN), *unseen, *walk(IN, number=number)])
    assert fulfilled(seen)[-1] is counts


# Going over a line.

OVER = walk((0.3, 0.7), (0.49, 0.7), (0.51, 0.7), (0.7, 0.7))


@pytest.mark.parametrize(("direction", "counts"), [
    (Direction.BOTH, True), (Direction.LEFT, True), (Direction.RIGHT, False)])
def test_left_and_right_are_those_of_who_looks_along_the_line(direction, counts):
    assert fulfilled(watch([line(direction)], OVER)) == [False, False, False, counts]       # it points down the picture


def test_a_crossing_lasts_until_they_go_back():
    back = [*OVER, *walk((0.8, 0.7), (0.3, 0.7))]
    assert fulfilled(watch([line(Direction.LEFT)], back))[-3:] == [True, True, False]
    assert fulfilled(watch([line(Direction.RIGHT)], back))[-3:] == [False, False, True]
    assert fulfilled(watch([line()], back))[-3:] == [True, True, True]


def test_who_leaves_and_returns_has_come_in_too():
    assert fulfilled(watch([line(Direction.LEFT)], walk((0.7, 0.7), (0.3, 0.7), (0.7, 0.7)))) == [False, False, True]


def test_who_is_fast_is_over_the_line_between_two_looks():
    assert fulfilled(watch([line()], walk((0.05, 0.7), (0.95, 0.7)))) == [False, True]


def test_who_walks_around_the_end_of_a_line_has_not_crossed_it():
    around = walk((0.3, 0.7), (0.45, 0.3), (0.55, 0.3), (0.7, 0.7), (0.9, 0.9))
    assert not any(fulfilled(watch([line()], around)))


def test_a_corner_that_is_cut_is_crossed_there_and_back():
    corner = line(Direction.BOTH, (0.2, 0.5), (0.5, 0.5), (0.5, 0.9))
    assert not any(fulfilled(watch([corner], walk((0.1, 0.45), (0.1, 0.95), (0.9, 0.95), (0.9, 0.45)))))
    assert fulfilled(watch([corner], walk((0.4, 0.7), (0.4, 0.3)))) == [False, True]


@given(st.lists(st.floats(-0.9 * MARGIN, 0.9 * MARGIN), max_size=30))
def test_a_foot_that_jitters_on_the_line_never_crosses_it(jitter):
    seen = watch([line()], walk((0.4, 0.7), *((0.5 + x, 0.7) for x in jitter), (0.4, 0.7)))
    assert not any(fulfilled(seen))


# Who is who.

def test_another_number_where_somebody_was_just_lost_is_the_same_person():
    seen = watch([ENTER], [*walk(OUT), NOTHING, *walk((0.25, 0.7), IN, number=2)])
    assert fulfilled(seen) == [False, False, False, True]
    assert fulfilled(watch([ENTER], [*walk(OUT), *walk((0.41, 0.7), number=2)])) == [False, False]      # too far away


@pytest.mark.parametrize(("reasons", "counts"), [
    ((Reason.SETTLING,), True), ((Reason.SETTLING, Reason.GLOBAL_CHANGE), True), ((Reason.BUSY,), False)])
def test_who_was_lost_because_the_detector_was_blind_is_found_when_it_sees_again(reasons, counts):
    blind = [Look(False, reasons=reasons)] * round(3 / STEP_S)
    seen = watch([ENTER], [*walk(OUT, (0.38, 0.7)), *blind, *walk((0.42, 0.7), number=2)])
    assert fulfilled(seen)[-1] is counts


def test_who_is_in_sight_is_not_taken_for_somebody_else():
    assert not fulfilled(watch([ENTER], [look((1, 0.38, 0.7)), look((1, 0.37, 0.7), (2, 0.41, 0.7))]))[-1]


def test_of_two_that_were_lost_the_nearer_one_is_found():
    lost = [look((1, 0.3, 0.7), (2, 0.4, 0.7), (3, 0.49, 0.7))]
    assert fulfilled(watch([ENTER], [*lost, *walk((0.42, 0.7), number=4)]))[-1] is False        # 2 was in it already
    assert fulfilled(watch([ENTER], [*lost, *walk((0.42, 0.9), number=4), *walk(IN, number=4)]))[-1] is True


def test_only_so_many_are_remembered():
    for others_n, known in ((KNOWN_MAX - 1, True), (KNOWN_MAX, False)):
        crowd = look(*((2 + number, 0.9, 0.9) for number in range(others_n)))
        assert fulfilled(watch([ENTER], [*walk(OUT), crowd, *walk(IN)]))[-1] is known


# What holds whatever happens.

FEET = st.tuples(st.integers(1, 4), st.floats(0, 1), st.floats(0.1, 1))
LOOKS = st.lists(st.lists(FEET, max_size=3, unique_by=lambda each: each[0]).map(lambda feet: look(*feet)), max_size=20)
CORNERS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=6)
MIRRORED = {Direction.LEFT: Direction.RIGHT, Direction.RIGHT: Direction.LEFT, Direction.BOTH: Direction.BOTH}


def zones_of(corners: list[tuple[float, float]]) -> list[Zone]:
    """A zone of each kind."""
    return [zone(ZoneRule.WATCH, corners, "watch"), zone(ZoneRule.ENTER, corners, "enter"),
            zone(ZoneRule.DWELL, corners, "dwell", dwell_s=0.3), *(line(each, *corners) for each in Direction)]


@given(CORNERS, LOOKS)
@example([(0.5, 0.5)] * 3, [look((1, 0.5, 0.5))])
def test_what_counts_is_of_the_look_and_in_its_order(corners, looks):
    for given_look, counted in zip(looks, watch(zones_of(corners), looks), strict=True):
        numbers = [seen.number for seen in given_look.objects]
        assert [number for number in numbers if number in {seen.number for seen in counted.objects}] == [
            seen.number for seen in counted.objects]
        assert bool(counted.objects) == bool(counted.zones)


@given(CORNERS, LOOKS)
def test_who_enters_or_stays_is_watched_too(corners, looks):
    for counted in watch(zones_of(corners), looks):
        assert "watch" in counted.zones or not {"enter", "dwell"} & set(counted.zones)


def mirrored(looks: list[Look]) -> list[Look]:
    """The same, as in a mirror."""
    return [look(*((seen.number, 1 - seen.box.x - seen.box.w / 2, seen.box.y + TALL) for seen in each.objects))
            for each in looks]


GRID = st.integers(0, 64).map(lambda n: n / 64)             # so that a mirror rounds nothing
GRID_FEET = st.tuples(st.integers(1, 4), GRID.map(lambda x: x + 1 / 512), GRID.map(lambda y: y + 1 / 512))
GRID_LOOKS = st.lists(st.lists(GRID_FEET, max_size=3, unique_by=lambda each: each[0]).map(lambda feet: look(*feet)),
                      max_size=12)


@given(st.lists(st.tuples(GRID, GRID), min_size=3, max_size=6), GRID_LOOKS)
def test_a_mirrored_yard_with_mirrored_zones_gives_the_same(corners, looks):
    zones = [WATCH_ALL, *(line(each, *corners) for each in Direction)]
    other = [WATCH_ALL, *(line(MIRRORED[each], *((1 - x, y) for x, y in corners)) for each in Direction)]
    assert [len(each.objects) for each in watch(zones, looks)] == [
        len(each.objects) for each in watch(other, mirrored(looks))]


def test_it_brings_no_heavy_library_along():
    script = "import sys; from agent.core.vision import event_notes, zones; "\
        "print({'numpy', 'cv2', 'av'} & {*sys.modules})"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "set()\n"
