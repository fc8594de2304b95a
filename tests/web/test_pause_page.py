"""The pause switch and snapshots over HTTP: who may, what it does, and what the page says of a paused camera."""
import json
import re

import pytest

from agent.capture.sockets import snapshot_socket
from agent.config.settings import Camera
from agent.core.contract.facts import CameraFacts
from agent.core.health.conditions import Condition
from agent.core.health.report import Report
from agent.core.household.pause import UNREADABLE, Pause, Pauses
from agent.host.runtime import camera_socket
from agent.store import pause
from agent.web.live.present_camera import camera_switch, house_switch, paused_now, tiles
from agent.web.server import questions, words
from agent.web.server.words import hours_text
from tests.rigs.cameras.h264 import movie
from tests.rigs.house.household import Household, house_of
from tests.rigs.wait import until

PHONE = {"host": "192.168.1.7:8088"}
VI, EN = words.load("vi"), words.load("en")
GATE = Camera(name="gate", source="file:/gate.mp4")
house = house_of()


def word_on(house: Household, camera: str) -> Pause | None:
    return pause.load(house.folders).of(camera, house.clock.now())


def test_a_tap_pauses_one_camera_or_all_for_as_long_as_it_says(house):
    answer = house.post("/pause", "camera=gate&for=15&next=%2Flive%2Fgate")
    assert (answer.status, answer.headers["location"]) == (303, "/live/gate")
    word = word_on(house, "gate")
    assert word.by == "page" and word.until_wall_ms - word.wall_ms == 900_000 and word_on(house, "yard") is None
    assert "Tạm dừng đến" in house.get("/live/gate").text and "Tạm dừng camera này" in house.get("/live/yard").text
    assert "Đang tạm dừng: gate" in house.get("/").text
    house.post("/pause", "camera=&for=open&next=/")
    assert word_on(house, "yard").until_wall_ms is None
    assert house.get("/?lang=en").text.count("Paused until someone resumes it") == 3
    house.post("/pause", "camera=&for=resume&next=/")
    assert word_on(house, "gate") is None and "Tạm dừng đến" not in house.get("/").text


@pytest.mark.parametrize("form", ["camera=nobody&for=15", "camera=gate&for=99", "camera=gate", "for=", "x" * 5000])
def test_what_is_no_tap_of_ours_pauses_nothing(house, form):
    assert house.post("/pause", form).status in (400, 413)
    assert not pause.path(house.folders).exists()


def test_the_way_back_leads_nowhere_else(house):
    assert house.post("/pause", "camera=&for=15&next=//evil.example").headers["location"] == "/"


def test_strangers_and_other_sites_pause_nothing(tmp_path, hand_clock):
    with Household(tmp_path, listen="0.0.0.0", clock=hand_clock) as house:
        form = "camera=&for=open&next=/"
        assert house.post("/pause", form, cookie="", **PHONE).status == 401
        for told in ({"origin": "http://evil.example"}, {"sec_fetch_site": "cross-site"}, {"origin": "null"}):
            assert house.post("/pause", form, **PHONE, **told).status == 403
        assert not pause.path(house.folders).exists()
        assert house.post("/pause", form, **PHONE).status == 303 and word_on(house, "gate")
        assert house.get("/pause", **PHONE).status == 405 or house.get("/pause", **PHONE).status == 404
        assert house.get("/snapshot/gate.jpg", cookie="", **PHONE).status == 401


def test_a_card_that_cannot_be_written_is_told_and_nothing_is_said_to_be_paused(house, monkeypatch):
    def fail(*_, **__):
        raise OSError(30, "Read-only file system")
    monkeypatch.setattr("agent.store.pause.write_durably", fail)
    answer = house.post("/pause", "camera=&for=open&next=/")
    assert answer.status == 503 and "Thẻ nhớ không trả lời" in answer.text


def test_a_paused_camera_has_no_live_picture_and_no_snapshot(house):
    house.post("/pause", "camera=gate&for=60&next=/")
    answer = house.get("/snapshot/gate.jpg")
    assert (answer.status, json.loads(answer.body)) == (409, {"reason": "paused"})
    live = house.get("/live/gate.mp4")
    assert (live.status, json.loads(live.body)) == (409, {"reason": "paused"})
    house.post("/pause", "camera=gate&for=resume&next=/")
    assert json.loads(house.get("/live/gate.mp4").body) == {"reason": "camera_off"}         # it is asked again at once
    house.beat(CameraFacts(camera="gate", state="paused", paused_by="schedule"))
    until(lambda: house.get("/live/gate.mp4").status == 409)


def test_a_snapshot_is_the_picture_of_now_and_kept_by_nobody(house):
    path = camera_socket(house.runtime, "snap", "gate")
    shop = snapshot_socket(path, lambda: (movie()[0], movie()[1][:10]), house.clock)
    answer = house.get("/snapshot/gate.jpg")
    assert (answer.status, answer.headers["content-type"], answer.headers["cache-control"]) == (200, "image/jpeg",
                                                                                                "no-store")
    assert answer.body.startswith(b"\xff\xd8") and answer.body.endswith(b"\xff\xd9")
    shop.close()


def test_without_a_picture_the_snapshot_says_why(house, monkeypatch):
    assert json.loads(house.get("/snapshot/gate.jpg").body) == {"reason": "camera_off"}
    assert house.get("/snapshot/nobody.jpg").status == 404 and house.get("/snapshot/..%2Fgate.jpg").status == 404
    shop = snapshot_socket(camera_socket(house.runtime, "snap", "gate"), lambda: None, house.clock)
    answer = house.get("/snapshot/gate.jpg")
    assert (answer.status, json.loads(answer.body)) == (503, {"reason": "no_picture"})
    shop.close()
    monkeypatch.setattr(questions, "STILL_S", 0.2)
    path = camera_socket(house.runtime, "snap", "yard")
    slow = snapshot_socket(path, lambda: house.stop.wait(1) and None, house.clock)
    assert house.get("/snapshot/yard.jpg").status == 503
    slow.close()


def facts(state: str = "ok", **more) -> CameraFacts:
    return CameraFacts(camera="gate", state=state, **more)


@pytest.mark.parametrize(("told", "pauses", "by"), [
    (facts(), Pauses(), None),
    (facts(), Pauses(everything=Pause(by="page")), "page"),                              # capture has not obeyed yet
    (facts("paused", paused_by="page"), Pauses(), None),                                 # lifted just now
    (facts("paused", paused_by="page"), None, "page"),                                   # the card does not answer
    (facts("paused", paused_by="schedule"), Pauses(), "schedule"),
    (facts("paused", paused_by="schedule"), Pauses(cameras={"gate": Pause(by="command")}), "command"),
    (None, Pauses(), None), (None, UNREADABLE, "unreadable")])
def test_the_newest_word_counts_and_hours_are_captures_to_judge(hand_clock, told, pauses, by):
    paused = paused_now(told, pauses, "gate", hand_clock.now())
    assert (paused.by if paused else None) == by


def test_a_tile_tells_the_pause_before_any_fault(hand_clock):
    now = hand_clock.now()
    wrong = Condition(code="camera_no_frames", severity="alarm", since_mono_s=1.0, camera="gate")
    off = facts("paused", paused_by="schedule", paused_until_ms=now.wall_ms + 60_000)
    report = Report(1000.0, None, (), {}, (off,), None, (wrong,))
    paused = {"gate": paused_now(report.cameras[0], Pauses(), "gate", now)}
    tile = tiles([GATE], report, now, EN, paused)[0]
    assert tile.tone == "paused" and tile.state == f"Off by its weekly hours until {EN.clock(now.wall_ms + 60_000)}"
    safe = tiles([GATE], None, now, VI, {"gate": paused_now(None, UNREADABLE, "gate", now)})[0]
    assert safe.tone == "paused" and "Ghi trở lại" in safe.remedy


def test_hours_are_shown_but_not_lifted_by_the_switch(hand_clock):
    now = hand_clock.now()
    camera = Camera(name="gate", source="file:/gate.mp4", off=["Mon-Fri 07:00-17:00", "sun"])
    by_hours = paused_now(facts("paused", paused_by="schedule"), Pauses(), "gate", now)
    switch = camera_switch(camera, by_hours, now, VI)
    assert not switch.can_resume and not switch.can_pause and switch.state == "Nghỉ theo lịch"
    assert switch.hours == "Thứ Hai-Thứ Sáu 07:00-17:00; Chủ Nhật"
    assert hours_text([], VI) == "" and not house_switch({"gate": by_hours}, now, VI).state


def test_masks_are_told_with_who_paints_them_and_drawn_only_where_the_camera_does(tmp_path):
    area = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0)]
    cameras = [Camera(name=name, source="file:/x.mp4", masks=[area], privacy_mask=how)
               for name, how in (("gate", "camera"), ("yard", "transcode"))]
    with Household(tmp_path, cameras=cameras) as house:
        for _ in range(2):
            house.beat(*(CameraFacts(camera=each.name, state="ok", width=640, height=360) for each in cameras))
        until(lambda: '<polygon points="0,0 320,0 320,360"/>' in house.get("/live/gate").text)
        assert "do chính camera che" in house.get("/live/gate").text
        yard = house.get("/live/yard").text
        assert "máy này tô đen" in yard and "<polygon" not in yard
        assert not re.search(r"<polygon", house.get("/").text)
