"""An event's page in a real browser: its whole span plays and seeks over clips and encodings, slowly, fast, by keys."""
from collections.abc import Iterator

import av
import numpy as np
import pytest

from agent.core.media.model import Packet
from tests.core.mp4_material import encode
from tests.rigs.cameras.h264 import encoded
from tests.rigs.house.household import house_of
from tests.rigs.house.run_of_clips import Kept
from tests.rigs.house.webdriver import CHROMIUM, DRIVER, Browser
from tests.rigs.wait import Stopwatch

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine")

FPS, SECONDS, SEEK_MS = 10, 24, 300
VIDEO = "document.querySelector('.film video')"
PLAYER = "document.querySelector('.film').player"
SEEKS = """const place = arguments[0], began = performance.now();
return new Promise((found) => {
  document.querySelector('video').addEventListener('seeked', () => found(performance.now() - began), {once: true});
  document.querySelector('.film').player.go(place);
});"""
# The number in the picture: eight squares, a bit each.
NUMBER = """const v = document.querySelector('video'), canvas = document.createElement('canvas');
canvas.width = 160; canvas.height = 20;
const pen = canvas.getContext('2d', {willReadFrequently: true});
pen.drawImage(v, 0, 0, v.videoWidth, v.videoHeight / 9, 0, 0, 160, 20);
let number = 0;
for (let bit = 0; bit < 8; bit++) number |= (pen.getImageData(bit * 20 + 10, 10, 1, 1).data[0] > 128) << bit;
return number;"""


def numbered() -> Iterator[av.VideoFrame]:
    """Pictures that show their number."""
    for n in range(FPS * SECONDS):
        picture = np.full((180, 320, 3), 90, np.uint8)
        for bit in range(8):
            picture[:20, bit * 40:bit * 40 + 40] = 255 if n >> bit & 1 else 0
        yield av.VideoFrame.from_ndarray(picture, "rgb24")


@pytest.fixture(scope="module")
def film():
    """Pictures that show their number, a keyframe a second; the packets begin at some moment of a day."""
    info, packets = encoded(numbered(), FPS, FPS)
    start_us = 7_000_000_000
    return info, [Packet(each.data, each.pts_us + start_us, each.dts_us + start_us, each.key) for each in packets]


house = house_of(language="en")


@pytest.fixture
def browser(house) -> Iterator[Browser]:
    with Browser(mobile=True) as browser:
        browser.open(house.link())
        yield browser


def test_a_span_over_many_clips_plays_from_its_event_on_seeks_steps_and_is_fast(house, browser, film):
    """As a camera leaves it that records all the time: a clip every four seconds, and the event touches four."""
    kept = Kept(house, *film)
    kept.store([0, 40, 80, 120, 160, 200])
    event_id = kept.happen(95, 9000)
    browser.open(f"{house.url}/events/{event_id}")
    browser.until(f"{VIDEO}.readyState >= 2 && {VIDEO}.currentTime > 5.1")
    begin = 40                      # the keyframe at or before the event less its five seconds
    assert browser.run(f"return {VIDEO}.duration") == pytest.approx((95 + 90 + 50 - begin) / FPS, abs=0.15)
    browser.run(f"{VIDEO}.pause()")
    slow_ms = []
    for second in (1.2, 17.3, 4.9, 9.6, 13.4, 0.3):
        with Stopwatch() as watch:
            slow_ms.append(browser.run(SEEKS, second * 1000) / max(watch.slowness, 1))
        assert browser.run(NUMBER) == begin + int(second * FPS)
    assert sorted(slow_ms)[len(slow_ms) // 2] <= SEEK_MS, slow_ms
    browser.run(SEEKS, 5050)
    browser.click("[data-do=on]")
    browser.until(f"!{VIDEO}.seeking && (() => {{ {NUMBER} }})() === {begin + 51}")
    browser.run("document.activeElement.blur()")
    press(browser, ",")
    press(browser, ",")
    browser.until(f"!{VIDEO}.seeking && (() => {{ {NUMBER} }})() === {begin + 49}")
    press(browser, "ArrowRight")
    browser.until(f"!{VIDEO}.seeking && (() => {{ {NUMBER} }})() === {begin + 99}")
    choose(browser, 2)
    press(browser, "k")
    browser.until(f"{VIDEO}.currentTime > 12")
    assert browser.run(f"return [{VIDEO}.playbackRate, {VIDEO}.src.includes('keys')]") == [2, False]
    choose(browser, 8)
    browser.until(f"{VIDEO}.src.includes('keys=1') && {VIDEO}.playbackRate === 8 && {VIDEO}.ended")
    assert browser.run(f"return {PLAYER}.place") == pytest.approx(1000 * (95 + 90 + 50 - begin) / FPS, abs=300)
    choose(browser, 1)
    browser.until(f"!{VIDEO}.src.includes('keys')")
    assert complaints(browser) == []


def test_other_encodings_and_gaps_within_the_span_are_played_one_after_the_other(house, browser, film):
    info, packets = film
    small, others = encode("h264")
    late = [Packet(each.data, each.pts_us - others[0].pts_us + packets[120].pts_us,
                   each.dts_us - others[0].dts_us + packets[120].dts_us, each.key) for each in others]
    kept = Kept(house, info, packets[:120])
    kept.store_part(0, 50)
    kept.store_part(70, 120)
    after = Kept(house, small, late)
    after.offset_ms = kept.offset_ms
    after.store([0])
    event_id = kept.happen(45, 9000)
    browser.open(f"{house.url}/events/{event_id}")
    assert "Nothing was recorded from" in browser.run("return document.querySelector('.theatre').textContent")
    assert browser.count("a[download]") == 2
    browser.until(f"{VIDEO}.currentTime > 4.6")
    browser.run(f"{PLAYER}.go(9000)")
    browser.until(f"{VIDEO}.src.includes('part=2')")
    browser.until(f"{VIDEO}.ended && {VIDEO}.src.includes('part=2')")
    assert browser.run("return document.querySelector('[data-length]').textContent") == "0:14 / 0:14"
    browser.run(f"{PLAYER}.go(5500)")
    browser.until(f"!{VIDEO}.src.includes('part') && {VIDEO}.readyState >= 2 && !{VIDEO}.seeking")
    assert browser.run(NUMBER) == 75
    assert complaints(browser) == []


def test_an_event_that_goes_on_is_played_and_grows(house, browser, film):
    kept = Kept(house, *film)
    event_id = kept.happen(0, None)
    browser.open(f"{house.url}/events/{event_id}")
    assert "first seconds" in browser.run("return document.querySelector('.theatre').textContent")
    assert browser.count(".film") == 0
    kept.store_part(0, 40, finished=False)
    browser.until(f"{VIDEO}?.currentTime > 2")
    kept.store_part(40, 80)
    browser.until(f"{VIDEO}.currentTime > 6")
    assert complaints(browser) == []


@pytest.mark.parametrize("width", [320, 390])
def test_the_player_fits_a_phone_and_its_buttons_a_thumb(house, film, width):
    kept = Kept(house, *film)
    kept.store([0, 100])
    event_id = kept.happen(95, 3000)
    with Browser(mobile=True) as browser:
        browser.open(house.link())
        browser.open(f"{house.url}/events/{event_id}")
        browser.until(f"{VIDEO}.readyState >= 2")
        browser.run("document.documentElement.style.width = arguments[0] + 'px'", width)
        assert browser.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        sizes = browser.run("return [...document.querySelectorAll('.film-bar [data-do]:not([hidden])')].map((each) => "
                            "[each.getBoundingClientRect().width, each.getBoundingClientRect().height])")
        assert len(sizes) == 6 and all(wide >= 44 and high >= 44 for wide, high in sizes)


def test_without_scripts_the_first_film_plays_by_the_browsers_own_controls(house, tmp_path, film):
    kept = Kept(house, *film)
    kept.store([0, 60])
    text = house.get(f"/events/{kept.happen(95, 3000)}").text
    assert " controls " in text and 'src="/film/gate.mp4?' in text and "#t=5." in text
    assert 'class="film-bar" hidden' in text


def complaints(browser: Browser) -> list[str]:
    """What the console said, but for the home page's wish for live pictures, which nobody takes here."""
    return [each for each in browser.complaints() if "/live/" not in each]


def press(browser: Browser, key: str) -> None:
    """As from a keyboard, wherever the focus is."""
    browser.run("document.activeElement.dispatchEvent("
                "new KeyboardEvent('keydown', {key: arguments[0], bubbles: true}))", key)


def choose(browser: Browser, speed: float) -> None:
    browser.run("const s = document.querySelector('[data-do=speed]'); s.value = String(arguments[0]);"
                "s.dispatchEvent(new Event('change'))", speed)


def test_what_the_browser_can_not_play_is_said_and_a_light_copy_is_made_and_played(house, browser):
    """Real H.265. Whether this browser plays it is the browser's to say; the page must follow."""
    stream, packets = encode("h265")
    kept = Kept(house, stream, packets)
    kept.store([0, 45])
    event_id = kept.happen(30, 2000)
    browser.open(f"{house.url}/events/{event_id}")
    plays = browser.run(f"return {VIDEO}.canPlayType({PLAYER}.every.films[0].type)")
    if plays:
        browser.until(f"{VIDEO}.readyState >= 2 || !document.querySelector('[data-unplayable]').hidden")
        browser.run(f"{PLAYER}.judge(true)")
    assert not browser.run("return document.querySelector('[data-unplayable]').hidden")
    assert "H.265" in browser.run("return document.querySelector('[data-unplayable]').innerText")
    assert browser.count("[data-unplayable] a[download]") == 1
    browser.click("[data-light]")
    browser.until(f"{VIDEO}.src.includes('/preview/') && {VIDEO}.readyState >= 2 && {VIDEO}.currentTime > 2.1")
    assert browser.run("return document.querySelector('[data-unplayable]').hidden")
    assert browser.run(f"return [{VIDEO}.videoWidth, {VIDEO}.videoHeight]") == [stream.width, stream.height]
    browser.run(f"{PLAYER}.go(500)")
    browser.until(f"!{VIDEO}.seeking && {VIDEO}.currentTime < 2")
    choose(browser, 8)
    browser.until(f"{VIDEO}.ended && {VIDEO}.src.includes('/preview/')")
