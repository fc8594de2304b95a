"""The page as an app: it can be installed, says itself when the recorder is away, keeps no picture; and full screen."""
from collections.abc import Iterator

import pytest

from tests.rigs.cameras.h264 import movie
from tests.rigs.cameras.live_camera import LiveCam
from tests.rigs.house.household import FRAME_US, Household, happen
from tests.rigs.house.webdriver import CHROMIUM, DRIVER, Browser

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine")

KEPT = """return caches.keys()
  .then(names => Promise.all(names.map(name => caches.open(name).then(kept => kept.keys()))))
  .then(lists => lists.flat().map(request => new URL(request.url).pathname))"""
CONTROLLED = "navigator.serviceWorker.controller !== null"
COVERS = """const box = document.querySelector('.screen').getBoundingClientRect();
return Math.abs(box.width - innerWidth) < 2 && Math.abs(box.height - innerHeight) < 2"""


@pytest.fixture
def phone() -> Iterator[Browser]:
    with Browser(mobile=True) as browser:
        yield browser


def test_it_can_be_installed_and_tells_the_truth_when_the_recorder_is_away(tmp_path, phone):
    house = Household(tmp_path, title="Nhà bà Sáu")
    happen(house.folders, house.clock.now())
    with house:
        phone.open(house.link())
        phone.until(CONTROLLED)
        assert phone.command("Page.getInstallabilityErrors") == {"installabilityErrors": []}
        for path in ("/recordings", "/events/1", "/"):
            phone.open(house.url + path)
        kept = set(phone.run(KEPT))
        assert {"/offline", "/last-seen", "/static/page.css"} <= kept
        assert all(path in ("/offline", "/last-seen") or path.startswith("/static/") for path in kept)
    phone.open(f"{house.url}/recordings")
    assert phone.run("return document.querySelector('h1').textContent") == "Chưa liên lạc được với máy ghi hình"
    phone.until("(seen => !seen.hidden && /20\\d\\d/.test(seen.textContent))(document.getElementById('seen'))")
    assert "bà Sáu" not in phone.run("return document.documentElement.outerHTML") and phone.count("img") == 1
    again = Household(tmp_path)
    again.settings.web.port = house.port
    with again:
        phone.until("location.pathname === '/recordings' && document.querySelector('.places')")     # by itself


def test_a_stranger_s_phone_is_told_nothing_by_the_app_s_own_addresses(tmp_path):
    with Household(tmp_path, title="Nhà bà Sáu") as house:
        for path in ("/app.webmanifest", "/worker.js", "/offline"):
            assert house.get(path, cookie="").status == 401
        assert '"name": "Nhà bà Sáu"' in house.get("/app.webmanifest").text


@pytest.mark.parametrize("able", [True, False])
def test_the_live_picture_fills_the_screen_and_leaves_it(tmp_path, phone, able: bool):
    info, packets = movie()
    with Household(tmp_path) as house:
        cam = LiveCam(house.runtime, "gate", info, packets, FRAME_US)
        phone.open(house.link())
        phone.open(f"{house.url}/live/gate")
        phone.until("!document.querySelector('.badge').hidden")
        if not able:                                            # as on an iPhone
            phone.run("Element.prototype.requestFullscreen = undefined")
        phone.click(".fill")
        phone.until(f"(() => {{ {COVERS} }})()")
        assert phone.run("return Boolean(document.fullscreenElement)") == able
        assert phone.run("return document.querySelector('.fill').ariaLabel") == "Thoát toàn màn hình"
        assert phone.run("return document.querySelector('video').paused") is False
        phone.click(".fill")
        phone.until("document.querySelector('.screen').getBoundingClientRect().height < innerHeight / 2")
        cam.close()
