"""The household's page in a real browser: clips play and seek, the live picture runs, phones pair."""
from collections.abc import Iterator

import pytest

from agent.core.contract.facts import CameraFacts
from agent.core.household.access import grouped
from agent.host.address import primary_address
from agent.store.decisions.browsers import pairing_code
from agent.store.identity import fingerprint
from tests.browser.measures import SMALL_TARGETS
from tests.core.mp4_material import encode
from tests.rigs.cameras.h264 import movie
from tests.rigs.cameras.live_camera import LiveCam
from tests.rigs.house.household import FRAME_US, Household, happen
from tests.rigs.house.webdriver import CHROMIUM, DRIVER, Browser
from tests.rigs.wait import Stopwatch, until

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine")

HIDE = """Object.defineProperty(document, 'hidden', {value: arguments[0], configurable: true});
document.dispatchEvent(new Event('visibilitychange'));"""


@pytest.fixture
def house(tmp_path) -> Iterator[Household]:
    house = Household(tmp_path)
    for camera in ("gate", "yard"):
        happen(house.folders, house.clock.now(), camera)
    with house:
        yield house


@pytest.fixture
def browser(house) -> Iterator[Browser]:
    with Browser(mobile=True) as browser:
        browser.open(house.link())
        yield browser


@pytest.fixture
def cam(house) -> Iterator[LiveCam]:
    info, packets = movie()
    cam = LiveCam(house.runtime, "gate", info, packets, FRAME_US)
    yield cam
    cam.close()


def test_a_clip_starts_at_its_event_plays_and_seeks(house, browser):
    browser.open(f"{house.url}/")
    browser.until("[...document.querySelectorAll('.thumb img')].filter(i => i.naturalWidth > 0).length === 2")
    browser.click("a.event")
    browser.until("document.querySelector('video')?.readyState >= 2")
    assert browser.run("return document.querySelector('video').duration") == pytest.approx(4.0, abs=0.01)
    browser.until("document.querySelector('video').currentTime > 1.0")              # the event begins there
    browser.run("const v = document.querySelector('video'); v.pause(); v.currentTime = 0.4")
    browser.until("(v => !v.seeking && Math.abs(v.currentTime - 0.4) < 0.01)(document.querySelector('video'))")
    browser.run("const v = document.querySelector('video'); v.currentTime = 3.0; return v.play()")
    browser.until("document.querySelector('video').ended")
    assert [line for line in browser.complaints() if "/live/" not in line] == []       # the home page before had none


def test_newer_and_older_lead_from_event_to_event(house, browser):
    browser.open(f"{house.url}/events/2")
    browser.click("a[rel=next]")
    assert browser.run("return location.pathname") == "/events/1"
    browser.click("a[rel=prev]")
    assert browser.run("return location.pathname") == "/events/2"


def test_the_live_picture_runs_close_to_the_present(house, cam, browser):
    browser.open(f"{house.url}/")
    browser.until("!document.querySelector('[data-live$=\"gate.mp4\"] .badge').hidden")
    first_s = browser.run("return document.querySelector('video').currentTime")
    with Stopwatch() as watch:
        browser.until(f"document.querySelector('video').currentTime > {first_s} + 3")
    behind_s = browser.run("const v = document.querySelector('video'), b = v.buffered;"
                           "return b.end(b.length - 1) - v.currentTime")
    assert 0 <= behind_s < 1.0 * watch.slowness
    assert browser.run("return document.querySelector('video').videoWidth") == 320
    assert [line for line in browser.complaints() if "yard" not in line] == []


def test_a_camera_that_is_off_says_so_and_comes_back_by_itself(house, browser):
    browser.open(f"{house.url}/live/yard")
    browser.until("document.querySelector('.screen-note').textContent.startsWith('Chưa có hình từ camera này.')")
    info, packets = movie()
    cam = LiveCam(house.runtime, "yard", info, packets, FRAME_US)
    browser.until("!document.querySelector('.badge').hidden && document.querySelector('.screen-note').hidden")
    cam.close()
    browser.until("document.querySelector('.badge').hidden && !document.querySelector('.screen-note').hidden")


def test_h265_is_refused_in_words_where_the_browser_cant(house, browser):
    info, packets = encode("h265")
    cam = LiveCam(house.runtime, "gate", info, packets, 66_667)
    browser.open(f"{house.url}/live/gate")
    if browser.run("return MediaSource.isTypeSupported('video/mp4; codecs=\"hvc1.1.6.L93.B0\"')"):
        browser.until("!document.querySelector('.badge').hidden")
    else:
        browser.until("document.querySelector('.screen-note').textContent.includes('H.265')")
    cam.close()


def test_a_hidden_page_costs_nothing(house, cam, browser):
    browser.open(f"{house.url}/live/gate")
    browser.until("!document.querySelector('.badge').hidden")
    browser.run(HIDE, True)
    browser.until("document.querySelector('.badge').hidden")
    until(lambda: house.viewers_n() == 0)
    browser.run(HIDE, False)
    browser.until("!document.querySelector('.badge').hidden")


def test_the_page_stays_fresh_without_reloading(house, browser):
    browser.open(f"{house.url}/")
    browser.run("window.sameSelf = true")
    happen(house.folders, house.clock.now(), "yard")
    for _ in range(3):
        house.beat(CameraFacts(camera="gate", state="ok", recording=True, last_frame_age_s=0.1))
    browser.until("document.querySelectorAll('#events .event').length === 3")
    browser.until("document.querySelector('#state-gate').textContent.includes('Đang ghi')")
    assert browser.run("return window.sameSelf") is True


def test_language_and_details_by_touch(house, browser):
    browser.open(f"{house.url}/")
    browser.click("a.language")
    assert browser.run("return document.documentElement.lang") == "en"
    browser.open(f"{house.url}/recordings")
    assert browser.run("return document.querySelector('h1').textContent") == "Today"


def test_targets_are_large_and_nothing_runs_off_the_screen(house, browser):
    for path in ("/", "/recordings", "/events/1", "/live/gate", "/pair", "/browsers"):
        browser.open(house.url + path)
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), path
        assert browser.run(SMALL_TARGETS) == [], path


def test_without_scripts_lists_and_clips_still_work(house):
    with Browser(scripts=False) as browser:
        browser.open(house.link())
        browser.open(f"{house.url}/")
        assert browser.count("a.event") == 2
        browser.click("a.event")
        browser.until("location.pathname.startsWith('/events/') && document.readyState === 'complete'")
        assert browser.count("video[src]") == 1 and browser.count("a[download]") == 1
        browser.open(f"{house.url}/")
        assert browser.count("video.plain") == 2        # a noscript element is open only without scripts


@pytest.mark.skipif(primary_address() is None, reason="this machine has no address but loopback")
def test_a_phone_pairs_and_watches_over_the_network_encrypted(tmp_path):
    house = Household(tmp_path, listen="0.0.0.0", tls=True, visited=False)
    page = f"https://{primary_address()}:{house.port}"
    info, packets = movie()
    with house, Browser(mobile=True, any_certificate=True) as browser:
        cam = LiveCam(house.runtime, "gate", info, packets, FRAME_US)
        browser.open(f"{page.replace('https', 'http')}/recordings")       # as typed without the s
        assert browser.run("return location.href.split('?')[0]") == f"{page}/pair"
        browser.write("#code", "wrong")
        browser.click("button[type=submit]")
        browser.until("document.querySelector('.refusal')")
        with house.decisions() as own:
            browser.write("#code", " ".join(grouped(pairing_code(own)).lower().split("-")))
        browser.click("button[type=submit]")
        browser.until("location.pathname === '/recordings'")
        assert browser.run("return document.cookie") == ""                        # scripts can't read the token
        browser.open(f"{page}/live/gate")
        browser.until("!document.querySelector('.badge').hidden && document.querySelector('video').currentTime > 1")
        browser.open(f"{page}/pair")
        assert browser.run("return document.querySelector('.fingerprint').textContent") == fingerprint(house.folders)
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        cam.close()


def test_all_browsers_are_put_out_by_two_taps(house, browser):
    browser.open(f"{house.url}/browsers")
    browser.run("document.querySelector('details:last-of-type').scrollIntoView({block: 'center'})")
    browser.click("details:last-of-type summary")
    browser.run("document.querySelector('button[value=reset]').scrollIntoView({block: 'center'})")
    browser.click("button[value=reset]")
    browser.until("document.querySelector('.code')")
    browser.click("a.button.strong")
    browser.until("location.pathname === '/pair' && document.querySelector('#code')")
