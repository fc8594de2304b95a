"""The settings on a phone, in Vietnamese: root changes the owner's file, and the page comes back with what it says."""
from pathlib import Path

import pytest

from agent.config.load import load
from agent.privileged.setup.main import Setup
from agent.privileged.setup.notice import NoticePlaces
from tests.browser.measures import at
from tests.rigs.house.household import Household
from tests.rigs.house.webdriver import CHROMIUM, DRIVER, Browser
from tests.rigs.wait import until

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine")

OWN = """\
# Máy nhà bà Sáu, gắn 12/3
[device]
language = "vi"     # bà không đọc tiếng Anh

# Cổng: chú Ba gắn
[[camera]]
name = "gate"       # cổng
title = "Cổng trước"
source = "rtsp://me:geheim@192.168.1.20/1"

[store]
keep_days = 10      # thẻ 64 GB
"""


def house_of(tmp_path: Path, config: Path, port: int | None = None) -> Household:
    """The page, as it starts with that file."""
    said = load(config)
    house = Household(tmp_path, cameras=said.camera, may_change=port is None)
    house.settings.device, house.settings.web.port = said.device, port or house.port
    house.settings.store.keep_days = said.store.keep_days
    return house


def root(tmp_path: Path, config: Path) -> Setup:
    """Root's helper; no systemd answers it here."""
    nowhere = tmp_path / "nowhere"
    notice = NoticePlaces(nowhere, nowhere, nowhere, nowhere)
    return Setup(config, tmp_path / "run", nowhere, nowhere, notice)


def test_hours_and_days_are_set_and_put_back_and_the_owner_s_comments_stay(tmp_path: Path):
    config = tmp_path / "taimat.toml"
    config.write_text(OWN)
    with Browser(mobile=True) as browser:
        with house_of(tmp_path, config) as house:
            port = house.port
            browser.open(house.link())
            at(browser, "/setup")
            browser.open(f"{house.url}/settings")
            at(browser, "/settings")
            browser.click("a[href='/settings/recording/gate']")
            at(browser, "/settings/recording/gate")
            browser.run("document.querySelector('[name=record][value=both]').click()")
            for day in ("sat", "sun"):
                browser.run(f"document.querySelector('[name=day-{day}]').click()")
            for field, time in (("begin", "22:00"), ("end", "06:00")):
                browser.run(f"document.querySelector('#{field}').value = '{time}'")
            browser.run("document.querySelector('button.strong').click()")
            at(browser, "/saving")
            until(lambda: house.setup.waiting_n())
            root(tmp_path, config).run()
        camera = load(config).camera[0]
        assert (camera.record, camera.off) == ("both", ["Sat,Sun 22:00-06:00"])
        with house_of(tmp_path, config, port):          # systemd has started the page anew
            at(browser, "/settings")
            told = browser.run("return document.querySelector('main').textContent")
            assert "Luôn ghi" in told and "22:00-06:00" in told
            assert "Đã đổi Cổng trước" in told
            browser.run("document.querySelector('form[action=\"/settings/undo\"] button').click()")
            at(browser, "/saving")
            until(lambda: house.setup.waiting_n())
            root(tmp_path, config).run()
        assert config.read_text() == OWN
        with house_of(tmp_path, config, port):
            at(browser, "/settings")
            assert "Đã trả lại thay đổi trước" in browser.run("return document.querySelector('main').textContent")
        assert [each for each in browser.complaints() if "ERR_CONNECTION_REFUSED" not in each] == []
