"""What is noted of an event: names, numbers and ways, of a bounded size however long it is."""
from hypothesis import given
from hypothesis import strategies as st

from agent.core.media.model import Box
from agent.core.vision.event_notes import AT_ONCE_MAX, NUMBERS_MAX, PATH_MAX, EventNotes, PathSample, Summary
from agent.core.vision.motion.look import SeenObject

BOX = Box(0.1, 0.2, 0.3, 0.4)


def notes(*looks: tuple[float, list[int]], zones: tuple[str, ...] = ()) -> EventNotes:
    """Of an event that began at 100 s: (seconds since then, numbers of the objects)."""
    made = EventNotes(100.0)
    for at_s, numbers in looks:
        made.note([SeenObject(number, BOX) for number in numbers], zones, 0.01, 100 + at_s)
    return made


def test_an_event_of_which_nothing_was_seen_has_nothing_to_tell():
    assert EventNotes(5.0).summary == Summary(0.0, (), 0, ())


def test_a_path_has_tenths_of_a_second_own_numbers_and_thousandths():
    assert notes((0.0, [17]), (0.2, [17, 23])).summary.path == (
        PathSample(0, 1, 100, 200, 300, 400), PathSample(2, 1, 100, 200, 300, 400),
        PathSample(2, 2, 100, 200, 300, 400))


def test_the_peak_is_kept_and_zones_come_in_the_order_in_which_they_were_fulfilled():
    made = EventNotes(0.0)
    for at_s, (score, zones) in enumerate([(0.1, ("path",)), (0.3, ("gate", "path")), (0.2, ())]):
        made.note([SeenObject(1, BOX)], zones, score, float(at_s))
    assert (made.summary.score, made.summary.zones) == (0.3, ("path", "gate"))


def test_objects_are_counted_once_each_and_anew_when_another_detector_numbers_them():
    made = notes((0, [4]), (1, [4, 9]), (2, [9]))
    assert made.summary.tracks_n == 2
    made.renumber()
    made.note([SeenObject(4, BOX)], (), 0.0, 103.0)
    assert made.summary.tracks_n == 3 and made.summary.path[-1].number == 3


def test_what_came_before_the_event_began_is_at_its_begin():
    assert notes((-0.3, [1])).summary.path[0].at_ds == 0


def test_a_long_event_keeps_samples_evenly():
    times = [sample.at_ds for sample in notes(*((n / 5, [1]) for n in range(15 * 60 * 5))).summary.path]
    steps = {later - earlier for earlier, later in zip(times, times[1:], strict=False)}
    assert PATH_MAX / 2 <= len(times) <= PATH_MAX and len(steps) == 1
    assert times[0] == 0 and times[-1] > 0.9 * 9000


def test_of_a_crowd_the_largest_are_sampled_and_all_are_counted():
    summary = notes((0, list(range(20)))).summary
    assert [sample.number for sample in summary.path] == list(range(1, AT_ONCE_MAX + 1)) and summary.tracks_n == 20


def test_an_object_that_is_seen_again_and_again_is_never_forgotten():
    made = notes(*((n / 5, [0, 1 + n]) for n in range(2 * NUMBERS_MAX)))
    assert made.summary.tracks_n == 1 + 2 * NUMBERS_MAX


@given(st.lists(st.tuples(st.floats(0, 100), st.lists(st.integers(0, 50), max_size=30, unique=True)), max_size=150))
def test_whatever_comes_the_notes_stay_small_and_in_order(steps):
    made, at_s = EventNotes(0.0), 0.0
    for wait_s, numbers in steps:
        at_s += wait_s
        made.note([SeenObject(number, BOX) for number in numbers], (), 0.5, at_s)
    path = made.summary.path
    assert len(path) <= PATH_MAX and sorted(path, key=lambda sample: sample.at_ds) == list(path)
    assert made.summary.tracks_n == len({number for _, numbers in steps for number in numbers})
    assert all(1 <= sample.number <= made.summary.tracks_n for sample in path)
