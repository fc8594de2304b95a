"""A family and its ward, with everything real but systemd: a request comes, is looked at, approved, leaves, is
receipted and shown; then the family leaves, and the broker hears no more. On a phone, in Vietnamese.
"""
import contextlib
import hashlib
import io
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.config.load import load
from agent.core.contract.decisions import SOCKET
from agent.host.setup_folders import SetupFolders
from agent.privileged.setup.main import Setup
from agent.privileged.setup.notice import NoticePlaces
from agent.store.decisions import browsers
from agent.store.decisions import database as decisions
from tests.browser.measures import SMALL_TARGETS, TOO_WIDE
from tests.rigs.device.link_role import ROOT
from tests.rigs.house.webdriver import CHROMIUM, DRIVER, Browser
from tests.rigs.mqtt.broker import Broker
from tests.rigs.pki import Authority
from tests.rigs.wait import HANG_S, Stopwatch, accepts, free_port, until
from tests.rigs.ward.handover import DEV, House
from tests.rigs.ward.taking_back import WITHIN_S, busy, from_us, is_quiet
from tests.rigs.ward.tus import Tus

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine")

DIGEST = """
const bytes = await (await fetch(document.querySelector('.package video').src)).arrayBuffer();
const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
window.digest = [...digest].map(each => each.toString(16).padStart(2, '0')).join('');"""


class Family(House):
    """The house with its page, and with root."""

    def __init__(self, folder: Path, broker: Broker, tus: Tus) -> None:
        super().__init__(folder, broker, tus)
        self.port, config = free_port(), self.rig.config
        config.write_text(config.read_text().replace("[web]\nenabled = false", f"[web]\nport = {self.port}"))
        self.setup = SetupFolders.beside(self.rig.runtime)
        for each in (self.setup.asked, self.setup.told, folder / "sys/class/video4linux", folder / "dev"):
            each.mkdir(mode=0o700, parents=True)
        self._root = Setup(config, self.rig.runtime, folder / "sys", folder / "dev",
                           NoticePlaces(folder / "issue", folder / "bell", folder / "boot", folder / "mounts"),
                           self.rig.clock)
        self._page: subprocess.Popen[bytes] | None = None

    def start_page(self) -> None:
        """Waits for the keeper first: until it answers, the page rightly answers 503, which the console notes."""
        until(self._keeper_listens)
        with (self.rig.folder / "web.log").open("ab") as log:
            self._page = subprocess.Popen([sys.executable, "-m", "agent.web", "--config", self.rig.config], cwd=ROOT,
                                          stderr=log)
        until(lambda: accepts(self.port))

    def _keeper_listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.rig.runtime / SOCKET)) == 0

    def stop_page(self) -> None:
        assert self._page
        self._page.terminate()
        self._page.wait(HANG_S)

    def link(self) -> str:
        """An address that lets a browser in."""
        with contextlib.closing(decisions.connect(self.folders)) as own:
            return f"http://localhost:{self.port}/enter/{browsers.make_link(own, self.rig.clock.now())}"

    def carry_out(self) -> None:
        """As root, and as systemd with all units that read something else now."""
        assert self._root.run() == 0
        self.kill_keeper()
        self.stop_page()
        self.rig.stop()
        self.rig.start()
        self.start_keeper()
        self.start_page()

    def __exit__(self, *error: object) -> None:
        self.stop_page()
        super().__exit__(*error)


@pytest.fixture
def family(tmp_path: Path, broker: Broker) -> Iterator[Family]:
    with Tus(Authority(tmp_path / "pki", "ward")) as tus, Family(tmp_path / "house", broker, tus) as family:
        family.start_page()
        yield family


def tap(browser: Browser, selector: str) -> None:
    """Click where a thumb would: not below the navigation."""
    browser.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", selector)
    browser.click(selector)


def at(browser: Browser, path: str) -> None:
    """Wait for that page, and look whether it fits a phone and fingers."""
    browser.until(f"location.pathname === '{path}' && document.readyState === 'complete'")
    assert browser.run(SMALL_TARGETS) == [] and not browser.run(TOO_WIDE)


def test_a_request_is_looked_at_leaves_and_is_receipted_and_then_the_family_leaves(family, broker, tmp_path,
                                                                                  record_property):
    with Browser(mobile=True) as browser:
        browser.open(family.link())
        order = family.clip(purpose="missing-person")
        family.hears(order, "waiting_consent")
        alert = "a.alert[href='/sharing']"
        until(lambda: (browser.open(f"http://localhost:{family.port}/"),
                       browser.run("return document.querySelector(arguments[0]) !== null", alert))[1], "the page asks")
        tap(browser, alert)
        at(browser, "/sharing")
        shown = browser.run("return document.querySelector('main').innerText")
        for said in ("Trần Văn B", "Người mất tích", "Nhà bạn đang tham gia với phường w07", "Báo tình trạng máy"):
            assert said in shown
        tap(browser, "a[href$='/approve']")
        at(browser, f"/requests/{family.request(order).n}/approve")
        shown = browser.run("return document.querySelector('main').innerText")
        for said in ("W07-2026-0093", "127.0.0.1", "trên máy mà máy nhà bạn vẫn báo tin tới", "Đúng những gì"):
            assert said in shown
        browser.run("document.querySelector('.package video').muted = true;"
                    "document.querySelector('.package video').play()")
        browser.until("document.querySelector('.package video').currentTime > 0")
        browser.run(f"(async () => {{{DIGEST}}})()")
        browser.until("window.digest")
        looked_at = browser.run("return window.digest")
        assert family.request(order).state == "waiting"
        tap(browser, "button[value=approve]")
        at(browser, "/requests")
        family.hears(order, "done")
        with tarfile.open(fileobj=io.BytesIO(family.tus.uploads[order].data)) as tar:
            film = next(each for each in tar.getmembers() if each.name.endswith(".mp4"))
            assert hashlib.sha256(tar.extractfile(film).read()).hexdigest() == looked_at, "what was played is what left"
        browser.open(f"http://localhost:{family.port}/sharing")
        tap(browser, ".request summary")
        shown = browser.run("return document.querySelector('main').innerText")
        assert "biên nhận đúng" in shown and family.request(order).sha256 in shown and "trên trang này" in shown
        at(browser, "/sharing")

        tap(browser, "a[href='/sharing/leave']")
        at(browser, "/sharing/leave")
        with busy(family):
            told_n = len(family.ward.events())
            until(lambda: len(family.ward.events()) > told_n + 5, "things happen")
            with Stopwatch() as watch:
                tap(browser, "form[action='/sharing/leave'] button")
                until(lambda: f"Received DISCONNECT from {DEV}" in broker.log.read_text())
            assert watch.fair_s < WITHIN_S and load(family.rig.config).ward.enabled, "root has not even begun"
            record_property("tap_to_last_byte_s", watch.wall_s)
            assert is_quiet(family, lambda: from_us(broker))
        at(browser, "/saving")
        family.carry_out()
        at(browser, "/sharing")
        browser.until("document.body.innerText.includes('Nhà bạn chưa tham gia với phường w07')")
        assert not load(family.rig.config).ward.enabled and family.ward.last("/status")["why"] == "consent_withdrawn"
        assert [each for each in browser.complaints() if "ERR_" not in each and "/live/" not in each] == []
