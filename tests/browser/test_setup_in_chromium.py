"""The first start in a real browser: from the code to the page, through a restart of the page, a camera plugged in."""
from pathlib import Path

import pytest

from agent.config.settings import Camera
from agent.core.contract.setup import AddCamera, LocalCamera, LocalCameras, SetDevice
from agent.core.household.access import grouped
from agent.store.decisions.browsers import pairing_code
from tests.browser.measures import at
from tests.rigs.cameras.h264 import movie
from tests.rigs.cameras.live_camera import LiveCam
from tests.rigs.house.household import FRAME_US, Household
from tests.rigs.house.webdriver import CHROMIUM, DRIVER, Browser
from tests.rigs.wait import until

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine")

WEBCAM = LocalCamera(kind="v4l2", source="v4l2:/dev/v4l/by-id/usb-C270", title="HD Webcam C270", detail="046d:0825")


def pair(house: Household, browser: Browser) -> None:
    """As somebody who reads the code off the label."""
    with house.decisions() as own:
        code = grouped(pairing_code(own))
    browser.open(house.url)
    at(browser, "/pair")
    browser.click("summary")
    browser.write("#code", code.lower())
    browser.click("button[type=submit]")


def test_from_the_code_to_the_page_through_a_restart(tmp_path: Path):
    with Browser(mobile=True) as browser:
        with Household(tmp_path, cameras=[], may_change=True, visited=False) as house:
            pair(house, browser)
            at(browser, "/setup")
            browser.click("button[value=vi]")
            at(browser, "/setup/name")
            browser.write("#title", "Nhà bà Sáu")
            browser.click("button[type=submit]")
            at(browser, "/saving")
            until(lambda: house.carry_out() == [SetDevice(title="Nhà bà Sáu")])
        again = Household(tmp_path, cameras=[], title="Nhà bà Sáu")         # the page is away for a while
        again.settings.web.port = house.port
        with again:
            at(browser, "/setup/cameras")
            assert browser.count("#offers .empty") == 1
            again.setup.show(LocalCameras(cameras=[WEBCAM]), None)
            browser.until("document.querySelector('#offers input:not([type=hidden])')?.value === 'HD Webcam C270'")
            browser.run("document.querySelector('#offers input:not([type=hidden])').value = 'Sân'")
            browser.click("#offers button[type=submit]")
            at(browser, "/saving")
            until(lambda: again.carry_out() == [AddCamera(name="san", title="Sân", source=WEBCAM.source)])
        seen = Household(tmp_path, cameras=[Camera(name="san", title="Sân", source=WEBCAM.source)])
        seen.settings.web.port = house.port
        with seen:
            info, packets = movie()
            cam = LiveCam(seen.runtime, "san", info, packets, FRAME_US)
            at(browser, "/setup/cameras")
            browser.until("document.querySelector('video')?.currentTime > 0")
            browser.click(".setup > a.button")
            at(browser, "/setup/sharing")
            browser.click(".setup > a.button")
            at(browser, "/setup/done")
            browser.click("button[type=submit]")
            at(browser, "/")
            assert browser.count("a[href='/setup']") == 0
            cam.close()
        assert [each for each in browser.complaints() if "ERR_CONNECTION_REFUSED" not in each] == []


def test_without_scripts_it_works_too(tmp_path: Path):
    with (Household(tmp_path, may_change=True, visited=False) as house,
          Browser(scripts=False) as browser):
        pair(house, browser)
        browser.until("location.pathname === '/setup'")
        browser.click("button[value=en]")
        browser.until("location.pathname === '/saving'")
        until(lambda: house.carry_out("card"))
        browser.until("location.pathname === '/setup'")
        assert browser.count(".refusal") == 1
