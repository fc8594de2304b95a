"""The ward's requests under a thumb: from the home page's notice to an answer, and back from it."""
from collections.abc import Iterator

import pytest

from agent.config.settings import Ward
from agent.host.clock import SystemClock
from agent.store import requests
from agent.store.database import connect
from tests.browser.test_page_in_chromium import SMALL_TARGETS
from tests.rigs.household import Household, happen
from tests.rigs.webdriver import CHROMIUM, DRIVER, Browser
from tests.rigs.wishes import ask

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine")


@pytest.fixture
def house(tmp_path) -> Iterator[Household]:
    house = Household(tmp_path)
    house.settings.ward = Ward(enabled=True)
    with house:
        yield house


def test_three_taps_from_the_notice_to_the_answer(house, tmp_path):
    now, db = SystemClock().now(), connect(house.folders.root)
    happen(house.folders, now)
    asked = ask(db, begin_ms=now.wall_ms - 60_000, end_ms=now.wall_ms + 60_000)
    with Browser(tmp_path / "profile", mobile=True) as browser:
        browser.open(house.link())
        browser.click("a.alert[href='/requests']")
        browser.until("location.pathname === '/requests'")
        assert browser.run("return document.querySelector('main').scrollWidth <= window.innerWidth")
        assert browser.run(SMALL_TARGETS) == []
        browser.click("a[href$='/approve']")
        browser.until("location.pathname.endsWith('/approve')")
        assert browser.run("return document.querySelector('main').scrollWidth <= window.innerWidth")
        assert browser.run(SMALL_TARGETS) == []
        browser.click("button[value='approve']")
        browser.until("document.querySelector('details.request')")
        assert requests.find(db, asked.id).state == "approved"
        browser.click("details.request summary")
        browser.click("details.request button[value='refuse']")
        browser.until("document.querySelector('details.request').innerText.includes('Đã từ chối')")
        assert requests.find(db, asked.id).state == "refused"
        assert all("/live/" in line for line in browser.complaints()), "nothing but that no camera runs here"
    db.close()
