"""The page over HTTP, as it is served: what it shows, what it refuses, and how clips come in parts."""
import html
import json
import re
import socket
from dataclasses import replace

import pytest

from agent.store import boots, clips, events
from agent.store.database import connect, transaction
from tests.rigs.house.household import Household, happen
from tests.rigs.wait import HANG_S, until


def test_home_shows_cameras_events_and_health(house):
    until(lambda: "Đang kiểm tra…" not in house.get("/").text)
    text = house.get("/").text
    assert 'class="sentence"' in text and "Đồng hồ" in text
    assert '<html lang="vi">' in text
    assert text.count('data-live="/live/') == 2
    assert 'src="/thumbs/2-small.jpg"' in text and 'poster="/thumbs/1-small.jpg"' in text
    assert "Đang diễn ra" in text


def test_english_is_chosen_once_and_remembered(house):
    answer = house.get("/recordings?lang=en")
    assert '<html lang="en">' in answer.text and ">Today<" in answer.text
    cookie = answer.headers["set-cookie"].split(";")[0]
    assert '<html lang="en">' in house.get("/recordings", cookie=cookie).text
    assert '<html lang="vi">' in house.get("/recordings?lang=xx", cookie="language=klingon").text


def test_the_address_of_the_old_list_leads_to_the_days(house):
    answer = house.get("/events?camera=yard&before=2")
    assert (answer.status, answer.headers["location"]) == (303, "/recordings?camera=yard")
    assert house.get("/events").headers["location"] == "/recordings"


def test_an_event_has_its_player_at_the_right_moment_and_its_neighbours(house):
    text = house.get("/events/2").text
    assert re.search(r'src="/film/yard\.mp4\?from=\d+&amp;to=\d+#t=1\.000"', text)
    assert 'href="/events/1"' in text and 'href="/events/3"' in text
    assert 'href="/live/gate"' in house.get("/events/3").text
    assert house.get("/events/99").status == 404


def test_from_an_event_its_day_is_one_tap_away(house):
    address = html.unescape(re.search(r'href="(/recordings\?[^"]+&amp;event=2#film)"', house.get("/events/2").text)[1])
    text = house.get(address.partition("#")[0]).text
    assert 'data-event="2"' in text and 'id="film"' in text


def test_the_zones_of_an_event_are_named(house):
    event_id = happen(house.folders, house.clock.now(), zones=["cổng", "sân"])
    assert "Chuyển động · cổng · sân" in house.get("/recordings").text
    assert house.get("/").text.count("Vùng: cổng, sân") == 1
    assert "· Zone: cổng, sân" in house.get(f"/events/{event_id}?lang=en").text
    assert json.loads(house.get("/events.json?limit=1").body)["events"][0]["zones"] == ["cổng", "sân"]


@pytest.mark.parametrize(("kind", "code", "vi", "en"), [
    ("tamper", "covered", "Camera bị che", "Camera covered"), ("tamper", "frozen", "Hình bị đứng", "Picture frozen"),
    ("tamper", "unheard-of", "Camera bị che hoặc xoay", "Camera covered or turned"),
    ("fire", None, "Sự kiện", "Event")])
def test_tampering_is_named_by_what_was_done(house, kind: str, code: str | None, vi: str, en: str):
    db = connect(house.folders.root)
    with transaction(db):
        event_id = events.open_row(db, "gate", kind, house.clock.now(), code=code)
        events.end(db, event_id, 25_000)
    db.close()
    assert f"<small>{vi}</small>" in house.get("/recordings").text
    assert f"<h1>{en} at gate</h1>" in house.get(f"/events/{event_id}?lang=en").text
    assert json.loads(house.get("/events.json?limit=1").body)["events"][0]["code"] == code


def test_a_time_that_may_be_wrong_is_marked_until_the_boot_is_dated(house):
    event_id = happen(house.folders, replace(house.clock.now(), boot="00000bad", clock="unset"), "gate")
    assert "Giờ chưa chắc đúng" in house.get(f"/events/{event_id}").text
    assert not json.loads(house.get("/events.json?limit=1").body)["events"][0]["time_sure"]
    db = connect(house.folders.root)
    boots.date(db, "00000bad", 1_795_000_000_000)
    db.close()
    assert "Giờ chưa chắc đúng" not in house.get(f"/events/{event_id}").text


def test_a_clip_comes_whole_in_parts_and_not_twice(house, clip_url):
    whole = house.get(clip_url)
    assert (whole.status, whole.headers["content-type"], whole.body[4:8]) == (200, "video/mp4", b"ftyp")
    size_b = len(whole.body)
    part = house.get(clip_url, range="bytes=100-299")
    assert (part.status, part.body) == (206, whole.body[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{size_b}"
    assert house.get(clip_url, range="bytes=-50").body == whole.body[-50:]
    etag = whole.headers["etag"]
    assert "immutable" in whole.headers["cache-control"] and "private" in whole.headers["cache-control"]
    again = house.get(clip_url, if_none_match=etag)
    assert (again.status, again.body) == (304, b"")
    assert house.get(clip_url, range="bytes=0-9", if_range=etag).status == 206
    assert house.get(clip_url, range="bytes=0-9", if_range='"older"').status == 200
    outside = house.get(clip_url, range=f"bytes={size_b}-")
    assert (outside.status, outside.headers["content-range"]) == (416, f"bytes */{size_b}")


def test_head_tells_a_clip_without_sending_it(house, clip_url):
    head, whole = house.get(clip_url, "HEAD"), house.get(clip_url)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.body)) and head.headers["accept-ranges"] == "bytes"


def test_a_clip_that_retention_took_is_gone_not_broken(house):
    now = house.clock.now()
    ago = replace(now, mono_ms=now.mono_ms - 600_000, wall_ms=now.wall_ms - 600_000)
    event_id = happen(house.folders, ago, "yard")
    url = json.loads(house.get("/events.json?limit=1").body)["events"][0]["clip"]
    assert house.get(url).status == 200
    db = connect(house.folders.root)
    clip = clips.get(db, url.removeprefix("/clips/").removesuffix(".mp4"))
    house.folders.clip(clip.seq, clip.name).unlink()
    assert house.get(url).status == 404                   # the file went before its row: a cut in between
    with transaction(db):
        clips.condemn(db, [clip.name], "age")
    db.close()
    assert house.get(url).status == 404
    assert "Đoạn video đã bị xoá theo thời hạn lưu." in house.get(f"/events/{event_id}").text


@pytest.mark.parametrize("number", ["9" * 18, "9" * 19, "9" * 20, "9" * 5000])
@pytest.mark.parametrize("path", ["/events/{}", "/thumbs/{}.jpg", "/recordings?event={}", "/events.json?before={}",
                                  "/events.json?limit={}"])
def test_a_number_of_any_length_is_answered_and_one_too_long_is_404(house, path, number):
    asked_about_a_row = not path.startswith(("/recordings?", "/events.json"))
    assert house.get(path.format(number)).status == (404 if asked_about_a_row or len(number) > 18 else 200)


@pytest.mark.parametrize("path", [
    "/clips/../taimat.db", "/clips/..%2F..%2Ftaimat.db.mp4", "/clips/%2e%2e/taimat.db", "/clips/gate-nothing.mp4",
    "/clips/.mp4", "/thumbs/0.jpg", "/thumbs/../taimat.db.jpg", "/static/..%2Fapp.py", "/static/../app.py",
    "/live/../../etc/passwd.mp4", "/live/..%2Fgate.mp4", "/live/nobody.mp4", "/live/nobody", "/clips/a%00b.mp4",
    "/events/-1", "/events/x"])
def test_what_is_not_there_is_404_whatever_the_path(house, path):
    answer = house.get(path)
    assert answer.status == 404
    assert b"SQLite format" not in answer.body


def test_every_answer_has_its_protection(house, clip_url):
    for path in ("/", "/events/1", clip_url, "/thumbs/1.jpg", "/static/page.js", "/health.json", "/no", "/live/x.mp4"):
        headers = house.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
    assert house.get("/").headers["cache-control"] == "no-store"
    assert house.get("/events.json").headers["cache-control"] == "no-store"


def test_pages_have_no_script_or_style_inside(house):
    for path in ("/", "/recordings", "/recordings?at=00:00", "/recordings/month", "/recordings/kept", "/events/1",
                  "/live/gate", "/pair", "/nowhere"):
        text = house.get(path).text
        assert not re.search(r"<script(?![^>]* src=)|<style| style=|\son[a-z]+=|javascript:", text), path


def test_names_are_escaped(tmp_path):
    with Household(tmp_path, site='<b>"&') as house:
        assert "&lt;b&gt;&#34;&amp;" in house.get("/").text


def test_the_feeds_say_the_same_for_programs(house):
    events = json.loads(house.get("/events.json?limit=2").body)
    assert len(events["events"]) == 2
    older = json.loads(house.get(events["next"]).body)["events"]
    assert older[0]["id"] < events["events"][-1]["id"]
    assert {"id", "camera", "kind", "began", "time_sure", "dur_ms", "clip", "clip_offset_ms", "thumb"} <= set(older[0])
    house.beat(unit="link", broker="connected", outbox_n=3)
    until(lambda: json.loads(house.get("/health.json").body).get("roles", {}).get("link", {}).get("state") == "ok")
    health = json.loads(house.get("/health.json").body)
    assert health["host"]["mem_total_b"] > 0
    assert health["host"]["disk_tot_b"] is None or health["host"]["disk_tot_b"] > 0         # unknown is null, never 0


@pytest.mark.parametrize("request_head", [
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000 + b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",           # TLS at the wrong door
    b"GET / HTTP/1.1\r\n\r\n", b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_nonsense_gets_a_refusal_and_the_page_lives_on(house, request_head):
    with socket.create_connection(("127.0.0.1", house.port), timeout=HANG_S) as visitor:
        visitor.sendall(request_head)
        answer = visitor.recv(200)
    assert re.match(rb"HTTP/1\.1 4\d\d ", answer)
    assert house.get("/").status == 200
