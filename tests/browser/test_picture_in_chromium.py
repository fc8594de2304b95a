"""A camera's picture under a finger: masks and zones drawn on real footage, through root into the next recording."""
import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from agent.config.load import load
from agent.config.settings import Camera
from agent.core.contract.setup import ChangeCamera
from agent.host.clock import SystemClock
from agent.privileged.setup.main import Setup
from agent.privileged.setup.notice import NoticePlaces
from agent.store import clips, events
from agent.store.database import connect
from tests.browser.measures import SMALL_ON_PICTURE_PAGES, TOO_WIDE
from tests.rigs.cameras import footage
from tests.rigs.cameras.h264 import movie
from tests.rigs.cameras.live_camera import LiveCam
from tests.rigs.house.household import FRAME_US, Household
from tests.rigs.house.webdriver import CHROMIUM, DRIVER, Browser
from tests.rigs.store.shelf import put_clip
from tests.rigs.wait import until

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine")

HERE = "/cameras/yard/picture"
SMALL_KNOBS = """
return [...document.querySelectorAll('.knob .hit')].filter(each => each.getBoundingClientRect().width < 43.9).length"""
BLACK_MAX = 30              # of brightness, after encoding; black is 16
CORNER = (0.05, 0.05, 0.45, 0.45)       # of the picture: left, top, right, bottom


class Stage:
    """Where the picture is on the screen."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    def points(self, *shares: tuple[float, float]) -> list[tuple[float, float]]:
        """Places of the picture (0..1), in pixels of what is in sight."""
        left, top, width, height = self.browser.run(
            "const box = document.getElementById('drawing').getBoundingClientRect();"
            "return [box.left, box.top, box.width, box.height]")
        return [(left + x * width, top + y * height) for x, y in shares]

    def draw(self, *shares: tuple[float, float]) -> None:
        """Lead a finger over these places."""
        self.browser.drag(self.points(*shares))


def corners(browser: Browser, number: int) -> list[tuple[float, float]]:
    """What stands in a row's field, as fractions."""
    text = browser.run(f"return document.getElementById('corners-{number}').value")
    return [tuple(float(value) / 100 for value in each.split(",")) for each in text.split()]


def near(found: list[tuple[float, float]], wanted: list[tuple[float, float]]) -> bool:
    """Whether corners are where they were drawn, but for what a finger's pixel is worth."""
    return len(found) == len(wanted) and np.allclose(found, wanted, atol=0.02)


def tap(browser: Browser, selector: str) -> None:
    """Scroll there and click: above is the picture that stays, below the navigation."""
    browser.run(f"document.querySelector('{selector}').scrollIntoView({{block: 'center'}})")
    browser.click(selector)


def choose(browser: Browser, selector: str, value: str) -> None:
    """Choose from a list, as a finger does."""
    browser.run(f"const field = document.querySelector('{selector}'); field.value = '{value}';"
                "field.dispatchEvent(new Event('change', {bubbles: true}))")


@contextlib.contextmanager
def capture(config: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The real capture process; gone after it."""
    with log.open("ab") as told:
        process = subprocess.Popen([sys.executable, "-m", "agent.capture", "--config", str(config), "--network"],
                                   stderr=told)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


class Recorder:
    """A recorder of one camera that looks at real footage: capture, page, and root who changes the file."""

    def __init__(self, place: Path) -> None:
        self.place, self.config = place, place / "etc" / "taimat.toml"
        for folder in ("etc", "sys/class/video4linux", "dev"):
            (place / folder).mkdir(parents=True)
        film = footage.clip(320, 180, 10, 10, 300)
        house = Household(place, cameras=[], may_change=True)
        self.config.write_text(
            f'[store]\nfolder = "{house.folders.root}"\nruntime = "{house.runtime}"\nsync_every_s = 0.5\n'
            f'free_floor_pct = 1\nencrypt = "off"\n\n# Seen from the porch.\n[[camera]]\nname = "yard"\n'
            f'source = "file:{film}"\nloop = true\nmax_clip_s = 10\npre_roll_s = 1\npost_roll_s = 1\n')
        notice = NoticePlaces(place / "issue", place / "bell", place / "boot", place / "mounts")
        self.root = Setup(self.config, house.runtime, place / "sys", place / "dev", notice, SystemClock())

    def page(self, port: int | None = None) -> Household:
        """The web role by the file as it is now."""
        house = Household(self.place, cameras=load(self.config).camera, may_change=False)
        house.settings.web.port = port or house.port
        return house


def luma_of(clip: Path) -> np.ndarray:
    """The brightness of each picture of a clip."""
    with av.open(str(clip)) as file:
        return np.stack([frame.to_ndarray(format="gray") for frame in file.decode(video=0)])


def part(pictures: np.ndarray, box: tuple[float, float, float, float], inner: float = 0.03) -> np.ndarray:
    """What lies well within a part of the picture."""
    height, width = pictures.shape[-2:]
    left, top, right, bottom = box
    return pictures[..., int((top + inner) * height):int((bottom - inner) * height),
                    int((left + inner) * width):int((right - inner) * width)]


def watch_the_detector(browser: Browser) -> None:
    """Boxes over the picture, a line over time, and a sentence, as long as it is open."""
    tap(browser, "#watch summary")
    browser.until("document.querySelectorAll('#seen .counts').length > 0")
    browser.until("document.getElementById('now').textContent.includes('đang ghi một sự kiện')")
    browser.until("document.querySelector('#score .line').points.numberOfItems > 1")
    tap(browser, "#watch summary")
    browser.until("document.querySelectorAll('#seen *').length === 0")


def test_a_mask_drawn_is_black_in_the_next_clip_and_picture_and_a_zone_drawn_raises_its_event(tmp_path: Path):
    recorder = Recorder(tmp_path)
    with recorder.page() as house, Browser(mobile=True) as browser, \
            capture(recorder.config, tmp_path / "log") as process:
        browser.open(house.link())
        browser.open(house.url + HERE)
        browser.until("document.querySelector('video').currentTime > 0 && document.getElementById('watch')")
        watch_the_detector(browser)
        stage = Stage(browser)
        tap(browser, "[data-add=mask]")
        left, top, right, bottom = CORNER
        stage.draw((left, top), (0.2, 0.3), (right, bottom))                    # a diagonal: a rectangle
        assert near(corners(browser, 0), [(left, top), (right, top), (right, bottom), (left, bottom)])
        tap(browser, "[data-add=watch]")
        stage.draw((0.5, 0.1), (0.95, 0.1), (0.98, 0.6), (0.95, 0.98), (0.55, 0.98), (0.5, 0.5), (0.5, 0.12))
        drawn = corners(browser, 1)
        assert 4 <= len(drawn) <= 14 and min(x for x, _ in drawn) == pytest.approx(0.5, abs=0.02)
        browser.write("#name-1", "Lối đi")
        assert browser.run(SMALL_ON_PICTURE_PAGES) == [] and browser.run(SMALL_KNOBS) == 0 and not browser.run(TOO_WIDE)
        tap(browser, "button[value=save]")
        browser.until("document.querySelector('[role=alert] a[href=\"#hides\"]')")       # nobody said who hides
        assert browser.count("#area-1") == 1 and corners(browser, 1) == drawn
        tap(browser, "input[value=transcode]")
        tap(browser, "button[value=save]")
        browser.until("location.pathname === '/saving'")
        until(lambda: recorder.root.run() == 0 and load(recorder.config).camera[0].masks)
        assert "# Seen from the porch." in recorder.config.read_text()
        process.send_signal(signal.SIGHUP)                                      # as systemd's reload
        with contextlib.closing(connect(house.folders.root)) as db:
            now_ms = SystemClock().now().wall_ms
            event = until(lambda: next((each for each in events.latest(db) if each.zones == ["Lối đi"] and each.thumb
                                        and each.wall_ms > now_ms and each.clip), None))
            clip = clips.get(db, event.clip)
            seen = luma_of(house.folders.clip(clip.seq, clip.name))
            thumb = cv2.imread(str(house.folders.thumb(event.thumb)), cv2.IMREAD_GRAYSCALE)
        for pictures in (seen, thumb):
            assert part(pictures, CORNER).max() <= BLACK_MAX
            assert part(pictures, (0.5, 0.5, 1.0, 1.0)).mean() > 60
        port = house.port
    with recorder.page(port) as house, Browser(mobile=True) as browser:
        browser.open(house.link())
        browser.open(house.url + HERE)
        assert near(corners(browser, 0), [(left, top), (right, top), (right, bottom), (left, bottom)])
        assert "chỗ cần che phải đen" in browser.run("return document.querySelector('main').innerText")


def yard(tmp_path: Path, **keys) -> Household:
    return Household(tmp_path, cameras=[Camera(name="yard", source="rtsp://h/1", **keys)], may_change=True)


def test_with_a_keyboard_alone(tmp_path: Path):
    info, packets = movie(size=(240, 180))
    with yard(tmp_path) as house, Browser() as browser:
        cam = LiveCam(house.runtime, "yard", info, packets, FRAME_US)
        browser.open(house.link())
        browser.open(f"{house.url}{HERE}?lang=en")
        browser.until("document.querySelector('video').currentTime > 0")
        assert browser.run("return document.getElementById('drawing').getAttribute('viewBox')") == "0 0 240 180"
        browser.run("document.querySelector('[data-add=watch]').focus()")
        browser.press("ENTER")
        assert browser.run("return document.activeElement.dataset.corner") == "0"
        browser.press("ARROW_LEFT", "ARROW_LEFT", "ARROW_UP")
        assert corners(browser, 0)[0] == pytest.approx((0.33, 0.34))
        assert "corner 1: 33 % across, 34 % down" in browser.run("return document.getElementById('told').textContent")
        browser.press("ENTER")                                          # one more behind it
        assert len(corners(browser, 0)) == 5 and browser.run("return document.activeElement.dataset.corner") == "1"
        browser.press("DELETE")
        assert len(corners(browser, 0)) == 4
        browser.press("TAB", "ARROW_DOWN")
        moved = corners(browser, 0)
        browser.run("document.getElementById('undo').focus()")
        browser.press("ENTER")
        assert corners(browser, 0) != moved and len(corners(browser, 0)) == 4
        browser.write("#name-0", "Nhà")
        assert browser.run("return document.querySelector('.knob[data-corner=\"0\"]').ariaLabel") == (
            "Watched: Nhà, corner 1: 33 % across, 34 % down")
        browser.press("ENTER")                                          # as forms are sent
        browser.until("location.pathname === '/saving'")
        (change,) = until(house.carry_out)
        assert change.zone[0].name == "Nhà" and change.zone[0].area[0] == pytest.approx((0.33, 0.34))
        assert [each for each in browser.complaints() if "live" not in each] == []
        cam.close()


def test_corners_are_dragged_added_and_undone_by_touch(tmp_path: Path):
    with yard(tmp_path, masks=[[(0.2, 0.2), (0.6, 0.2), (0.6, 0.6), (0.2, 0.6)]], privacy_mask="camera") as house, \
            Browser(mobile=True) as browser:
        browser.open(house.link())
        browser.open(house.url + HERE)
        stage, before = Stage(browser), corners(browser, 0)
        unsaved = "return !document.getElementById('unsaved').hidden"
        assert not browser.run(unsaved)
        stage.draw((0.4, 0.4), (0.45, 0.5))                             # somebody who scrolls
        assert corners(browser, 0) == before
        tap(browser, ".shape")
        stage.draw((0.4, 0.4), (0.45, 0.5))                             # the whole area
        assert corners(browser, 0)[0] == pytest.approx((0.25, 0.3), abs=0.02) and browser.run(unsaved)
        stage.draw((0.25, 0.3), (0.1, 0.1))                             # one corner
        assert corners(browser, 0)[0] == pytest.approx((0.1, 0.1), abs=0.02)
        stage.draw((0.45, 0.7), (0.45, 0.9))                            # the middle of a side
        assert len(corners(browser, 0)) == 5
        tap(browser, "#drop")
        assert len(corners(browser, 0)) == 4
        for _ in range(4):
            tap(browser, "#undo")
        assert corners(browser, 0) == before and browser.run("return document.getElementById('undo').disabled")
        assert not browser.run(unsaved)
        tap(browser, "[data-add=cross]")
        stage.draw((0.1, 0.9), (0.5, 0.8), (0.9, 0.7))
        assert len(corners(browser, 1)) == 2 and browser.count(".way") == 2
        stage.draw((0.3, 0.78), (0.3, 0.68))                            # beside the line is near enough for a finger
        assert corners(browser, 1)[0] == pytest.approx((0.1, 0.8), abs=0.03)
        choose(browser, "#direction-1", "left")
        assert browser.count(".way") == 1
        tap(browser, "#area-1 [data-remove]")
        assert browser.count("#area-1") == 0


def test_the_last_day_is_tried_before_it_is_saved(tmp_path: Path):
    film = footage.clip(320, 180, 10, 10, 300, seconds=8)
    with yard(tmp_path) as house, Browser(mobile=True) as browser:
        with contextlib.closing(connect(house.folders.root)) as db:
            put_clip(house.folders, db, film, 3 * 3600)
        browser.open(house.link())
        browser.open(f"{house.url}{HERE}?lang=en")
        tap(browser, "[data-add=watch]")
        browser.run("document.getElementById('corners-0').value = '0,0 3,0 3,3 0,3'")
        browser.write("#name-0", "Corner")
        tap(browser, "button[value=try]")
        browser.until("document.getElementById('rehearsal')?.innerText.includes('these would find')")
        said = browser.run("return document.getElementById('rehearsal').innerText")
        assert "the present settings find 1 events; these would find 0." in said and "Would be missed: 1" in said
        browser.until("document.querySelector('.found-events img').naturalWidth === 320")
        assert corners(browser, 0) == [(0, 0), (0.03, 0), (0.03, 0.03), (0, 0.03)]      # what was drawn is still there
        assert not house.carry_out() and browser.run(SMALL_ON_PICTURE_PAGES) == [] and not browser.run(TOO_WIDE)
        tap(browser, "button[value=save]")
        browser.until("location.pathname === '/saving'")
        assert [change.zone[0].name for change in until(house.carry_out)] == ["Corner"]


def test_without_scripts_a_form_with_coordinates_does_it(tmp_path: Path):
    with yard(tmp_path) as house, Browser(scripts=False) as browser:
        browser.open(house.link())
        browser.open(f"{house.url}{HERE}?lang=en")
        browser.write("#corners-0", "10,20 60,20 60,80")
        tap(browser, "input[value=camera]")
        tap(browser, "button[value=save]")
        changes = until(house.carry_out)
        assert changes == [ChangeCamera(name="yard", masks=[[(0.1, 0.2), (0.6, 0.2), (0.6, 0.8)]],
                                        privacy_mask="camera")]
