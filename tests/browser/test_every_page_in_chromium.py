"""Every page, judged by axe-core: in Vietnamese on a phone, in English at a desk, in the light and in the dark; narrow;
by keys.

A page that is new is added to PAGES, or to OF_MEMBERS if it is another once a household has joined its ward.
"""
from collections.abc import Iterator

import pytest

from agent.config.settings import Camera, Notify, Sharing, Ward
from agent.core.contract.facts import CameraFacts
from agent.core.media.model import Box
from tests.browser.measures import AXE, JUDGE, OFF_SCREEN, shape
from tests.rigs.cameras.h264 import movie
from tests.rigs.cameras.live_camera import LiveCam
from tests.rigs.house.household import FRAME_US, Household, happen, name_some
from tests.rigs.house.month import live_through
from tests.rigs.house.node_packages import installed
from tests.rigs.house.webdriver import CHROMIUM, DRIVER, Browser
from tests.rigs.wait import until

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine")

PAGES = ("/", "/recordings", "/recordings/month", "/recordings/kept", "/live/gate", "/events/1", "/handout", "/sharing",
         "/requests", "/health", "/health/month", "/notice", "/notice?ask=B%C3%A0%20S%C3%A1u", "/cameras",
         "/cameras/gate", "/cameras/gate/picture", "/settings", "/settings/recording/gate", "/settings/retention",
         "/settings/device", "/settings/afar", "/settings/home", "/settings/notify", "/settings/notify/0",
         "/settings/notify/1", "/browsers", "/pair", "/setup", "/setup/name", "/setup/cameras", "/setup/sharing",
         "/setup/done", "/offline", "/nowhere")
OF_MEMBERS = ("/sharing", "/sharing/leave", "/cameras/yard/picture", "/cameras/yard/picture?hint")
SIZES = {"phone": (390, 844), "desk": (1280, 900)}
NARROW = (320, 640)
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}        # what the dark changes
OPEN_ALL = "for (const each of document.querySelectorAll('details')) each.open = true"
REACHABLE = """const seen = each => each.checkVisibility() && !each.closest('[popover]:not(:popover-open)');
window.wanted = [...document.querySelectorAll('a[href], button, summary, select, input:not([type=hidden])')]
  .filter(each => seen(each) && each.tabIndex >= 0 && !each.disabled && !each.matches('[type=radio]:not(:checked)'));
return wanted.length"""
FOCUSED = """const now = document.activeElement, box = now.getBoundingClientRect();
if (now === document.body) return null;
const style = getComputedStyle(now), parent = now.closest('label') ?? now;
const there = document.elementFromPoint(Math.max(1, Math.min(innerWidth - 1, box.left + box.width / 2)),
                                        Math.max(1, Math.min(innerHeight - 1, box.top + box.height / 2)));
return {n: wanted.indexOf(now), html: now.outerHTML.slice(0, 120),
  ring: style.outlineStyle !== 'none' || getComputedStyle(parent).outlineStyle !== 'none' ||
        getComputedStyle(now.nextElementSibling ?? now).outlineStyle !== 'none',
  covered: !(parent.contains(there) || there?.contains(now))}"""


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Iterator[Household]:
    """Two cameras, of which one sends; events, one of which goes on; settings may be changed."""
    house = Household(tmp_path_factory.mktemp("house"), may_change=True, title="Nhà bà Sáu", cameras=[
        Camera(name="gate", title="Cổng trước", source="file:/gate.mp4", off=["Mon 07:00-17:00"]),
        Camera(name="yard", title="Sân sau", source="file:/yard.mp4")])
    house.settings.notify = [Notify(name="Điện thoại Mai", url_file="/none", cameras=["gate"], quiet=["22:00-06:00"])]
    for camera in ("gate", "yard"):
        happen(house.folders, house.clock.now(), camera, zones=["cổng"])
    happen(house.folders, house.clock.now(), "gate", done=False)
    live_through(house.folders, house.clock.now())
    info, packets = movie()
    with house:
        cam = LiveCam(house.runtime, "gate", info, packets, FRAME_US)
        house.beat(CameraFacts(camera="gate", state="ok", recording=True, last_frame_age_s=0.1, width=320, height=180))
        yield house
        cam.close()


@pytest.fixture(scope="module")
def members(tmp_path_factory) -> Iterator[Household]:
    """They tell their ward of people alone; all day leaves move in a corner of their yard."""
    yard = Camera(name="yard", title="Sân sau", source="file:/yard.mp4")
    house = Household(tmp_path_factory.mktemp("members"), may_change=True, cameras=[yard])
    house.settings.ward = Ward(enabled=True, ward="w07", host="broker.w07.example.invalid")
    house.settings.sharing = Sharing(events="people")
    house.agree()
    name_some(house.folders, yard, "nothing", Box(0.02, 0.05, 0.2, 0.2), 31)
    with house:
        yield house


@pytest.fixture(scope="module")
def browser(house, members) -> Iterator[Browser]:
    """It has the keys of both houses, under a name each: cookies know no ports."""
    with Browser() as browser:
        browser.open(house.link())
        browser.open(by_name(members.link()))
        yield browser


@pytest.fixture
def pages(house, members) -> list[str]:
    """Every page's address."""
    return [*(f"{house.url}{path}" for path in PAGES), *(by_name(f"{members.url}{path}") for path in OF_MEMBERS)]


def by_name(address: str) -> str:
    """The same address by the machine's name."""
    return address.replace("127.0.0.1", "localhost")


def in_language(page: str, language: str) -> str:
    """The page's address in that language."""
    return f"{page}{'&' if '?' in page else '?'}lang={language}"


def press(browser: Browser, key: str) -> None:
    """One key, down and up."""
    code = {"Tab": 9, "Enter": 13}[key]
    text = {"text": "\r"} if key == "Enter" else {}
    browser.command("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text)
    browser.command("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)


@pytest.fixture
def axe(browser) -> Iterator[None]:
    """Each page has axe-core from its beginning."""
    source = (installed("axe", AXE) / "node_modules" / "axe-core" / "axe.min.js").read_text()
    known = browser.command("Page.addScriptToEvaluateOnNewDocument", source=source)
    yield
    browser.command("Page.removeScriptToEvaluateOnNewDocument", **known)


@pytest.mark.parametrize(("language", "size"), [("vi", "phone"), ("en", "desk")])
def test_axe_finds_nothing_serious_nothing_runs_off_a_narrow_screen_and_keys_reach_all(house, pages, axe, browser,
                                                                                       language: str, size: str):
    """The dark and the keys are the same in each language: a page is opened for them once."""
    shape(browser, *SIZES[size])
    browser.open(f"{house.url}/pair")
    browser.run("document.querySelector('.code').style.color = '#eee'")
    assert any(each.startswith("color-contrast: ") for each in browser.run(JUDGE))         # it does look
    found = []
    for page in pages:
        browser.open(in_language(page, language))
        if size == "phone":
            found += [f"{page}: {each}" for each in out_of_reach(browser)]
        browser.run(OPEN_ALL)
        found += [f"{page}: {each}" for each in browser.run(JUDGE)]
        if size == "phone":
            shape(browser, *SIZES[size], dark=True)
            found += [f"{page} dark: {each}" for each in browser.run(JUDGE, COLOURS)]
        shape(browser, *NARROW)
        found += [f"{page} runs off a narrow screen: {each}" for each in browser.run(OFF_SCREEN) or ()]
        shape(browser, *SIZES[size])
    assert not found, "\n".join(found)


def out_of_reach(browser: Browser) -> list[str]:
    """What on this page keys do not reach, or reach without its being seen."""
    browser.run("document.activeElement?.blur()")
    wanted_n, reached = browser.run(REACHABLE), set()
    for _ in range(wanted_n + 40):                  # videos and dates have several stops each
        if len(reached) == wanted_n:
            return []
        press(browser, "Tab")
        focused = browser.run(FOCUSED)
        if focused is not None and focused["n"] >= 0:
            if not focused["ring"] or focused["covered"]:
                return [f"keys lead where it is not seen: {focused}"]
            reached.add(focused["n"])
    return [] if len(reached) == wanted_n else [f"keys do not reach {set(range(wanted_n)) - reached}"]


def test_the_whole_way_by_keys(house, browser):
    shape(browser, *SIZES["desk"])
    browser.open(f"{house.url}/")
    browser.run("document.querySelector('.places a[href=\"/recordings\"]').focus()")
    press(browser, "Enter")
    browser.until("location.pathname === '/recordings'")
    browser.run("document.querySelector('.places a[href=\"/\"]').focus()")
    press(browser, "Enter")
    browser.until("location.pathname === '/'")
    browser.run("document.querySelector('a.event[href=\"/events/1\"]').focus()")
    press(browser, "Enter")
    browser.until("location.pathname === '/events/1' && document.querySelector('video')?.readyState >= 2")
    until(lambda: browser.run("return document.querySelector('video').currentTime") > 1, "it plays")
