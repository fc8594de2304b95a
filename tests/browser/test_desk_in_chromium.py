"""The ward's desk in a browser: every page judged, on a phone and at a desk, and a list that renews itself."""
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sql

from agent.ward import database
from agent.ward.authority.findings import bad, note
from agent.ward.authority.places import Places
from agent.ward.device_cache import DeviceCache
from tests.browser.measures import AXE, JUDGE, OFF_SCREEN, shape
from tests.rigs.house.node_packages import installed
from tests.rigs.house.webdriver import CHROMIUM, DRIVER, Browser
from tests.rigs.ward.answering_device import DEV
from tests.rigs.ward.desk import ENROLLED, PLACE, SICK, DeskWard, report, ward_with_desk
from tests.rigs.ward.officers import PERSON, Tunnel
from tests.rigs.ward.proxy import MISSING

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER) or bool(MISSING), reason=f"no chromium, or {MISSING}")

PAGES = ("/", f"/devices/{DEV}", f"/devices/{SICK}", f"/devices/{ENROLLED}", f"/devices/{PLACE}", "/?pick=1",
         "/?q=nobody", "/requests", f"/requests/new?dev={DEV}", "/ward", "/nowhere")
FOUND = bad("backup", "backup_old", day="2026-11-25", look="/srv/backup, journalctl -u ward-taimat-backup")
SIZES = {"phone": (360, 740), "desk": (1280, 900)}


@pytest.fixture(scope="module")
def ward(tmp_path_factory) -> Iterator[DeskWard]:
    with ward_with_desk(tmp_path_factory.mktemp("ward")) as ward:
        note(Places(ward.folder, ward.folder / "authority", ward.folder), [FOUND], datetime.now(UTC))
        yield ward


@pytest.fixture(scope="module")
def url(ward) -> Iterator[str]:
    """The desk, with an officer's certificate shown."""
    with Tunnel(ward.desk, ward.desk.officer().certificate) as tunnel:
        yield tunnel.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.mark.parametrize(("language", "size"), [("vi", "phone"), ("en", "desk")])
def test_axe_finds_nothing_serious_and_nothing_runs_off_the_screen(url, browser, language: str, size: str):
    axe = (installed("axe", AXE) / "node_modules" / "axe-core" / "axe.min.js").read_text()
    found = []
    for path in PAGES:
        shape(browser, *SIZES[size])
        browser.open(f"{url}{path}{'&' if '?' in path else '?'}lang={language}")
        browser.run(f"{axe}; window.axe = axe")
        for dark in (False, True):
            shape(browser, *SIZES[size], dark)
            found += [f"{path}{' dark' if dark else ''}: {each}" for each in browser.run(JUDGE)]
        assert not browser.run(OFF_SCREEN), path
    assert not found, "\n".join(found)
    assert not [each for each in browser.complaints() if "nowhere" not in each]


def test_a_row_turns_green_by_itself_and_the_others_stay_where_they_are(ward, url, browser):
    browser.open(f"{url}/?lang=en&q=HH-8")
    assert browser.count(f"#row-{SICK} .green") == 0
    browser.run("window.kept = document.querySelector('.rows'); window.here = true")
    cache = DeviceCache(ward.engine)
    report(cache, SICK, "HH-8")
    cache.commit()
    browser.until(f"document.querySelector('#row-{SICK} .device.green') !== null")
    assert browser.run("return window.here === true && kept.isConnected"), "neither page nor list were made anew"
    cache = DeviceCache(ward.engine)
    report(cache, SICK, "HH-8", clock="unset")
    cache.commit()


def test_an_officer_asks_by_keys_alone(ward, url, browser):
    shape(browser, *SIZES["desk"])
    browser.open(f"{url}/requests?lang=en")
    browser.run("document.querySelector('a[href=\"/requests/new\"]').focus()")
    browser.press("ENTER")
    browser.until("location.search === '?pick=1'")
    browser.run(f"document.querySelector('a[href=\"/requests/new?dev={DEV}\"]').focus()")
    browser.press("ENTER")
    browser.until("location.pathname === '/requests/new'")
    assert PERSON in browser.run("return document.querySelector('main').textContent")
    for name, text in (("case", "W07/2026-0095"), ("purpose", "theft"), ("basis", "BLTTHS 2015")):
        browser.write(f"#{name}", text)
    browser.press("ENTER")
    browser.until("location.pathname.startsWith('/requests/0')")
    own = database.request.c
    with ward.engine.connect() as db:
        known = db.execute(sql.select(own.case_no, own.officer, own.cam).order_by(own.made_ms.desc())).first()
    assert tuple(known) == ("W07/2026-0095", PERSON, "gate")
