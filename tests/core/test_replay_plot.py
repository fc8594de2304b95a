"""The plot of a replay: a document that any browser reads, on an axis that leaves out what was not recorded."""
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.vision.replay import FootageStretch, ReplayEvent, TracePoint, Variant, VariantOutcome
from agent.core.vision.replay.plot import PlotClock, plot, svg
from agent.core.vision.replay.plot.axis import LABEL_PX, TimeAxis
from agent.core.vision.replay.plot.plot import ADDED, KEPT, LEFT, MISSED, RIGHT
from agent.core.vision.replay.plot.shapes import Bar, Label
from tests.rigs.examples import examples

CLOCK = PlotClock(lambda at_s: at_s, lambda at_s: f"{at_s:.0f} s")
NOW, HIGH = Variant("now", "normal", 0.1, 5), Variant("sensitivity high", "high", 0.1, 5)
STRETCHES = st.lists(st.tuples(st.floats(3.1, 1e5), st.floats(0, 1e4)), min_size=1, max_size=60).map(
    lambda pairs: [FootageStretch(*span) for span in np.cumsum(np.ravel(pairs)).reshape(-1, 2).tolist()])


def outcome(variant: Variant, *events: ReplayEvent, silences: frozenset[str] = frozenset()) -> VariantOutcome:
    points = tuple(TracePoint(at_s, at_s, at_s / 100, False, silences) for at_s in range(60))
    return VariantOutcome(variant, events, len(events), 60, 0.0, {}, points)


def drawn(title: str = "a film") -> tuple:
    first, second, third = ReplayEvent(5, 9), ReplayEvent(20, 21), ReplayEvent(40, 44)
    now, high = outcome(NOW, first, second, silences=frozenset({"busy", "no_zone"})), outcome(HIGH, first, third)
    drawing = plot(title, [now, high], [FootageStretch(0, 30), FootageStretch(35, 59)], CLOCK)
    return drawing, [shape for shape in drawing.shapes if isinstance(shape, Bar)]


def test_events_are_bands_and_differences_are_told_by_shape_too():
    drawing, bars = drawn()
    below = [bar for bar in bars if bar.x >= LEFT and bar.y > 300]
    assert [(bar.fill, bar.edge) for bar in below if bar.fill in (KEPT, ADDED) or bar.edge == MISSED] == [
        (KEPT, ""), (KEPT, ""), ("", MISSED), (KEPT, ""), (ADDED, "#1f2328")]
    labels = [shape.text for shape in drawing.shapes if isinstance(shape, Label)]
    assert {"now: 2", "sensitivity high: 2", "busy", "in no zone", "nothing recorded"} <= set(labels)
    assert "frozen" not in labels and "counts from 0.042 % on" in labels


def test_it_is_well_formed_whatever_the_title():
    document = svg(drawn('<b> & "film" \x00\x1b.mp4')[0])
    root = ElementTree.fromstring(document)
    assert root.tag.endswith("svg") and root.get("aria-label") == '<b> & "film" ??.mp4'
    assert len(root.findall(".//{*}text")) > 10 and root.find("{*}desc").text == "now: 2; sensitivity high: 2"


def test_everything_lies_on_the_paper():
    drawing, bars = drawn()
    assert all(0 <= bar.x <= bar.x + bar.w <= drawing.width and 0 <= bar.y + bar.h <= drawing.height for bar in bars)


@settings(max_examples=examples(60))
@given(STRETCHES)
def test_time_goes_to_the_right_and_labels_leave_each_other_room(stretches):
    axis = TimeAxis(stretches, LEFT, RIGHT)
    edges = [axis.x(at_s) for stretch in stretches for at_s in (stretch.began_s, stretch.ended_s)]
    assert all(later >= earlier - 1e-6 for earlier, later in pairwise(edges))
    assert edges[0] >= LEFT - 1e-6 and edges[-1] <= RIGHT + 1e-6
    ticks = sorted(tick.x for tick in axis.ticks(CLOCK))
    assert ticks[0] == LEFT and all(later - earlier >= LABEL_PX - 1e-6 for earlier, later in pairwise(ticks))


def test_hours_of_footage_get_a_handful_of_round_labels():
    axis = TimeAxis([FootageStretch(100, 100 + 86_400)], LEFT, RIGHT)
    texts = [tick.text for tick in axis.ticks(CLOCK)]
    assert texts[0] == "100 s" and 5 <= len(texts) <= 11 and all(int(text[:-2]) % 3600 == 0 for text in texts[1:])
