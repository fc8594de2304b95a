"""The notice on paper: one sheet of A4 with nothing of the page around it, and a code that a phone's camera reads."""
import base64
import re

import cv2
import numpy as np
import pytest

from agent.config.settings import Camera
from tests.rigs.house.household import Household
from tests.rigs.house.webdriver import CHROMIUM, DRIVER, Browser

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine")

A4_PX = {"width": 794, "height": 1123}
NAMES = ("Cổng trước", "Sân sau", "Phòng khách nhìn ra vườn", "Lối đi bên hông nhà", "Nhà để xe", "Mái hiên")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_it_fits_on_one_sheet_and_its_code_says_what_stands_on_it(tmp_path, language: str):
    house = Household(tmp_path / "house", title="Nhà bà Sáu, 12 đường Trần Phú", cameras=[
        Camera(name=f"c{n}", title=name, source=f"file:/{n}.mp4") for n, name in enumerate(NAMES)])
    with house, Browser(dark=True) as browser:
        browser.open(house.link())
        browser.open(f"{house.url}/notice?ask=B%C3%A0%20S%C3%A1u%200901%20234%20567&lang={language}")
        pdf = base64.b64decode(browser.command("Page.printToPDF", preferCSSPageSize=True)["data"])
        assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
        browser.command("Emulation.setDeviceMetricsOverride", deviceScaleFactor=2, mobile=False, **A4_PX)
        browser.command("Emulation.setEmulatedMedia", media="print")
        for gone in (".top", ".places", ".unprinted"):
            assert not browser.run(f"return document.querySelector('{gone}').checkVisibility()"), gone
        shot = base64.b64decode(browser.command("Page.captureScreenshot", format="png")["data"])
        picture = cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert (picture > 250).mean() > 0.7             # white paper, in the dark too
        read, *_ = cv2.QRCodeDetector().detectAndDecode(picture)
        stands = browser.run("return document.querySelector('.sheet-paper').innerText")
        assert len(read.splitlines()) == 7 and "0901 234 567" in read
        assert all(said.partition(": ")[2] in stands for said in read.splitlines()[1:]), read
        assert read.splitlines()[0] in stands


def test_the_button_prints(tmp_path):
    house = Household(tmp_path / "house")
    with house, Browser() as browser:
        browser.open(house.link())
        browser.open(f"{house.url}/notice")
        browser.run("window.print = () => { window.printed = true }")
        browser.click("[data-print]")
        assert browser.run("return window.printed") is True
