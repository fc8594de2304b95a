"""The pause switch under a thumb: pause, see that it is paused, record again; and a snapshot."""
from collections.abc import Iterator

import pytest

from agent.config.settings import Camera
from agent.core.contract.facts import CameraFacts
from agent.store import pause
from tests.browser.test_page_in_chromium import SMALL_TARGETS
from tests.rigs.h264 import movie
from tests.rigs.household import FRAME_US, Household
from tests.rigs.livecam import LiveCam
from tests.rigs.wait import until
from tests.rigs.webdriver import CHROMIUM, DRIVER, Browser

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine")

GATE = Camera(name="gate", source="file:/gate.mp4", off=["Mon-Fri 07:00-17:00"], privacy_mask="camera",
              masks=[[(0.1, 0.1), (0.4, 0.1), (0.4, 0.5)]])
YARD = Camera(name="yard", source="file:/yard.mp4")


@pytest.fixture
def house(tmp_path) -> Iterator[Household]:
    with Household(tmp_path, cameras=[GATE, YARD]) as house:
        yield house


@pytest.fixture
def browser(house, tmp_path) -> Iterator[Browser]:
    with Browser(tmp_path / "profile", mobile=True) as browser:
        browser.open(house.link())
        yield browser


def words(browser: Browser) -> str:
    """What the page says."""
    return browser.run("return document.querySelector('main').innerText")


def test_one_tap_pauses_the_house_and_another_one_records_again(house, browser):
    browser.open(f"{house.url}/")
    browser.click("#pause summary")
    browser.click("#pause button[value='60']")
    browser.until("document.querySelector('#pause .state.paused')")
    assert browser.run("return location.pathname") == "/"
    assert words(browser).count("Tạm dừng đến") == 3                    # of the house, and of both cameras
    now = house.clock.now()
    until(lambda: pause.load(house.folders).of("yard", now))
    browser.click("#pause button[value='resume']")
    browser.until("!document.querySelector('#pause .state.paused')")
    assert pause.load(house.folders).of("yard", now) is None
    assert browser.complaints() == [] or all("live" in line for line in browser.complaints())


def test_one_camera_has_a_switch_of_its_own_and_its_picture_goes(house, browser):
    info, packets = movie()
    cam = LiveCam(house.runtime, "gate", info, packets, FRAME_US)
    browser.open(f"{house.url}/live/gate")
    browser.until("!document.querySelector('.badge').hidden")
    assert "Giờ nghỉ hằng tuần: Thứ Hai-Thứ Sáu 07:00-17:00" in words(browser)
    assert "do chính camera che" in words(browser)
    pause.put(house.folders, ["gate"], None, "command", house.clock.now())
    cam.close()                                                         # as capture does within two seconds
    browser.until("document.querySelector('.screen-note').textContent.startsWith('Camera đang tạm dừng.')")
    assert browser.run("return document.querySelector('video').readyState") == 0       # no last picture stands there
    browser.open(f"{house.url}/live/yard")
    browser.click("#pause summary")
    browser.click("#pause button[value='open']")
    browser.until("document.querySelector('#pause .state.paused')")
    assert browser.run("return location.pathname") == "/live/yard"
    assert "Tạm dừng đến khi có người bật lại (từ trang này)" in words(browser)
    pauses = pause.load(house.folders)
    assert {name: word.by for name, word in pauses.cameras.items()} == {"gate": "command", "yard": "page"}


def test_the_choice_stays_open_while_the_page_freshens(house, browser):
    browser.open(f"{house.url}/")
    browser.click("#pause summary")
    house.beat(CameraFacts(camera="gate", state="ok", recording=True, last_frame_age_s=0.1))
    browser.until("document.querySelector('#state-gate').textContent.includes('Đang ghi')")
    assert browser.run("return document.querySelector('#pause details').open")


def test_the_switch_is_large_enough_and_stays_on_the_screen(house, browser):
    for path in ("/", "/live/gate"):
        browser.open(house.url + path)
        browser.click("#pause summary")
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), path
        assert browser.run(SMALL_TARGETS) == [], path
