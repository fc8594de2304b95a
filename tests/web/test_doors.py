"""The sockets that systemd hands to the page: 443 is the page, 80 leads there, and what is not wanted hangs up."""
import contextlib
import http.client
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.host.runtime import page_port
from tests.rigs.house.webdriver import CHROMIUM, DRIVER, Browser
from tests.rigs.wait import HANG_S, free_port, until

# As systemd does it: the sockets from 3 on, and the process's own number in LISTEN_PID.
HAND_OVER = """
import os, sys
names = sys.argv[1].split(":")
for number, fd in enumerate(map(int, sys.argv[2].split(":")), 10):
    os.dup2(fd, number)
for number in range(len(names)):
    os.dup2(10 + number, 3 + number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(names)), LISTEN_FDNAMES=sys.argv[1])
os.execv(sys.executable, [sys.executable, "-m", "agent.web", "--config", sys.argv[3]])
"""
Start = Callable[..., tuple[int, int]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the page with both sockets; returns the ports that stand for 443 and 80."""
    with contextlib.ExitStack() as ends:
        def started(web: str, device: str = "", ready: bool = True) -> tuple[int, int]:
            port, config = free_port(), tmp_path / "taimat.toml"
            config.write_text(f'[device]\n{device}\n[store]\nfolder = "{tmp_path}/store"\n'
                              f'runtime = "{tmp_path}/run"\n[web]\n{web}\nport = {port}\n')
            doors = [ends.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
            fds = [door.fileno() for door in doors]
            process = subprocess.Popen([sys.executable, "-c", HAND_OVER, "https:http", ":".join(map(str, fds)), config],
                                       pass_fds=fds, stderr=subprocess.DEVNULL)
            ends.callback(process.wait, HANG_S)
            ends.callback(process.terminate)
            if ready:
                until(lambda: is_open(port))
            return doors[0].getsockname()[1], doors[1].getsockname()[1]

        yield started


def is_open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), HANG_S):
        return True
    return False


def ask(port: int, path: str, encrypted: bool, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    line = (http.client.HTTPSConnection("127.0.0.1", port, timeout=HANG_S, context=ssl._create_unverified_context())
            if encrypted else http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S))
    line.request(method, path, "" if method == "POST" else None, headers)
    answer = line.getresponse()
    answer.read()
    line.close()
    return answer


def said(port: int, path: str, **headers: str) -> str:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)) as line:
        line.request("GET", path, None, headers)
        return line.getresponse().read().decode()


def hangs_up(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), HANG_S) as line:
        return line.recv(1) == b""


def test_443_is_the_page_and_80_leads_there(start: Start, tmp_path: Path):
    https, http_port = start('listen = "0.0.0.0"')
    assert ask(https, "/pair", True, Host="taimat.local").status == 200
    assert ask(https, "/recordings", True, Host="192.168.1.7").status == 401
    for encrypted in (False, True):
        for path in ("/", "/pair?next=%2Fevents", "/static/page.js", "/nothing"):
            answer = ask(http_port, path, encrypted, Host=f"taimat.local:{http_port}")
            assert (answer.status, answer.getheader("location")) == (308, f"https://taimat.local:{https}{path}")
    assert ask(http_port, "/x", False, Host="[fd00::7]").getheader("location") == f"https://[fd00::7]:{https}/x"
    assert ask(http_port, "/static/page.css", False, Host="taimat.local").status == 200
    assert ask(http_port, "/pair", False, "POST", Host="taimat.local").status == 308
    assert ask(http_port, "/", False, Host="[x").status == 400
    assert page_port(tmp_path / "run", 8088) == https


def test_a_browser_is_told_once_what_it_is_going_to_warn_of(start: Start):
    https, http_port = start('listen = "0.0.0.0"', 'site = "HH-07"')
    page = {"Host": "taimat.local", "Accept": "text/html,*/*"}
    told = said(http_port, "/recordings?lang=en", **page)
    assert f'href="https://taimat.local:{https}/recordings?lang=en"' in told and "A warning comes next" in told
    assert "HH-07" not in told and "page.js" not in told
    cookie = ask(https, "/pair", True, **page).getheader("set-cookie")
    assert cookie.startswith("seen=1;") and "secure" not in cookie.lower()
    assert ask(http_port, "/", False, Cookie="seen=1", **page).status == 308
    assert "<b>" not in said(http_port, "/x?<b>", **page)


@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on this machine")
def test_the_code_in_a_label_s_qr_comes_through_the_warning_into_the_form(start: Start):
    https, http_port = start('listen = "0.0.0.0"')
    with Browser(mobile=True, any_certificate=True) as browser:
        browser.open(f"http://127.0.0.1:{http_port}/#7K3M-9QRT")
        browser.click("a.language")
        browser.until("location.search === '?lang=en' && document.querySelector('a.button')?.hash === '#7K3M-9QRT'")
        browser.click("a.button.strong")
        browser.until("document.querySelector('#code')?.value === '7K3M-9QRT'")
        assert browser.run("return [location.port, location.pathname, location.hash]") == [str(https), "/pair", ""]
        browser.open(f"https://127.0.0.1:{https}/pair#<script>")
        browser.until("document.readyState === 'complete'")
        assert browser.run("return document.querySelector('#code').value") == ""


def test_a_page_for_this_machine_alone_hangs_up_on_the_network(start: Start, tmp_path: Path):
    https, http_port = start('listen = "127.0.0.1"')
    assert hangs_up(https) and hangs_up(http_port)
    assert page_port(tmp_path / "run", 8088) not in (https, http_port)


def test_a_page_that_is_switched_off_hangs_up(start: Start):
    https, http_port = start("enabled = false", ready=False)
    assert hangs_up(https) and hangs_up(http_port)


def test_a_page_in_the_clear_is_at_80(start: Start, tmp_path: Path):
    https, http_port = start('listen = "0.0.0.0"\ntls = false')
    assert hangs_up(https) and ask(http_port, "/pair", False, Host="taimat.local").status == 200
    assert page_port(tmp_path / "run", 8088) == http_port


def test_what_was_handed_to_another_process_is_left_alone(tmp_path: Path):
    code = ("from agent.host.systemd import handed_sockets; import os; "
            "print(handed_sockets(), os.environ.get('LISTEN_FDS'))")
    told = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "https"}
    said = subprocess.run([sys.executable, "-c", code], env=os.environ | told, capture_output=True, text=True)
    assert said.stdout == "{} None\n"
