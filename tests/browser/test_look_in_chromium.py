"""The look in a real browser: the navigation within reach, and the chosen chip of many in sight."""
from collections.abc import Iterator
from dataclasses import replace

import pytest

from agent.config.settings import Camera
from tests.rigs.house.household import Household, happen
from tests.rigs.house.webdriver import CHROMIUM, DRIVER, Browser

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine")

CAMERAS = [Camera(name=name, title=title, source=f"file:/{name}.mp4") for name, title in (
    ("gate", "Cổng trước"), ("yard", "Sân sau"), ("lane", "Ngõ sau nhà"), ("shop", "Cửa hàng"),
    ("room", "Phòng khách"), ("roof", "Sân thượng"))]
CHOSEN_SEEN = """const chip = document.querySelector('.chips [aria-current]').getBoundingClientRect();
return chip.left >= 0 && chip.right <= innerWidth;"""
BAR = "return document.querySelector('.places').getBoundingClientRect().toJSON()"


@pytest.fixture
def house(tmp_path) -> Iterator[Household]:
    house = Household(tmp_path, cameras=CAMERAS)
    now = house.clock.now()
    for n in range(6):
        happen(house.folders, replace(now, mono_ms=now.mono_ms + n * 10_000, wall_ms=now.wall_ms + n * 10_000))
    with house:
        yield house


@pytest.mark.parametrize("scripts", [True, False])
def test_the_chosen_one_of_six_cameras_is_in_sight(house, scripts: bool):
    with Browser(mobile=True, scripts=scripts) as phone:
        phone.open(house.link())
        for path in ("/live/gate", "/live/roof", "/events?camera=roof"):
            phone.open(house.url + path)
            assert phone.run(CHOSEN_SEEN), path


def test_the_navigation_is_at_the_thumb_and_hides_nothing(house):
    with Browser(mobile=True) as phone:
        phone.open(house.link())
        phone.open(f"{house.url}/")
        bar, height = phone.run(BAR), phone.run("return innerHeight")
        assert bar["bottom"] == height and bar["height"] < height / 8
        phone.run("scrollTo(0, document.body.scrollHeight)")
        assert phone.run("return [...document.querySelectorAll('footer a')].at(-1).getBoundingClientRect().bottom"
                         ) <= bar["top"]
        phone.click(".places a[href='/recordings']")
        assert phone.run("return location.pathname") == "/recordings"


def test_on_a_desk_the_navigation_is_in_the_top_line(house):
    with Browser() as desk:
        desk.open(house.link())
        assert desk.run(BAR)["bottom"] < 80
