"""The page of a camera's picture: what a form means, what is refused and where, what root is asked, who watches."""
import http.client
import json
import re
import urllib.parse

import pytest

from agent.capture.sockets import LookSocket
from agent.config.settings import Camera, Motion, Sensor, Zone
from agent.core.contract.looks import DetectorLook, SeenBox
from agent.core.contract.setup import ChangeCamera, MotionKeys, SensorKeys, WholeZone
from agent.core.media.model import Box
from agent.host.runtime import camera_socket
from agent.web.server import words
from agent.web.settings import picture_form
from tests.rigs.house.household import Household, house_of, name_some
from tests.rigs.wait import HANG_S, until

VI, EN = words.load("vi"), words.load("en")
AREA, TYPED = [(0.1, 0.2), (0.4, 0.2), (0.4, 0.6)], "10,20 40,20 40,60"
YARD_AREA, YARD_TYPED = [(0.5, 0.5), (0.9, 0.5), (0.9, 0.9)], "50,50 90,50 90,90"
LINE, LINE_TYPED = [(0.0, 1.0), (0.5, 0.75)], "0,100 50,75"
GATE = Camera(name="gate", title="Cổng", source="rtsp://h/1")
DRAWN = Camera(name="yard", source="rtsp://h/2", masks=[AREA], privacy_mask="transcode",
               zone=[Zone(name="sân", area=YARD_AREA), Zone(name="vạch", rule="cross", line=LINE, direction="left")],
               motion=Motion(ignore=[[(0, 0), (0.2, 0), (0, 0.2)]]))
SENSOR = Camera(name="pi", source="picamera:0", masks=[AREA], sensor=Sensor(flip="none"),
                zone=[Zone(name="vạch", rule="cross", line=LINE, direction="left")])
PAGE = "/cameras/gate/picture"
house = house_of(cameras=[GATE, DRAWN, SENSOR], may_change=True)


def form(*rows: dict[str, str], **keys: str) -> str:
    """A form as a browser sends it: the fields of each row, then the others."""
    fields = {f"{key}-{number}": value for number, row in enumerate(rows) for key, value in row.items()}
    return urllib.parse.urlencode({"do": "save", **fields, **keys})


def asked(house: Household, body: str, page: str = PAGE) -> ChangeCamera | None:
    """What root is asked for by a form that is taken."""
    answer = house.post(page, body)
    assert answer.status == 303, answer.text
    changes = house.carry_out()
    assert answer.headers["location"].startswith("/saving" if changes else page)
    return changes[0] if changes else None


def told(house: Household, body: str, page: str = PAGE) -> list[tuple[str, str]]:
    """Where and what a form is refused for; nothing is asked of root then."""
    answer = house.post(page, body)
    assert answer.status == 400 and not house.carry_out()
    return re.findall(r'<li><a href="#([a-z0-9_-]+)">([^<]*)</a>', answer.text)


def test_what_is_drawn_becomes_one_change_of_what_differs(house):
    rows = ({"kind": "mask", "corners": TYPED},
            {"kind": "dwell", "name": " Sân ", "corners": YARD_TYPED, "dwell": "7,5"},
            {"kind": "cross", "name": "vạch", "corners": LINE_TYPED, "direction": "right"},
            {"kind": "ignore", "name": "", "corners": TYPED}, {"kind": "watch", "name": "", "corners": ""})
    assert asked(house, form(*rows, hides="transcode", sensitivity="high", smallest_pct="0.3")) == ChangeCamera(
        name="gate", masks=[AREA], privacy_mask="transcode",
        motion=MotionKeys(sensitivity="high", smallest_pct=0.3, ignore=[AREA]),
        zone=[WholeZone(name="Sân", rule="dwell", area=YARD_AREA, dwell_s=7.5),
              WholeZone(name="vạch", rule="cross", line=LINE, direction="right")])


def test_the_form_shows_what_is_set_and_sent_back_it_changes_nothing(house):
    page = house.get("/cameras/yard/picture").text
    for each in (TYPED, YARD_TYPED, LINE_TYPED, "0,0 20,0 0,20"):
        assert f'value="{each}"' in page
    shown = picture_form.form_of(DRAWN)
    rows = [{"kind": row.kind, "name": row.name, "corners": row.corners, "direction": row.direction,
             "dwell": row.dwell_s} for row in shown.rows]
    assert asked(house, form(*rows, hides="transcode"), "/cameras/yard/picture") is None
    assert asked(house, form(*rows[1:]), "/cameras/yard/picture") == ChangeCamera(name="yard", masks=[])


@pytest.mark.parametrize(("row", "code"), [
    ({"kind": "mask", "corners": "10,20 40"}, "bad_corners"),
    ({"kind": "mask", "corners": "10,20 40,120 1,1"}, "bad_corners"),
    ({"kind": "mask", "corners": "nan,20 40,10 1,1"}, "bad_corners"),
    ({"kind": "mask", "corners": "1,2 3,4"}, "few_corners"),
    ({"kind": "mask", "corners": "0,0 50,50 100,100"}, "flat"), ({"kind": "watch", "corners": TYPED}, "no_name"),
    ({"kind": "watch", "name": "a,b", "corners": TYPED}, "bad_name"),
    ({"kind": "dwell", "name": "a", "corners": TYPED}, "no_dwell"),
    ({"kind": "dwell", "name": "a", "corners": TYPED, "dwell": "long"}, "bad_number"),
    ({"kind": "cross", "name": "a", "corners": "10,10"}, "few_points"),
    ({"kind": "cross", "name": "a", "corners": "10,10 10,10"}, "same_point"),
    ({"kind": "mask", "corners": " ".join(["1,2"] * 25)}, "bad_corners")])
def test_what_does_not_fit_is_told_at_its_place_and_nothing_is_saved(house, row, code):
    good = {"kind": "watch", "name": "z", "corners": YARD_TYPED}
    assert told(house, form(good, row, hides="camera")) == [
        ("area-1", f"{words.load('vi')('picture.short_' + row['kind'])}"
                   f"{': ' + row['name'] if row.get('name') and row['kind'] != 'mask' else ''}: "
                   f"{VI('picture.problem.' + code)}")]


def test_a_zone_that_a_mask_hides_and_a_name_twice_are_told_at_their_places(house):
    whole = {"kind": "mask", "corners": "0,0 100,0 100,100 0,100"}
    zone = {"kind": "watch", "name": "z", "corners": TYPED}
    found = told(house, form(zone, whole, {**zone, "corners": YARD_TYPED}, hides="camera"))
    assert [place for place, _ in found] == ["area-0", "area-2"]
    assert VI("picture.problem.unseen") in found[0][1] and VI("picture.problem.same_name") in found[1][1]


def test_a_mask_on_video_that_arrives_encoded_needs_somebody_who_hides(house):
    mask = {"kind": "mask", "corners": TYPED}
    assert told(house, form(mask)) == [("hides", VI("picture.problem.no_hider"))]
    assert told(house, form(mask, hides="paint")) == [("hides", VI("picture.problem.no_hider"))]
    assert asked(house, form(mask, hides="camera")) == ChangeCamera(name="gate", masks=[AREA], privacy_mask="camera")
    page = house.get("/cameras/gate/picture").text
    assert VI("picture.hides_camera_help") in page and VI("picture.hides_transcode_help") in page
    assert 'name="hides"' not in house.get("/cameras/pi/picture").text      # there it is painted before encoding
    assert VI("picture.look_black") in house.get("/cameras/yard/picture").text
    assert VI("picture.look_black") not in page


def test_a_picture_that_is_turned_takes_with_it_what_is_drawn(house):
    rows = ({"kind": "mask", "corners": TYPED}, {"kind": "cross", "name": "vạch", "corners": LINE_TYPED,
                                                 "direction": "left"})
    page = "/cameras/pi/picture"
    assert asked(house, form(*rows, flip="horizontal", exposure_ev="-0.5", night_fps="5"), page) == ChangeCamera(
        name="pi", masks=[[(0.9, 0.2), (0.6, 0.2), (0.6, 0.6)]],
        zone=[WholeZone(name="vạch", rule="cross", line=[(1.0, 1.0), (0.5, 0.75)], direction="right")],
        sensor=SensorKeys(flip="horizontal", exposure_ev=-0.5, night_fps=5))
    turned = asked(house, form(*rows, flip="both"), page)
    assert turned.zone[0].direction == "left" and turned.masks == [[(0.9, 0.8), (0.6, 0.8), (0.6, 0.4)]]
    assert [place for place, _ in told(house, form(*rows, night_fps="50"), page)] == ["night_fps"]


def test_nobody_but_a_paired_browser_and_no_camera_that_is_none(house):
    assert house.get(PAGE, cookie="language=en; taimat=").status == 401
    assert house.get("/cameras/nobody/picture").status == 404
    assert house.post("/cameras/nobody/picture", form()).status == 404
    assert house.post(PAGE, "do=paint").status == 400 and house.post(PAGE, "x" * 70_000).status == 413
    assert not house.carry_out()


def test_where_nobody_changes_settings_it_says_so(tmp_path):
    with Household(tmp_path, cameras=[GATE]) as house:
        page = house.get(PAGE).text
        assert 'value="save"' not in page and 'value="try"' in page
        assert house.post(PAGE, form({"kind": "watch", "name": "z", "corners": TYPED})).status == 409


def test_without_styles_or_scripts_inside_and_in_both_languages(house):
    page = house.get("/cameras/yard/picture?lang=en").text
    assert "style=" not in page and "onclick" not in page and EN("picture.hides_before") in page
    assert VI("picture.hides_before") in house.get("/cameras/yard/picture?lang=vi").text


def looks(house: Household) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """The detector at work, as a browser hears it."""
    connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=HANG_S)
    connection.request("GET", "/cameras/gate/looks", headers={"cookie": house.cookie})
    return connection, connection.getresponse()


def test_the_detector_is_watched_while_somebody_does_and_no_longer(house):
    answer = house.get("/cameras/gate/looks")
    assert answer.status == 503 and json.loads(answer.body)["reason"] == "camera_off"
    assert house.get("/cameras/nobody/looks").status == 404
    socket = LookSocket(camera_socket(house.runtime, "looks", "gate"))
    connection, events = looks(house)
    until(lambda: socket.watched)
    assert events.headers["content-type"] == "text/event-stream" and events.readline() == b": watching\n"
    sent = DetectorLook(mono_s=1.0, score=0.02, least=0.001, boxes=(SeenBox(0.1, 0.2, 0.3, 0.4, True),), event=True)
    socket.send(sent)
    events.readline()
    line = events.readline()
    assert line.startswith(b"data: ") and json.loads(line[6:])["boxes"] == [[0.1, 0.2, 0.3, 0.4, True]]
    connection.close()
    events.close()
    until(lambda: socket.send(sent) or not socket.watched)
    socket.close()


@pytest.mark.parametrize(("word", "said"), [("nothing", "not people or vehicles"), ("animal", "were animals")])
def test_a_day_of_leaves_in_a_corner_is_told_and_the_area_is_there_to_be_saved(tmp_path, word, said):
    corner = Box(0.02, 0.05, 0.2, 0.2)
    with Household(tmp_path, cameras=[GATE], may_change=True, language="en") as house:
        name_some(house.folders, GATE, "person", Box(0.5, 0.5, 0.1, 0.3), 9)
        name_some(house.folders, GATE, word, corner, 40, settings="of an earlier day")
        assert "?hint" not in house.get(PAGE).text
        name_some(house.folders, GATE, word, corner, 31)
        page = house.get(PAGE).text
        assert "31 of the last day's 40 events" in page.replace("&#39;", "'") and said in page and "upper left" in page
        drawn = house.get(f"{PAGE}?hint").text
        assert 'value="2,5 22,5 22,25 2,25"' in drawn and "Not saved yet" in drawn and "?hint#areas" not in drawn
        change = asked(house, form({"kind": "ignore", "corners": "2,5 22,5 22,25 2,25"}))
        assert change.motion.ignore == [[(0.02, 0.05), (0.22, 0.05), (0.22, 0.25), (0.02, 0.25)]]
