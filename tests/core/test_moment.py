"""A wall time as a date, whatever number it is; and texts of others as a terminal is shown them."""
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.harmless import lines, one_line
from agent.core.moment import moment

ZONES = ("Asia/Ho_Chi_Minh", "America/Los_Angeles", "Pacific/Kiritimati", "UTC")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("wall_ms", [0, -1, 2**50, 2**63, -2**63, 2**200, -2**200])
def test_every_number_is_a_date_in_every_zone(monkeypatch: pytest.MonkeyPatch, zone: str, wall_ms: int) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    for shown in (moment(wall_ms), moment(wall_ms).astimezone(), moment(wall_ms, UTC)):
        assert 1 <= shown.year <= 9999
    monkeypatch.undo()
    time.tzset()


@given(st.integers(0, 2**42))
def test_what_a_calendar_has_is_told_to_the_millisecond(wall_ms: int) -> None:
    assert (moment(wall_ms, UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000 == pytest.approx(wall_ms)


@given(st.text())
def test_no_letter_of_a_shown_text_commands_a_terminal_and_the_others_stay(text: str) -> None:
    shown = one_line(text)
    assert len(shown) == len(text) and not [each for each in shown if each < " " or "\x7f" <= each < "\xa0"]
    assert one_line(shown) == shown and [*map(one_line, text.split("\n"))] == one_line_each(text)


def one_line_each(text: str) -> list[str]:
    return [one_line(each) for each in lines(text).split("\n")]


def test_a_name_in_vietnamese_stays_as_it_is() -> None:
    officer = "Đội trưởng Nguyễn Văn Ắ, số 12\u00a0A — “nhà” 🏠"
    assert one_line(officer) == officer
    assert lines("một\thai\nba\x1b[2J\u202e\n") == "một\thai\nba\ufffd[2J\ufffd\n"
