"""Busy areas under a thumb: laid over the picture while they are open, where they belong, and gone when forgotten."""
import pytest

from agent.config.settings import Camera
from tests.browser.measures import SMALL_ON_PICTURE_PAGES
from tests.rigs.cameras.busy_areas import BusyCam, busy_at
from tests.rigs.house.household import Household
from tests.rigs.house.webdriver import CHROMIUM, DRIVER, Browser

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine")

PLACE = """
const screen = document.querySelector('.screen').getBoundingClientRect();
const cell = document.querySelector('.heat rect').getBoundingClientRect();
return [(cell.left - screen.left) / screen.width, (cell.top - screen.top) / screen.height, cell.width / screen.width]"""
SHOWN = "getComputedStyle(document.querySelector('.heat')).display === 'block'"


def test_the_areas_lie_over_the_picture_while_they_are_open_and_go_when_forgotten(tmp_path):
    house = Household(tmp_path / "house", cameras=[Camera(name="gate", source="file:/gate.mp4")])
    with house, BusyCam(house.runtime, "gate", busy_at([(12, 3, 0.4)])), \
            Browser(mobile=True) as browser:
        browser.open(house.link())
        browser.open(f"{house.url}/cameras/gate/picture")
        assert not browser.run(f"return {SHOWN}")
        browser.run("document.querySelector('.busy').scrollIntoView({block: 'center'})")
        browser.click(".busy summary")
        browser.until(SHOWN)
        assert browser.run(PLACE) == pytest.approx([12 / 16, 3 / 9, 1 / 16], abs=0.01)
        assert browser.run(SMALL_ON_PICTURE_PAGES) == []
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        browser.run("document.querySelector('.busy button').scrollIntoView({block: 'center'})")
        browser.click(".busy button")
        browser.until("location.search === '?busy=open' && !document.querySelector('.heat rect')")
        assert "Hiện không có chỗ nào hay động." in browser.run("return document.querySelector('.busy').innerText")
        assert all("live" in line for line in browser.complaints())      # of the picture that is missing
