"""Busy areas on the page of a camera's picture: drawn, told in words, and forgotten by a tap of our own page only."""
import re

import pytest

from agent.config.settings import Camera, Motion
from agent.core.contract.busy import Busy
from agent.core.vision.replay.outcome import SILENCES
from agent.web.server import words
from agent.web.settings.present_picture import busy_view
from tests.rigs.cameras.busy_areas import BusyCam, busy_at
from tests.rigs.house.household import Household, house_of

CAMERAS = [Camera(name="gate", source="file:/gate.mp4"),
           Camera(name="yard", source="file:/yard.mp4", motion=Motion(enabled=False)),
           Camera(name="shed", source="file:/shed.mp4", enabled=False)]
WINDY = busy_at([(0, 0, 0.04), (15, 8, 0.5)], "busy")
VI, EN = words.load("vi"), words.load("en")
house = house_of(cameras=CAMERAS)


def drawn(text: str) -> list[tuple[str, ...]]:
    """Level, column and row of each cell over the picture."""
    return re.findall(r'<rect class="level-(\d)" x="(\d+)" y="(\d+)"', text)


def test_the_page_shows_where_it_is_restless_and_tells_it_in_both_languages(house):
    with BusyCam(house.runtime, "gate", WINDY):
        page = house.get("/cameras/gate/picture").text
        assert drawn(page) == [("1", "0", "0"), ("3", "15", "8")]
        assert 'viewBox="0 0 640 360"' in page and 'transform="scale(40 40)"' in page
        assert "Vùng hay động" in page and "phải rõ hơn mới được báo" in page and "Khoảng 1 % khung hình" in page
        assert VI("busy.why.busy") in page and "style=" not in page             # the guard lets no style inside a page
        english = house.get("/cameras/gate/picture?lang=en").text
        assert "Busy areas" in english and EN("busy.why.busy") in english and "About 1 % of the picture" in english
        assert not drawn(house.get("/").text)


def test_a_tap_forgets_and_leads_back_to_the_open_areas(house):
    with BusyCam(house.runtime, "gate", WINDY) as cam:
        answer = house.post("/busy/forget", "camera=gate")
        assert answer.status == 303 and answer.headers["location"] == "/cameras/gate/picture?busy=open"
        assert cam.forgotten_n == 1
        page = house.get(answer.headers["location"]).text
        assert not drawn(page) and VI("busy.none") in page and '<details class="card busy" open>' in page
        assert '<details class="card busy">' in house.get("/cameras/gate/picture").text


@pytest.mark.parametrize("form", ["camera=nobody", "camera=yard", "camera=shed", "camera=..%2Fgate", "", "x" * 5000])
def test_what_is_no_tap_of_ours_forgets_nothing(house, form):
    with BusyCam(house.runtime, "gate", WINDY) as cam:
        assert house.post("/busy/forget", form).status in (400, 413) and not cam.forgotten_n
        assert house.get("/busy/forget").status in (404, 405)


def test_strangers_and_other_sites_forget_nothing(tmp_path):
    house = Household(tmp_path, listen="0.0.0.0", cameras=CAMERAS)
    phone = {"host": "192.168.1.7:8088"}
    with house, BusyCam(house.runtime, "gate", WINDY) as cam:
        assert house.post("/busy/forget", "camera=gate", cookie="", **phone).status == 401
        for told in ({"origin": "http://evil.example"}, {"sec_fetch_site": "cross-site"}, {"origin": "null"}):
            assert house.post("/busy/forget", "camera=gate", **phone, **told).status == 403
        assert not cam.forgotten_n
        assert house.post("/busy/forget", "camera=gate", **phone).status == 303 and cam.forgotten_n == 1


def test_without_an_answer_the_page_is_there_and_says_that_nothing_is_known(house):
    assert VI("busy.unknown") in house.get("/cameras/gate/picture").text
    answer = house.post("/busy/forget", "camera=gate")
    assert answer.status == 503 and "Camera không trả lời" in answer.text
    with BusyCam(house.runtime, "gate", Busy(state="no_picture")):
        assert VI("busy.unknown") in house.get("/cameras/gate/picture").text


def test_a_camera_that_is_paused_or_looks_for_no_motion_has_no_busy_areas(house):
    with BusyCam(house.runtime, "gate", WINDY):
        assert "Vùng hay động" not in house.get("/cameras/yard/picture").text
        assert "Vùng hay động" not in house.get("/cameras/shed/picture").text
        house.post("/pause", "camera=gate&for=open&next=/")
        paused = house.get("/cameras/gate/picture").text
        assert "Vùng hay động" not in paused and not drawn(paused)


@pytest.mark.parametrize("said", [VI, EN], ids=["vi", "en"])
def test_every_silence_has_its_words(said):
    told = [busy_view(busy_at((), each), said).sentences[-1] for each in SILENCES]
    assert len(set(told)) == len(SILENCES)
    assert busy_view(busy_at(()), said).sentences == (said("busy.none"), said("busy.still"))
    assert busy_view(busy_at((), moving=True), said).sentences[-1] == said("busy.moving")
