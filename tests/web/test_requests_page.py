"""/requests over HTTP: what it says, what a tap does, and who may."""
import html
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest

from agent.config.settings import Ward
from agent.host.clock import SystemClock
from agent.store import requests
from agent.store.database import connect
from tests.rigs.house.household import Household, happen
from tests.rigs.store.hostile_rows import fill, overwrite
from tests.rigs.ward.requests import ask, insert

PHONE = {"host": "192.168.1.7:8088"}


@pytest.fixture
def house(tmp_path) -> Iterator[Household]:
    house = Household(tmp_path)
    house.settings.ward = Ward(enabled=True)
    with house:
        yield house


@pytest.fixture
def db(house: Household) -> Iterator[sqlite3.Connection]:
    db = connect(house.folders.root)
    yield db
    db.close()


def test_who_asks_and_what_would_leave_is_on_the_page_before_the_buttons(house, db):
    assert "Không có yêu cầu nào" in house.get("/requests").text
    happen(house.folders, SystemClock().now())
    now = SystemClock().now()
    ask(db, begin_ms=now.wall_ms - 60_000, end_ms=now.wall_ms + 60_000)
    page = house.get("/requests?lang=en").text
    for told in ("Trần Văn B", "W07-2026-0093", "Theft", "BLTTHS 2015, điều 107", " s of video", "(clips: 1)",
                 ">Look at it<", ">Refuse<", "ward07.example.invalid:8443 (its key: 6668",
                 "on another machine than localhost", 'href="/requests/1/approve"'):
        assert told in page, told
    assert "The ward asks for recordings. You decide" in house.get("/?lang=en").text
    shown = house.get("/requests/1/approve?lang=en").text
    (address,) = re.findall(r'<video controls playsinline preload="metadata" src="([^"]+)"', shown)
    assert house.get(html.unescape(address)).status == 200 and "Exactly this would leave" in shown


def test_that_nothing_will_come_of_it_is_said_before_anybody_agrees(house, db):
    """The clock was only saved over a power cut: nobody can say which time the recording shows."""
    now = replace(SystemClock().now(), boot="0ld0b007", clock="saved")
    happen(house.folders, now)
    asked = ask(db, begin_ms=now.wall_ms - 60_000, end_ms=now.wall_ms + 60_000)
    for page in ("/requests", f"/requests/{asked.n}/approve"):
        assert "clock was wrong then" in house.get(f"{page}?lang=en").text
        assert "đồng hồ của máy chưa đúng giờ" in house.get(f"{page}?lang=vi").text
    house.post("/requests", f"n={asked.n}&do=approve&digest={asked.digest}")
    assert requests.find(db, asked.id).state == "approved", "it is let be all the same"


def test_a_tap_decides_and_can_take_an_approval_back(house, db):
    asked = ask(db)
    assert 'value="approve"' not in house.get("/requests").text, "not on the list: it is asked for once more"
    asked_again = house.get(f"/requests/{asked.n}/approve?lang=en").text
    for told in ("ward07.example.invalid:8443 (its key: 6668 7aad f862 bd77)", "Trần Văn B", "Yes, send it"):
        assert told in asked_again, told
    assert requests.find(db, asked.id).state == "waiting"
    answer = house.post("/requests", f"n={asked.n}&do=approve&digest={asked.digest}")
    assert (answer.status, answer.headers["location"]) == (303, "/requests")
    found = requests.find(db, asked.id)
    assert (found.state, found.decided_by) == ("approved", "page")
    page = house.get("/requests").text
    assert "Đã đồng ý, đang chuẩn bị" in page and page.count('value="refuse"') == 1 and 'value="approve"' not in page
    house.post("/requests", f"n={asked.n}&do=refuse&digest={asked.digest}")
    assert requests.find(db, asked.id).state == "refused"
    late = house.post("/requests", f"n={asked.n}&do=approve&digest={asked.digest}")
    assert late.status == 409 and "không còn phù hợp" in late.text
    assert house.get(f"/requests/{asked.n}/approve").status == 409
    assert "asked_n" not in house.get("/").text and "Phường xin" not in house.get("/").text


@pytest.mark.parametrize("form", ["n=1&do=sell", "n=one&do=approve", "do=approve", "n=1", "x" * 5000])
def test_a_form_that_is_none_of_ours_changes_nothing(house, db, form):
    asked = ask(db)
    assert house.post("/requests", form).status in (400, 413)
    assert requests.find(db, asked.id).state == "waiting"


def test_an_answer_is_to_what_was_shown(house, db):
    asked, shown = ask(db), ask(db)
    db.execute("UPDATE request SET camera = 'bedroom' WHERE id = ?", (asked.id,))      # as the link may
    db.execute("UPDATE request SET state = 'waiting' WHERE id = ?", (insert(db),))
    page = house.get("/requests?lang=en").text
    assert page.count("/approve") == 1 and page.count("Being checked") == 2
    assert house.get(f"/requests/{asked.n}/approve").status == 409
    for digest in (asked.digest, requests.find(db, asked.id).digest, shown.digest, "0"):
        assert house.post("/requests", f"n={asked.n}&do=approve&digest={digest}").status == 409
    assert requests.find(db, asked.id).state == "waiting"


def test_strangers_decide_nothing(house, db):
    asked = ask(db)
    assert house.post("/requests", "n=1&do=approve", origin="http://evil.example").status == 403
    assert house.get("/requests", **PHONE).status == 421
    assert requests.find(db, asked.id).state == "waiting"


def test_words_of_the_ward_are_text_and_nothing_else(house, db):
    ask(db, officer="<script>alert(1)</script>", purpose="x-unheard-of")
    page = house.get("/requests").text
    assert "&lt;script&gt;alert(1)" in page and "x-unheard-of" in page and not re.search(r"<script>alert", page)


@pytest.mark.parametrize("spoiled", ["state = 'x'", "decided_by = 'x', decided_ms = 1", "officer = CAST(x'ff' AS TEXT)",
                                     "begin_ms = 9e15, end_ms = -9e15", "receipt_key = 'x', until_ms = 1 << 62"])
def test_a_spoiled_request_hides_no_other(house, db, spoiled):
    ask(db)
    db.execute(f"UPDATE request SET {spoiled}")
    true = ask(db, officer="Captain Lê")
    assert "Captain Lê" in house.get("/requests?lang=en").text
    assert house.get("/sharing").status == house.get(f"/requests/{true.n}/approve").status == 200


LISTS = ("/requests", "/requests/1/approve", "/", "/events", "/recordings", "/recordings/month", "/events/1",
         "/recordings/kept", "/events/1.json", "/events.json", "/sharing", "/health", "/handout?camera=gate",
         "/film/gate.json")


@pytest.mark.parametrize("text", ["[[[{", '[1,{"a":2}]', '{"a":1}', "[" * 90_000], ids=lambda text: text[:12])
def test_no_list_in_an_event_takes_a_page_away(house, db, text):
    fill(db)
    db.execute("UPDATE event SET zones = ?1, boxes = ?1, path = ?1", (text,))
    assert not [path for path in LISTS if house.get(path).status >= 500]


@pytest.mark.parametrize("number", [2**50, 2**62, -2**62, -1])
def test_a_row_with_a_date_that_no_calendar_has_hides_no_other(house, db, number):
    fill(db)
    overwrite(db, number, "x")
    true = ask(db, officer="Captain Lê")
    assert not [path for path in LISTS if house.get(path).status >= 500]
    assert "Captain Lê" in house.get("/requests?lang=en").text
    house.post("/requests", f"n={true.n}&do=refuse&digest={true.digest}")
    assert requests.find(db, true.id).state == "refused"
