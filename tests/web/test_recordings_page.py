"""A day of recordings over HTTP: its lines, hours and events, any moment of it, and what is done with a span."""
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from urllib.parse import urlencode

import pytest

from agent.config.settings import Store
from agent.core.household.labels import EventWord
from agent.host.clock import Instant, at
from agent.keeper.deletion import retain
from agent.look.words import local
from agent.store import absences, clips, holds
from agent.store.database import connect, transaction
from agent.store.decisions import browsers
from agent.web.server.access import COOKIE
from tests.rigs.house.household import Household, happen

MIN_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000


def noon(house: Household, days_ago: int = 1) -> Instant:
    """Noon of a day by the device's clock, in the boot of now."""
    now = house.clock.now()
    then = local(now.wall_ms).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=days_ago)
    away_ms = int(then.timestamp() * 1000) - now.wall_ms
    return Instant("0b00f00d", 40 * DAY_MS + away_ms, now.wall_ms + away_ms, "ntp")


def day(start: Instant) -> str:
    return local(start.wall_ms).date().isoformat()


@pytest.fixture
def past(tmp_path) -> Iterator[Household]:
    """Yesterday at noon, two events at the gate, one of them in a zone, and one in the yard an hour later."""
    house = Household(tmp_path, language="en")
    start = noon(house)
    happen(house.folders, start, "gate")
    happen(house.folders, at(start, start.mono_ms + 30 * MIN_MS), "gate", zones=["drive"])
    happen(house.folders, at(start, start.mono_ms + HOUR_MS), "yard")
    with house:
        yield house


def shown(text: str) -> list[int]:
    """The events that are listed."""
    return [int(number) for number in re.findall(r'data-id="(\d+)"', text)]


def data(text: str) -> dict:
    """What the page's script is given."""
    return json.loads(unescape(re.search(r'data-day="([^"]+)"', text)[1]))


def test_a_day_has_a_line_for_each_camera_and_lists_its_events_by_hours(past):
    text = past.get(f"/recordings?day={day(noon(past))}").text
    assert ">Yesterday<" in text and shown(text) == [1, 2, 3]
    assert 'aria-label="gate: 8 s recorded, 2 events"' in text and 'aria-label="yard: 4 s recorded, 1 event"' in text
    assert re.findall(r'id="hour-(\d\d:\d\d)"', text) == ["12:00", "13:00"]
    assert shown(past.get("/recordings").text) == [] and "Nothing was recorded." in past.get("/recordings").text


def test_camera_zone_and_kind_are_chosen(past):
    today = day(noon(past))
    assert shown(past.get(f"/recordings?day={today}&camera=yard").text) == [3]
    text = past.get(f"/recordings?day={today}&camera=gate").text
    assert shown(text) == [1, 2] and "zone=drive" in text
    assert shown(past.get(f"/recordings?day={today}&camera=gate&zone=drive").text) == [2]
    assert shown(past.get(f"/recordings?day={today}&kind=tamper").text) == []
    told = data(past.get(f"/recordings?day={today}&camera=gate&zone=drive").text)
    assert [event[0] for event in told["events"]] == [2]


def test_what_moved_is_told_and_chosen(tmp_path):
    house, words = Household(tmp_path, language="en"), ("person", "vehicle", "nothing")
    start = noon(house)
    for minutes, word in enumerate(words):
        happen(house.folders, at(start, start.mono_ms + minutes * MIN_MS), word=EventWord(word, 0.6))
    with house:
        today = day(start)
        text = house.get(f"/recordings?day={today}").text
        assert shown(text) == [1, 2, 3]
        assert [text.count(f">{each}<") for each in ("Person", "Vehicle", "Animal")] == [2, 2, 0]
        assert shown(house.get(f"/recordings?day={today}&kind=person").text) == [1]
        assert shown(house.get(f"/recordings?day={today}&kind=vehicle").text) == [2]
        assert "Person at gate" in house.get("/events/1").text and "Motion at gate" in house.get("/events/3").text
        told = [event["label"] for event in json.loads(house.get("/events.json").body)["events"]]
        assert sorted(told) == sorted(words)


@pytest.mark.parametrize("asked", ["day=2026-13-77", "camera=nobody", "at=99:00", "at=noon", "kind=%00", "zone=<b>",
                                   "day=9999-12-31", "day=0001-01-01", "at=12:00&event=7"])
def test_what_is_no_day_or_moment_is_today_and_none(past, asked):
    assert past.get(f"/recordings?{asked}").status == past.get(f"/recordings/month?{asked}").status == 200


def test_a_moment_plays_without_scripts_and_one_that_was_not_recorded_leads_to_the_next(past):
    start = noon(past)
    for clock, begins in (("11:00", 0), ("12:00:02", 2), ("12:05", 30 * 60)):
        text = past.get(f"/recordings?day={day(start)}&camera=gate&at={clock}").text
        assert f'data-at="{start.wall_ms + begins * 1000}"' in text, clock
        address, seconds = re.search(r'<video class="player"[^>]* src="([^"#]+)#t=([\d.]+)"', text).groups()
        film = past.get(unescape(address))
        assert film.status == 200 and film.body[4:8] == b"ftyp"
        assert float(seconds) == pytest.approx(begins % 1800, abs=0.01)
    late = past.get(f"/recordings?day={day(start)}&camera=gate&at=23:00").text
    assert f'data-at="{start.wall_ms + 30 * MIN_MS}"' in late
    assert "<video" not in past.get("/recordings?camera=gate&at=12:00").text


def test_earlier_and_later_lead_from_event_to_event(past):
    text = past.get(f"/recordings?day={day(noon(past))}&camera=gate&at=12:00:01&event=1").text
    assert "event=2#film" in re.search(r'data-jump="later"[^>]*href="([^"]+)"', text)[1]
    assert not re.search(r'data-jump="earlier"[^>]*href', text)


def test_yesterday_evening_at_the_gate_is_two_taps_from_home(past):
    first = re.search(r'href="(/recordings\?camera=gate)"', past.get("/").text)[1]
    second = re.search(r'href="([^"]+)">Yesterday evening<', past.get(first).text)[1]
    assert unescape(second) == f"/recordings?day={day(noon(past))}&camera=gate&at=18%3A00%3A00#film"


def test_each_gap_is_told_with_its_reason(past):
    start = noon(past)
    with connect(past.folders.root) as db, transaction(db):
        absences.began(db, "gate", "page", at(start, start.mono_ms + 2 * HOUR_MS))
        absences.ended(db, "gate", "page", at(start, start.mono_ms + 3 * HOUR_MS))
        clips.condemn(db, [clips.finished(db, "gate")[-1].name], "erased")
    text = past.get(f"/recordings?day={day(start)}&camera=gate").text
    assert "<dt>14:00 – 15:00</dt><dd>Paused on this page</dd>" in text
    assert 'class="deleted"' in text and 'class="paused"' in text and "4 s recorded" in text


def test_a_month_links_the_days_with_recordings_and_those_without_a_date(past):
    start = noon(past)
    text = past.get(f"/recordings/month?day={day(start)}").text
    assert re.findall(r'<li><a href="([^"]+)"', text) == [f"/recordings?day={day(start)}"]
    assert "the clock was not set" not in text
    happen(past.folders, replace(start, boot="00000bad", wall_ms=90_000, clock="unset"), "gate")
    undated = re.search(r'href="(/recordings\?day=1970[^"]+)"', past.get("/recordings/month").text)[1]
    listed = past.get(undated).text
    assert shown(listed) == [4] and listed.count("The time may be wrong") == 1


def test_seen_events_stay_seen(past):
    today = f"/recordings?day={day(noon(past))}"
    assert past.get(today).text.count("unseen-event") == 3
    assert past.post("/recordings/seen", "events=1").status == 204
    answer = past.post("/recordings/seen", urlencode({"events": "2 3 77 x", "next": today}))
    assert (answer.status, answer.headers["location"]) == (303, today)
    assert past.get(today).text.count("unseen-event") == 0
    assert past.post("/recordings/seen", "events=1&next=https://x.example").headers["location"] == "/recordings"


def span(house: Household, begin: str = "12:00", end: str = "12:01", **more: object) -> str:
    return urlencode({"camera": "gate", "day": day(noon(house)), "begin": begin, "end": end, **more})


def field(text: str, name: str) -> str:
    return re.search(rf'name="{name}" value="([^"]*)"', text)[1]


def test_what_is_kept_is_listed_stays_and_is_let_go(past):
    answer = past.post("/recordings/span", span(past, do="keep", note="the <b>fence", days=30))
    assert (answer.status, answer.headers["location"]) == (303, "/recordings/kept")
    text = past.get("/recordings/kept").text
    assert "the &lt;b&gt;fence" in text and "Yesterday, 12:00:00 to 12:00:04" in text
    assert 'class="held"' in past.get(f"/recordings?day={day(noon(past))}").text
    with past.decisions() as own, connect(past.folders.root) as db:
        retain(own, db, past.folders, Store(quota_gb=1e-9), past.clock.now(), True)
        assert [clip.camera for clip in clips.finished(db)] == ["gate"]
    wish = {name: unescape(field(text, name)) for name in ("camera", "from", "to", "note")}
    assert past.post("/recordings/kept", urlencode(wish)).status == 303
    assert "Nothing is kept." in past.get("/recordings/kept").text
    assert past.post("/recordings/kept", urlencode(wish)).status == 409


@pytest.mark.parametrize(("fields", "told"), [
    ({"note": " ", "days": 30}, "Say in a few words"), ({"note": "x", "days": 0}, "Say in a few words"),
    ({"note": "x", "days": 30, "begin": "03:00", "end": "03:01"}, "Nothing is recorded there.")])
def test_a_wish_that_cannot_be_is_told_where_it_was_wished(past, fields, told):
    answer = past.post("/recordings/span", span(past, **fields, do="keep"))
    assert answer.status == 409 and told in answer.text


def test_erasing_says_before_what_goes_and_then_it_is_gone(past):
    text = past.get(f"/recordings/span?{span(past)}").text
    assert "Yesterday, 12:00:00 to 12:00:04 (1 video files" in text and "12:00:01 Motion" in text
    answer = past.post("/recordings/span", span(past, do="erase", digest=field(text, "digest")))
    assert answer.status == 303 and "Erased for good." in past.get(answer.headers["location"]).text
    with connect(past.folders.root) as db:
        assert [clip.why for clip in clips.in_state(db, "deleting")] == ["erased"]
    assert "Nothing is recorded there." in past.get(f"/recordings/span?{span(past)}").text


def test_only_what_was_shown_is_erased(past):
    text = past.get(f"/recordings/span?{span(past)}").text
    happen(past.folders, at(noon(past), noon(past).mono_ms + 10_000), "gate")
    answer = past.post("/recordings/span", span(past, do="erase", digest=field(text, "digest")))
    assert answer.status == 409 and "have changed meanwhile" in answer.text
    with connect(past.folders.root) as db:
        assert clips.in_state(db, "deleting") == []


def test_what_is_kept_is_erased_only_if_that_is_ticked(past):
    past.post("/recordings/span", span(past, do="keep", note="fence", days=30))
    text = past.get(f"/recordings/span?{span(past)}").text
    assert "1 recordings in that time are kept" in text
    wish = {"do": "erase", "digest_held": field(text, "digest_held")}
    assert past.post("/recordings/span", span(past, **wish)).status == 409
    assert past.post("/recordings/span", span(past, **wish, held="on")).status == 303
    with connect(past.folders.root) as db:
        assert holds.placed(db) == []


def test_a_span_is_taken_along_and_handed_out(past):
    text = past.get(f"/recordings/span?{span(past)}").text
    download = past.get(unescape(re.search(r'href="(/film/gate.mp4[^"]+)"', text)[1]))
    assert download.status == 200 and download.headers["content-disposition"].startswith("attachment")
    handout = past.get(unescape(re.search(r'href="(/handout[^"]+)"', text)[1])).text
    assert f'value="{day(noon(past))}T12:00:00"' in handout and f'value="{day(noon(past))}T12:01:00"' in handout


@pytest.mark.parametrize("fields", ["", "camera=gate", "camera=gate&day=x&begin=12:00&end=12:01",
                                    "camera=gate&day=2026-11-28&begin=12:00&end=12:00"])
def test_a_span_that_is_none_leads_to_the_days(past, fields):
    assert past.get(f"/recordings/span?{fields}").headers["location"] == "/recordings"
    assert past.post("/recordings/span", f"{fields}&do=erase").status == 400


def test_a_span_over_midnight_ends_on_the_next_day(past):
    text = past.get(f"/recordings/span?{span(past, '23:50', '00:10')}").text
    assert "Yesterday, 23:50:00 to 00:10:00" in text


def test_a_viewer_looks_and_marks_as_seen_and_nothing_else(past):
    with past.decisions() as own, connect(past.folders.root) as db:
        token = browsers.pair(own, db, "a guest's phone", past.clock.now())
    guest = f"{COOKIE}={token}"
    text = past.get(f"/recordings?day={day(noon(past))}&camera=gate&at=12:00:00", cookie=guest).text
    assert "<video" in text and ">Save<" in text and "/recordings/kept" not in text
    page = past.get(f"/recordings/span?{span(past)}", cookie=guest).text
    assert "&amp;download" in page and 'value="erase"' not in page and 'value="keep"' not in page
    assert "/handout" not in page and past.get("/recordings/kept", cookie=guest).status == 403
    assert past.post("/recordings/seen", "events=1", cookie=guest).status == 204
    seen = field(past.get(f"/recordings/span?{span(past)}").text, "digest")
    for path, form in (("/recordings/span", span(past, do="erase", digest=seen)),
                       ("/recordings/span", span(past, do="keep", note="x", days=30)),
                       ("/recordings/kept", "camera=gate&from=1&to=2&note=x")):
        assert past.post(path, form, cookie=guest).status == 403
    with connect(past.folders.root) as db:
        assert len(clips.finished(db)) == 3 and holds.placed(db) == []
        assert [row[0] for row in db.execute("SELECT event FROM seen")] == [1]
