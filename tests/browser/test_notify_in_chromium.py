"""A phone is added under a thumb, in Vietnamese: root writes it down; a trial arrives there, then a picture."""
from pathlib import Path

import pytest

from agent.config.load import load
from agent.privileged.setup.main import Setup
from agent.privileged.setup.notice import NoticePlaces
from tests.browser.measures import at
from tests.rigs.house.household import Household, happen
from tests.rigs.house.notifications import Ntfy, telling
from tests.rigs.house.webdriver import CHROMIUM, DRIVER, Browser
from tests.rigs.wait import until

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine")

OWN = '[[camera]]\nname = "gate"\ntitle = "Cổng trước"\nsource = "file:/gate.mp4"\n'
LIST, FORM = "/settings/notify", "/settings/notify/0"


def house_of(tmp_path: Path, config: Path, port: int | None = None) -> Household:
    """The page, as it starts with that file."""
    said = load(config)
    house = Household(tmp_path, cameras=said.camera, may_change=port is None)
    house.settings.notify, house.settings.web.port = said.notify, port or house.port
    return house


def test_a_phone_is_added_tried_and_gets_the_picture_of_an_event(tmp_path: Path):
    pytest.importorskip("apprise")
    config, nowhere = tmp_path / "taimat.toml", tmp_path / "nowhere"
    config.write_text(OWN)
    with Browser(mobile=True) as browser, Ntfy() as ntfy:
        with house_of(tmp_path, config) as house:
            port = house.port
            browser.open(house.link())
            at(browser, "/setup")
            browser.open(f"{house.url}{LIST}")
            at(browser, LIST)
            browser.click(f"a[href='{FORM}']")
            at(browser, FORM)
            browser.write("#name", "Điện thoại Mai")
            browser.write("#url", ntfy.url)
            browser.run("document.querySelector('[name=pictures]').click()")
            browser.run("document.querySelector('button.strong').click()")
            at(browser, "/saving")
            until(house.setup.waiting_n)
            Setup(config, tmp_path / "run", nowhere, nowhere, NoticePlaces(*[nowhere] * 4)).run()
        with house_of(tmp_path, config, port) as house, \
                telling(house.settings, house.folders, house.runtime, house.clock):
            at(browser, LIST)
            browser.click("form[action='/settings/notify/try'] button")
            browser.until("document.querySelector('#notify-trial .good')")
            assert "right-horse" not in browser.run("return document.documentElement.outerHTML")
            event = happen(house.folders, house.clock.now(), zones=["lối đi"])
            until(lambda: len(ntfy.arrived) == 2)
        trial, told = ntfy.arrived
        assert trial.title == "Thông báo thử" and not trial.file
        assert told.title == "Chuyển động ở Cổng trước" and "vùng lối đi" in told.message
        (thumb,) = house.folders.thumbs.glob(f"*-{event}.jpg")
        assert told.file == thumb.read_bytes()
        assert [each for each in browser.complaints() if "ERR_CONNECTION_REFUSED" not in each] == []
