"""A camera's plain name from its title."""
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.settings import Camera
from agent.core.household.camera_names import camera_name

pytestmark = pytest.mark.core
NAME = re.compile("^[a-z0-9][a-z0-9-]{0,23}$")


@pytest.mark.parametrize(("title", "name"), [
    ("Cổng trước", "cong-truoc"), ("Sân sau (đêm)", "san-sau-dem"), ("Đường Nguyễn Huệ", "duong-nguyen-hue"),
    ("C\u00f4\u0309ng", "cong"), ("HD Webcam C270", "hd-webcam-c270"), ("門", "camera"), ("  ", "camera"),
    ("Network", "network-2"), ("Phòng khách của ông bà nội ở tầng hai", "phong-khach-cua-ong-ba-n")])
def test_a_title_makes_a_plain_name(title: str, name: str):
    assert camera_name(title, ()) == name


def test_a_taken_name_gets_a_number():
    assert camera_name("Cổng", ["cong"]) == "cong-2"
    assert camera_name("Cổng", ["cong", "cong-2"]) == "cong-3"
    assert camera_name("a" * 40, ["a" * 24]) == "a" * 22 + "-2"


@given(st.text(max_size=40), st.sets(st.sampled_from(["camera", "a", "camera-2"])))
def test_any_title_makes_a_name_that_the_settings_take(title: str, taken: set[str]):
    name = camera_name(title, taken)
    assert NAME.match(name) and name not in taken and Camera(name=name, source="picamera:0")
