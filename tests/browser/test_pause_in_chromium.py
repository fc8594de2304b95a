"""The pause switch under a thumb: pause, see that it is paused, record again; and a snapshot."""
import contextlib
from collections.abc import Iterator

import pytest

from agent.config.settings import Camera
from agent.core.contract.facts import CameraFacts
from agent.store import clips, events, pause
from agent.store.database import connect, transaction
from tests.browser.measures import SMALL_TARGETS
from tests.rigs.cameras.h264 import movie
from tests.rigs.cameras.live_camera import LiveCam
from tests.rigs.house.household import FRAME_US, happen, house_of, write_clip
from tests.rigs.house.webdriver import CHROMIUM, DRIVER, Browser
from tests.rigs.wait import Stopwatch, until

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine")

GATE = Camera(name="gate", source="file:/gate.mp4", off=["Mon-Fri 07:00-17:00"], privacy_mask="camera",
              masks=[[(0.1, 0.1), (0.4, 0.1), (0.4, 0.5)]])
YARD = Camera(name="yard", source="file:/yard.mp4")
house = house_of(cameras=[GATE, YARD])


@pytest.fixture
def browser(house) -> Iterator[Browser]:
    with Browser(mobile=True) as browser:
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


def test_a_camera_that_records_again_says_so_within_seconds_and_shows_its_picture(house, browser):
    paused = CameraFacts(camera="yard", state="paused", paused_by="page")
    pause.put(house.folders, ["yard"], None, "page", house.clock.now())
    house.beat(paused)
    browser.open(f"{house.url}/live/yard")
    browser.until("document.querySelector('.screen-note').textContent.startsWith('Camera đang tạm dừng.')")
    pause.lift(house.folders, None, house.clock.now())                  # by another phone
    with Stopwatch() as watch:
        browser.open(f"{house.url}/live/yard")
        assert "Đang khởi động" in words(browser) and "Mất hình" not in words(browser)
        info, packets = movie()
        cam = LiveCam(house.runtime, "yard", info, packets, FRAME_US)
        house.beat(CameraFacts(camera="yard", state="ok", recording=True, last_frame_age_s=0.1))
        browser.until("document.querySelector('#state-yard').textContent.includes('Đang ghi')")
        browser.until("!document.querySelector('.badge').hidden")
    assert watch.fair_s < 6
    cam.close()


def test_an_event_that_ends_while_somebody_watches_becomes_its_recording(house, browser):
    event_id = happen(house.folders, house.clock.now(), "yard", done=False)
    browser.open(f"{house.url}/events/{event_id}")
    assert "Đang diễn ra" in words(browser) and browser.count("[data-live]") == 1
    info, packets = movie()
    with contextlib.closing(connect(house.folders.root)) as db, transaction(db):    # as a pause ends it
        clip = db.execute("SELECT seq, name FROM clip WHERE state = 'open'").fetchone()
        size_b = write_clip(house.folders.clip(clip["seq"], clip["name"]), info, packets)
        clips.finish(db, clip["seq"], "done", 4000, size_b, len(packets))
        events.finish(db, event_id, 2000, 0.2, 1, [], "test/1", None)
    browser.until("document.querySelector('video')?.duration > 3")
    assert "Đang diễn ra" not in words(browser)


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
