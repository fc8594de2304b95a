"""The recordings page on a phone, on footage without a break: any moment of it plays, is kept, and is erased."""
from collections.abc import Callable, Iterator
from datetime import timedelta

import av
import numpy as np
import pytest

from agent.config.settings import Store
from agent.keeper.deletion import finish_deletion, retain
from agent.look.words import local
from agent.store import clips, holds
from agent.store.database import connect
from tests.rigs.cameras.h264 import encoded
from tests.rigs.house.household import Household
from tests.rigs.house.run_of_clips import Kept
from tests.rigs.house.webdriver import CHROMIUM, DRIVER, Browser
from tests.rigs.wait import until

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine")

MINUTES, CLIP_S, BITS = 40, 60, 12
# The number in a picture, which is the second in which it was filmed: squares of a bit each.
NUMBER = """const read = (v) => {
  const canvas = document.createElement('canvas'), pen = canvas.getContext('2d', {willReadFrequently: true});
  canvas.width = 240; canvas.height = 20;
  pen.drawImage(v, 0, 0, v.videoWidth, v.videoHeight / 9, 0, 0, 240, 20);
  let number = 0;
  for (let bit = 0; bit < 12; bit++) number |= (pen.getImageData(bit * 20 + 10, 10, 1, 1).data[0] > 128) << bit;
  return number;
};"""
SHOWN = NUMBER + "return read(document.querySelector('video.player'));"
WATCH_PREVIEW = NUMBER + """window.previewed = [];
const box = document.querySelector('.preview'), video = box.querySelector('video');
video.addEventListener('seeked', () => { if (!box.hidden) window.previewed.push(read(video)); });"""
PLAYS = "(v => v.readyState >= 2 && !v.seeking && !v.paused)(document.querySelector('video.player'))"
BOX = """const box = document.querySelector(arguments[0]).getBoundingClientRect();
return [box.x, box.y, box.width, box.height];"""
FASTEST = """const speed = document.querySelector('[data-do=speed]');
speed.value = '8';
speed.dispatchEvent(new Event('change'));"""


def seconds() -> Iterator[av.VideoFrame]:
    """A picture a second that shows its number."""
    for n in range(MINUTES * 60):
        picture = np.full((180, 320, 3), 90, np.uint8)
        for bit in range(BITS):
            picture[:20, round(bit * 26.7):round(bit * 26.7 + 26.7)] = 255 if n >> bit & 1 else 0
        yield av.VideoFrame.from_ndarray(picture, "rgb24")


@pytest.fixture(scope="module")
def footage():
    return encoded(seconds(), 1, 2)


@pytest.fixture
def evening(tmp_path, footage) -> Iterator[Kept]:
    """A camera that has recorded all the time from six yesterday evening on, and two events."""
    house = Household(tmp_path, language="en")
    kept = Kept(house, *footage)
    six = local(house.clock.now().wall_ms).replace(hour=18, minute=0, second=0, microsecond=0) - timedelta(days=1)
    kept.offset_ms = int(six.timestamp() * 1000) - kept.packets[0].dts_us // 1000
    kept.store(range(0, MINUTES * 60, CLIP_S))
    kept.happen(600, 8000)
    kept.happen(1800, 8000)
    with house:
        yield kept


@pytest.fixture
def phone(evening) -> Iterator[Browser]:
    with Browser(mobile=True) as browser:
        browser.open(evening.house.link())
        yield browser


def two_taps(house: Household, phone: Browser) -> None:
    """From the home page to yesterday evening at the gate."""
    phone.open(f"{house.url}/")
    phone.click('a[href="/recordings?camera=gate"]')
    phone.click('a[href*="at=18"]')
    phone.until(PLAYS)


def near(second: int, within: int) -> Callable[[int], bool]:
    """Whether a number is that of such a second."""
    return lambda found: abs(found - second) <= within


def test_yesterday_evening_is_two_taps_away_and_pictures_follow_the_finger(evening, phone):
    house = evening.house
    two_taps(house, phone)
    assert near(0, 60)(phone.run(SHOWN))
    phone.run("document.querySelector('video.player').pause()")
    phone.run("document.querySelector('.line-box.fine').scrollIntoView({block: 'center', behavior: 'instant'})")
    phone.run(WATCH_PREVIEW)
    left, top, width, height = phone.run(BOX, ".line-box.fine")
    middle, y = left + width / 2, top + height / 2
    # A drag of a third of the line's width to the left: twenty minutes on.
    phone.drag([(middle + width / 6 - n * width / 60, y) for n in range(21)])
    until(lambda: near(1200, 60)(phone.run(SHOWN)))
    assert phone.run("return document.querySelector('.preview').hidden")
    followed = phone.run("return window.previewed")
    assert followed and all(0 <= number <= 1260 for number in followed) and max(followed) > 60
    assert phone.run("return document.querySelector('[data-now]').textContent")[:4] in ("18:1", "18:2")
    assert "at=18%3A" in phone.run("return location.search")
    # A tap on the day's line, between the two events: a pixel is four minutes there.
    left, top, width, height = phone.run(BOX, ".line-box.day")
    at = left + width * (18 + 25 / 60) / 24
    phone.drag([(at, top + height / 2), (at, top + height / 2)])
    until(lambda: near(1500, 280)(phone.run(SHOWN)))
    # The events, one after the other, and what was watched is seen.
    phone.run("document.querySelector('video.player').pause()")
    phone.click("[data-jump=earlier]")
    until(lambda: near(598, 12)(phone.run(SHOWN)))
    with connect(house.folders.root) as db:
        until(lambda: db.execute("SELECT COUNT(*) FROM seen").fetchone()[0])
    assert phone.count(".unseen-event") < 2
    # Eight times as fast: keyframes alone, and on over the borders of clips and of what was cut at once.
    phone.run(FASTEST)
    phone.run("return document.querySelector('video.player').play()")
    until(lambda: phone.run(SHOWN) > 640)
    assert phone.run("return document.querySelector('video.player').playbackRate") == 8
    assert [line for line in phone.complaints() if "/live/" not in line] == []     # no camera is at work


def test_what_is_erased_is_gone_and_what_is_kept_outlives_retention(evening, phone):
    house = evening.house
    two_taps(house, phone)
    phone.click(".span-form button")
    phone.until("location.pathname === '/recordings/span'")
    phone.click("details summary")
    phone.click("button[value=erase]")
    phone.until("document.querySelector('.alert.good')")
    with connect(house.folders.root) as db, house.decisions() as own:
        assert [clip.name for clip in clips.in_state(db, "deleting")]
        finish_deletion(own, db, house.folders, house.clock.now())
        assert not evening.files[0][1].exists() and evening.files[5][1].exists()
        begin_ms = evening.wall_ms(0)
        film = f"/film/gate.json?from={begin_ms}&to={begin_ms + 60_000}"
        assert b'"films":[]' in house.get(film).body
        phone.open(f"{house.url}/recordings?camera=gate&day={local(begin_ms).date()}&at=18:30:00")
        phone.until(PLAYS)
        phone.click(".span-form button")
        phone.until("location.pathname === '/recordings/span'")
        phone.write("input[name=note]", "broken fence")
        phone.click("button[value=keep]")
        phone.until("location.pathname === '/recordings/kept'")
        held = {hold.clip.name for hold in holds.placed(db)}
        retain(own, db, house.folders, Store(quota_gb=1e-9), house.clock.now(), True)
        assert held == {clip.name for clip in clips.finished(db)} and 1 <= len(held) <= 2
    phone.click(".answers a")
    phone.until(PLAYS)
    assert near(1740, 40)(phone.run(SHOWN))             # the clip in which half past six less half a minute lies


def test_without_scripts_hours_and_events_lead_to_films(evening):
    house = evening.house
    with Browser(scripts=False) as browser:
        browser.open(house.link())
        browser.open(f"{house.url}/recordings?camera=gate&day={local(evening.wall_ms(0)).date()}")
        assert browser.count("a[data-id]") == 2
        browser.click(".hour h2 a")         # on a busy machine a click returns before the browser leaves the page
        until(lambda: browser.count("video.player[src]") == 1)
        browser.click("a[data-id]")
        browser.until("location.search.includes('event=')")
        until(lambda: browser.count("video.player[src]") == 1)
        browser.click(".span-form button")
        browser.until("location.pathname === '/recordings/span' && document.readyState === 'complete'")
        assert browser.count("a[download]") == 1 and browser.count("button[value=erase]") == 1


def test_targets_are_large_and_nothing_runs_off_the_screen(evening, phone):
    house, day = evening.house, local(evening.wall_ms(0)).date()
    for path in (f"?day={day}", f"?day={day}&camera=gate&at=18:10:00", f"/month?day={day}", "/kept",
                 f"/span?camera=gate&day={day}&begin=18:00&end=18:01"):
        phone.open(f"{house.url}/recordings{path}")
        assert phone.run("return document.documentElement.scrollWidth <= innerWidth"), path
        small = phone.run("""return [...document.querySelectorAll('main a, main button, main summary')]
            .filter(each => each.checkVisibility() && each.getBoundingClientRect().height < 44)
            .map(each => each.outerHTML)""")
        assert small == [], path
