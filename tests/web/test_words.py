"""Both languages say everything, with the same gaps to fill, and people's dates and numbers are right."""
import re
import string
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

import pytest

from agent.look.words import FOLDER, LANGUAGES, local
from agent.web.server import words

VI, EN = (words.load(language) for language in LANGUAGES)
HERE = words.FOLDER.parent
ROOMS = (FOLDER.parent, HERE)
SOURCE = "\n".join(path.read_text() for room in ROOMS for path in [*room.rglob("*.py"), *room.rglob("templates/*")])
SCRIPT = (HERE / "static/live.js").read_text()
NOON = int(datetime(2026, 11, 25, 12, 0, 5).astimezone().timestamp() * 1000)      # a Wednesday
DAY_MS, HOUR_MS = 86_400_000, 3_600_000


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_languages_have_the_same_keys_and_gaps():
    assert VI.texts.keys() == EN.texts.keys()
    assert {key: gaps(text) for key, text in VI.texts.items() if "date" not in key} == {
        key: gaps(text) for key, text in EN.texts.items() if "date" not in key}


def used_keys() -> set[str]:
    """Keys that templates and code spell out; some are made of parts and are not among these."""
    groups = "|".join({key.split(".")[0] for key in VI.texts})
    found = re.findall(rf"""["']((?:{groups})\.[a-z_.]+[a-z])["']""", SOURCE)
    return {key for key in found if not key.endswith((".html", ".js", ".css"))}


def test_every_key_that_is_used_exists():
    assert len(used_keys()) > 50
    assert not used_keys() - VI.texts.keys()


def test_every_text_is_used():
    starts = set(re.findall(r"([a-z]+\.[a-z_.]*)\{", SOURCE))                      # f"health.clock_{...}"
    live = set(re.findall(r'NotLive\("([a-z_]+)"', SOURCE) + re.findall(r'"([a-z_]+)"', SCRIPT))
    unused = {key for key in VI.texts if f'"{key}"' not in SOURCE and f"'{key}'" not in SOURCE
              and not any(key.startswith(start) for start in starts)
              and not key.endswith("_help") and key.removeprefix("live.") not in live
              and key.removeprefix("purpose.") not in VI.purposes}
    assert not unused


@pytest.mark.parametrize("ago_ms, vi, en", [
    (0, "Hôm nay", "Today"), (12 * HOUR_MS, "Hôm nay", "Today"), (13 * HOUR_MS, "Hôm qua", "Yesterday"),
    (2 * DAY_MS, "Thứ Hai, 23/11", "Mon 23 November"), (400 * DAY_MS, "Thứ Ba, 21/10/2025", "Tue 21 October 2025")])
def test_days_as_people_say_them(ago_ms, vi, en):
    assert (VI.day(NOON - ago_ms, NOON), EN.day(NOON - ago_ms, NOON)) == (vi, en)


@pytest.mark.parametrize("ms, vi, en, length", [
    (0, "1 giây", "1 s", "0:01"), (59_400, "59 giây", "59 s", "0:59"), (60_000, "1 phút", "1 min", "1:00"),
    (75_000, "1 phút 15 giây", "1 min 15 s", "1:15"), (3_723_000, "1 giờ 2 phút", "1 h 2 min", "1:02:03"),
    (90_000_000, "1 ngày 1 giờ", "1 d 1 h", "25:00:00")])
def test_durations(ms, vi, en, length):
    assert (VI.span(ms), EN.span(ms), VI.length(ms)) == (vi, en, length)


def test_sizes_have_the_languages_decimal_mark():
    assert (VI.size(1_440_000_000), EN.size(1_440_000_000)) == ("1,4 GB", "1.4 GB")
    assert (VI.size(31_900_000_000), EN.size(38_200_000)) == ("32 GB", "38 MB")


def test_a_moment_names_its_day_unless_it_is_today():
    assert VI.moment(NOON, NOON) == "12:00"
    assert EN.moment(NOON - DAY_MS, NOON) == "12:00, Yesterday"
    assert VI.clock(NOON, seconds=True) == "12:00:05"


def test_the_vietnamese_has_its_marks():
    """A text typed without diacritics would be plain ASCII; short ones may be."""
    assert not [text for text in VI.texts.values() if text.isascii() and len(text.split()) > 2 and "{" not in text]


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets the device's time zone, as timedatectl does while the page runs."""
    yield partial(monkeypatch.setenv, "TZ")
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("name", "read"), [
    ("UTC", "01:30, Sun 25 October"), ("UTC-7", "08:30, Sun 25 October"), ("UTC+12", "13:30, Sat 24 October"),
    ("CET-1CEST,M3.5.0,M10.5.0/3", "02:30, Sun 25 October"), ("UTC-5:45", "07:15, Sun 25 October")])
def test_what_is_stored_in_utc_is_read_in_the_zone_of_now(zone, name: str, read: str):
    zone(name)
    at_ms = 1_792_891_800_000
    assert EN.moment(at_ms, at_ms + 30 * DAY_MS) == read
    assert local(at_ms).timestamp() * 1000 == at_ms


@pytest.mark.parametrize(("at_ms", "year"), [(-86_400_000, 1969), (2**31 * 1000, 2038), (4_200_000_000_000, 2103)])
def test_any_year_can_be_read(zone, at_ms: int, year: int):
    zone("UTC")
    assert EN.day(at_ms, NOON).endswith(str(year)) and VI.stamp(at_ms).startswith(str(year))
