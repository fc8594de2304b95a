"""Which place could be left out, by the words of a day's events."""
from hypothesis import given
from hypothesis import strategies as st

from agent.core.household.labels import PEOPLE, WORDS
from agent.core.media.model import Box
from agent.core.vision.zones.hint import AREA_MAX, LEAST_N, NamedEvent, Ninth, ZoneHint, corners, zone_hint

LEAVES = Box(0.02, 0.05, 0.2, 0.2)          # in the upper left corner
PATH = Box(0.5, 0.5, 0.1, 0.3)


def day(leaves_n: int, people_n: int, people_at: Box = PATH) -> ZoneHint | None:
    return zone_hint([NamedEvent("nothing", LEAVES)] * leaves_n + [NamedEvent("person", people_at)] * people_n)


def test_leaves_in_a_corner_are_most_of_a_day():
    hint = day(31, 9)
    assert hint == ZoneHint(40, 31, "nothing", Ninth("begin", "begin"), hint.area)
    assert corners(hint.area) == [(0.02, 0.05), (0.22, 0.05), (0.22, 0.25), (0.02, 0.25)]


def test_of_a_few_of_a_small_part_and_where_people_come_nobody_is_told():
    assert day(LEAST_N - 1, 0) is None and day(10, 40) is None
    assert day(20, 2, people_at=LEAVES) and day(20, 3, people_at=LEAVES) is None
    assert zone_hint([]) is None and zone_hint([NamedEvent("nothing", Box(0, 0, 0.6, 0.6))] * 20) is None


def test_animals_are_called_that_and_one_that_strays_does_not_widen_the_area():
    cats = [NamedEvent("animal", Box(0.75, 0.8, 0.1, 0.1))] * 18
    hint = zone_hint([*cats, NamedEvent("other", Box(0.7, 0.7, 0.28, 0.28)), NamedEvent("person", PATH)])
    assert hint and (hint.word, hint.here_n, hint.place) == ("animal", 19, Ninth("end", "end"))
    assert hint.area.w < 0.11


edges = st.floats(0, 1)
boxes = st.tuples(edges, edges, edges, edges).map(
    lambda each: Box(each[0], each[1], each[2] * (1 - each[0]), each[3] * (1 - each[1])))


@given(st.lists(st.builds(NamedEvent, st.sampled_from(WORDS), boxes), max_size=30))
def test_whatever_happens_the_hint_is_an_area_of_the_picture_and_counts_no_people(events: list[NamedEvent]):
    if hint := zone_hint(events):
        assert LEAST_N <= hint.here_n <= sum(event.word not in PEOPLE for event in events)
        assert 0 <= hint.area.x <= 1 and hint.area.w * hint.area.h <= AREA_MAX + 1e-9
        assert all(0 <= value <= 1 for corner in corners(hint.area) for value in corner)
