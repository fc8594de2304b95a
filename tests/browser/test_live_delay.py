"""Glass to page: how old the picture is that a browser shows, by the number that is in it."""
import statistics
import time

import pytest

from agent.core.media.model import Packet
from tests.browser.clock_camera import FPS, READ_NUMBER, clock_movie
from tests.rigs.cameras.live_camera import LiveCam
from tests.rigs.house.household import Household
from tests.rigs.house.webdriver import CHROMIUM, DRIVER, Browser
from tests.rigs.wait import Stopwatch, until

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine")

DELAY_MAX_S = 3.0
PICTURES_N = 12


class Logged(LiveCam):
    """Notes when each picture left the camera."""

    def __init__(self, house: Household) -> None:
        info, packets = clock_movie()
        self._numbers = {packet.data: number for number, packet in enumerate(packets)}
        self.sent_ms: dict[int, float] = {}
        super().__init__(house.runtime, "gate", info, packets, 1_000_000 // FPS)
        self._hand_on, self.live.packet = self.live.packet, self._note

    def _note(self, packet: Packet) -> None:
        self.sent_ms[self._numbers[packet.data]] = time.time() * 1000
        self._hand_on(packet)


def test_the_page_shows_a_picture_that_is_less_than_three_seconds_old(tmp_path):
    with Household(tmp_path) as house, Browser(mobile=True) as browser:
        cam = Logged(house)
        browser.open(house.link())
        browser.open(f"{house.url}/live/gate")
        browser.until("!document.querySelector('.badge').hidden")
        delays_s: dict[int, float] = {}
        with Stopwatch() as watch:
            until(lambda: _look(browser, cam, delays_s) >= PICTURES_N)
        cam.close()
    print(f"glass to page: median {statistics.median(delays_s.values()):.2f} s, worst {max(delays_s.values()):.2f} s")
    assert 0 < statistics.median(delays_s.values()) < DELAY_MAX_S * watch.slowness


def _look(browser: Browser, cam: Logged, delays_s: dict[int, float]) -> int:
    """Note the picture that the page shows and how long ago it left the camera; returns how many were seen."""
    number, shown_ms = browser.run(READ_NUMBER)
    if number in cam.sent_ms:
        delays_s.setdefault(number, (shown_ms - cam.sent_ms[number]) / 1000)
    return len(delays_s)
