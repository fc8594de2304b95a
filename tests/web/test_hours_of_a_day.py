"""The hours of a day: each tells what was recorded in it, and lists the events that began in it."""
from datetime import date

import pytest

from agent.core.household.day_lane import LanePiece
from agent.store.recordings import DayEvent
from agent.web.recordings.present_day import DayQuery, hour_views, span_of
from agent.web.server import words
from agent.web.server.words import View

DAY = date(2026, 10, 10)
SPAN, SAID = span_of(DAY), words.load("en")


def at_ms(clock: str) -> int:
    hour, minute = map(int, clock.split(":"))
    return SPAN.begin_ms + (hour * 60 + minute) * 60_000


def hours(recorded: list[tuple[str, str]], began: tuple[str, ...] = ()) -> dict[str, View]:
    pieces = [LanePiece(at_ms(begin), at_ms(end), "recorded") for begin, end in recorded]
    events = [DayEvent(n, "gate", "motion", None, "done", at_ms(clock), 5_000, (), False, True, False)
              for n, clock in enumerate(began)]
    return {view.clock: view for view in hour_views(pieces, events, SPAN.begin_ms, DayQuery(DAY), SAID)}


@pytest.mark.parametrize("recorded, told", [
    ([("09:50", "11:10")], {"09:00": 10, "10:00": 60, "11:00": 10}),
    ([("10:00", "11:00")], {"10:00": 60}),
    ([("00:00", "00:05"), ("23:30", "24:00")], {"00:00": 5, "23:00": 30}),
    ([("10:10", "10:20"), ("10:40", "10:45")], {"10:00": 15}),
    ([("10:10", "10:20"), ("10:10", "10:20")], {"10:00": 20}),      # of two cameras
    ([], {})])
def test_an_hour_tells_its_own_share_of_what_was_recorded(recorded, told):
    expected = {clock: SAID("recordings.hour", span=SAID.span(minutes * 60_000)) for clock, minutes in told.items()}
    assert {clock: view.text for clock, view in hours(recorded).items()} == expected


def test_an_event_is_listed_in_the_hour_in_which_it_began():
    found = hours([("09:00", "11:30")], ("09:59", "10:00", "10:59", "11:00"))
    assert {clock: [event.id for event in view.events] for clock, view in found.items()} == {
        "09:00": [0], "10:00": [1, 2], "11:00": [3]}
