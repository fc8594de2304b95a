"""The cameras' own pages: what is recorded, what was found and is added, and every change by the keeper and root."""
import json
import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from agent.config.settings import Camera
from agent.core.contract.helper_messages import SeenCamera
from agent.core.contract.setup import AddCamera, ChangeCamera, LocalCamera, LocalCameras, RemoveCamera
from agent.web.server import words
from agent.web.settings.cameras import PROGRAM, camera_key, mute, offered
from tests.rigs.cameras.rtsp_door import RtspDoor
from tests.rigs.house.household import Household
from tests.rigs.wait import free_port, until

EN = words.load("en")
WEBCAM = LocalCamera(kind="v4l2", source="v4l2:/dev/v4l/by-id/usb-C270", title="HD Webcam C270", detail="046d:0825")
PI = LocalCamera(kind="picamera", source="picamera:0", title="Camera Raspberry Pi", camera="gate")


@pytest.fixture
def house(tmp_path) -> Iterator[Household]:
    cameras = [Camera(name="gate", title="Cổng trước", source="picamera:0"), Camera(name="yard", source="file:/y.mp4")]
    with Household(tmp_path, cameras=cameras, language="en", may_change=True) as house:
        house.setup.show(LocalCameras(cameras=[PI, WEBCAM]), None)
        yield house


def add(house: Household, *wanted: tuple[str, str], **more: str):
    form = {f"use-{key}": "on" for key, _ in wanted} | {f"title-{key}": title for key, title in wanted} | more
    return house.post("/cameras", urlencode(form))


def test_recorded_cameras_are_called_by_their_titles(house: Household):
    for path in ("/", "/cameras", "/live/gate", "/cameras/gate"):
        text = house.get(path).text
        assert "<h2>Cổng trước</h2>" in text or "<h1>Cổng trước</h1>" in text
        assert 'data-live="/live/gate.mp4"' in text


def test_a_webcam_that_is_plugged_in_shows_up_and_is_used(house: Household):
    text = house.get("/cameras").text
    assert "HD Webcam C270" in text and "Camera Raspberry Pi" not in text
    answer = add(house, (camera_key(WEBCAM.source), "Sân sau"))
    assert answer.headers["location"].startswith("/saving?of=")
    assert house.carry_out() == [AddCamera(name="san-sau", title="Sân sau", source=WEBCAM.source)]


def test_without_any_camera_the_page_waits_for_one(tmp_path):
    with Household(tmp_path, cameras=[], language="en", may_change=True) as house:
        for path in ("/cameras", "/setup/cameras"):
            assert "Plug in a USB camera" in house.get(path).text
        house.setup.show(LocalCameras(cameras=[WEBCAM]), None)
        for path in ("/cameras", "/setup/cameras"):
            text = house.get(path).text
            assert "Plug in a USB camera" not in text and "HD Webcam C270" in text


@pytest.mark.parametrize(("title", "said"), [("cổng TRƯỚC", "already has that name"), ("yard", "already has that name"),
                                             ("x" * 41, "at most 40")])
def test_a_title_that_won_t_do_is_refused_and_stays_in_the_field(house: Household, title: str, said: str):
    answer = add(house, (camera_key(WEBCAM.source), title), next="/setup/cameras")
    assert answer.status == 400 and said in answer.text and f'value="{title}"' in answer.text
    assert 'aria-current="step"' in answer.text
    renamed = house.post("/cameras/gate", urlencode({"do": "title", "title": "Yard" if title == "yard" else "y" * 41}))
    assert renamed.status == 400 and house.carry_out() == []


def test_nothing_is_added_that_was_not_found(house: Household):
    for form in ("", "use-000000000000=on&title-000000000000=x", "use-=on"):
        answer = house.post("/cameras", form)
        assert answer.status == 400 and "at least one camera" in answer.text
    assert house.post("/cameras", "a=" + "x" * 20_000).status == 413
    assert house.carry_out() == []


@pytest.mark.parametrize(("form", "change", "then"), [
    ({"do": "title", "title": " Cổng \n chính\u200b "}, ChangeCamera(name="gate", title="Cổng chính"), "/cameras"),
    ({"do": "off"}, ChangeCamera(name="gate", enabled=False), "/cameras/gate"),
    ({"do": "remove"}, RemoveCamera(name="gate"), "/cameras")])
def test_a_camera_is_renamed_switched_and_removed(house: Household, form, change, then: str):
    answer = house.post("/cameras/gate", urlencode(form))
    assert f"next={then.replace('/', '%2F')}&" in answer.headers["location"]
    assert house.carry_out() == [change]


def test_what_is_no_change_is_refused(house: Household):
    for form in ("do=explode", ""):
        assert house.post("/cameras/gate", form).status == 400
    assert house.post("/cameras/nobody", "do=off").status == house.get("/cameras/nobody").status == 404
    assert house.carry_out() == []


def test_a_camera_that_root_refuses_is_told_on_its_page(house: Household):
    house.post("/cameras/gate", "do=off")
    query = house.post("/cameras/gate", "do=remove").headers["location"].removeprefix("/saving")
    house.carry_out("unknown_camera")
    back = json.loads(house.get(f"/saving.json{query}").body)["to"]
    assert back.startswith("/cameras/gate?problem=") and "no longer exists" in house.get(back).text


@pytest.fixture
def door() -> Iterator[RtspDoor]:
    with RtspDoor("127.0.0.1", ("/main",), "admin:right") as door:
        yield door


def test_a_camera_is_found_by_hand_asked_with_a_password_and_added(house: Household, door: RtspDoor):
    url = f"rtsp://127.0.0.1:{door.port}/main"
    look(house, at=url, by_hand="yes")
    text = house.get("/cameras").text
    assert "It asks for a user and a password" in text and 'name="user"' in text
    look(house, at=url, user="admin", password="wrong")
    assert "did not accept" in house.get("/cameras").text
    look(house, at=url, user="admin", password="right")
    text = house.get("/cameras").text
    (key,) = set(re.findall(r'name="title-(\w{12})" ', text)) - {camera_key(WEBCAM.source)}
    assert "admin" not in text and "right@" not in text and "127.0.0.1" in text
    add(house, (key, "Bếp"))
    (change,) = house.carry_out()
    assert (change.name, change.title, change.source) == (
        "bep", "Bếp", f"rtsp://admin:right@127.0.0.1:{door.port}/main")


def test_a_camera_that_has_moved_is_found_again_with_its_new_password(tmp_path, door: RtspDoor):
    old = f"rtsp://admin:old@127.0.0.1:{free_port()}/main"
    camera = Camera(name="bep", title="Bếp", source=old, sub="rtsp://127.0.0.1/sub")
    with Household(tmp_path, cameras=[camera], language="en", may_change=True) as house:
        shown = house.get("/cameras/bep").text
        assert f'value="{old.partition("@")[2].partition("/")[0]}"' in shown and "old@" not in shown
        at, where = f"rtsp://127.0.0.1:{door.port}/main", "/cameras/bep"
        look(house, where, at=at, user="admin", password="wrong")
        assert "did not accept" in house.get(where).text
        look(house, where, at=at, user="admin", password="right")
        (key,) = re.findall(r'name="key" value="(\w{12})"', house.get(where).text)
        assert house.post(where, "do=source&key=000000000000").status == 400
        assert house.post(where, f"do=source&key={key}").headers["location"].startswith("/saving?of=")
        source = f"rtsp://admin:right@127.0.0.1:{door.port}/main"
        assert house.carry_out() == [ChangeCamera(name="bep", source=source, sub="")]


def test_what_is_so_already_is_no_change(house: Household):
    for form, then in (({"do": "title", "title": "Cổng trước"}, "/cameras"), ({"do": "on"}, "/cameras/gate")):
        assert house.post("/cameras/gate", urlencode(form)).headers["location"] == then
    assert house.carry_out() == []


@pytest.mark.parametrize("at", ["not an address", "rtsp://", "x" * 301, ""])
def test_what_is_no_address_is_told(house: Household, at: str):
    answer = house.post("/search", urlencode({"at": at, "by_hand": "yes"}))
    if answer.status == 303:
        until(lambda: "data-soon" not in house.get("/cameras").text)
        answer = house.get("/cameras")
    assert "not the address of a camera" in answer.text


def test_where_nothing_answers_it_is_said(house: Household):
    look(house, at=f"127.0.0.1:{free_port()}", by_hand="yes")
    assert "There is no camera at 127.0.0.1" in house.get("/cameras").text


def look(house: Household, next_page: str = "/cameras", **form: str) -> None:
    answer = house.post("/search", urlencode(form | {"next": next_page}))
    assert (answer.status, answer.headers["location"]) == (303, f"{next_page}#search")
    until(lambda: "Looking around" not in house.get(next_page).text)


def test_a_search_ends_with_the_page(tmp_path):
    with Household(tmp_path, language="en", may_change=True) as house:
        house.post("/search", "at=192.0.2.77")
        assert "Looking around" in house.get("/cameras").text and 'http-equiv="refresh"' in house.get("/cameras").text
    assert PROGRAM


def test_offers_are_called_by_what_no_other_camera_is_called():
    seen = {"a": SeenCamera(address="192.168.1.2", own_name="Gate", source="rtsp://a", ready=True, width=640,
                            height=360),
            "b": SeenCamera(address="192.168.1.3", kind="Imou " + "x" * 60, source="rtsp://b", ready=True, channel=2),
            "c": SeenCamera(address="192.168.1.4", source="rtsp://c", ready=True),
            "d": SeenCamera(address="192.168.1.5", source="rtsp://d", ready=True, camera="gate"),
            "e": SeenCamera(address="192.168.1.6", locked=True)}
    shown = offered([WEBCAM, PI], seen, ["gate", "Camera"], EN)
    assert [each.title for each in shown] == ["HD Webcam C270", "Gate 2", "Imou " + "x" * 32, "Camera 2"]
    assert shown[1].text == "192.168.1.2 · 640×360" and "channel 2" in shown[2].text
    assert [each.address for each in mute(seen, False, EN)] == ["192.168.1.6"]
