"""A page that nobody has visited for long becomes a porter that takes 4 MB, and the next visitor gets the page."""
import ast
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from agent.config.derived import units
from agent.config.settings import Home, Settings
from agent.core.contract.facts import Beat, Poke
from agent.host import runtime
from agent.host.datagram import Inbox
from agent.web.server.sleep import PORTER, Quiet, may_sleep
from tests.conftest import HandClock
from tests.rigs.wait import HANG_S, free_port, until

PAGE = """
import os, socket, sys
from functools import partial
from agent.host.systemd import hand_on
from agent.process import role
from agent.web.main import serve
if "LISTEN_FDS" not in os.environ:              # else it has woken
    hand_on({name: socket.socket(fileno=int(os.environ[name])) for name in ("https", "http")})
sys.exit(role.main("web", partial(serve, quiet_s=0.5)))
"""
PORTER_KB_MAX = 4_000


def answers(port: int, scheme: str = "http") -> bool:
    unknown = ssl._create_unverified_context()
    with urllib.request.urlopen(f"{scheme}://localhost:{port}/pair", timeout=HANG_S, context=unknown) as answer:
        return answer.status == 200


class Sleeper:
    """The page as a unit of systemd, which falls asleep after half a second, and what others hear of it."""

    def __init__(self, place: Path) -> None:
        self.port, config = free_port(), place / "taimat.toml"
        self.handed = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        fds = [each.fileno() for each in self.handed]
        config.write_text(f'[store]\nfolder = "{place}/store"\nruntime = "{place}/run"\n'
                          f'[web]\nlisten = "0.0.0.0"\nport = {self.port}\n'
                          '[home]\nenabled = true\nhost = "localhost"\n')
        (place / "run").mkdir()
        runtime.own(place / "run", "link")
        self.inbox = Inbox(place / "run", "link")
        self.starts = place / "run/web/web.starts"
        self.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.systemd.bind(str(place / "notify"))
        self.systemd.settimeout(HANG_S)
        self.process = psutil.Popen([sys.executable, "-c", PAGE, "--config", config], pass_fds=fds, env={
            **os.environ, "NOTIFY_SOCKET": str(place / "notify"), "WATCHDOG_USEC": "30000000",
            "https": str(fds[0]), "http": str(fds[1])})

    def is_asleep(self) -> bool:
        return str(PORTER) in self.process.cmdline()

    def lines(self, last: str) -> list[str]:
        """What systemd hears until this line."""
        heard: list[str] = []
        while last not in heard:
            heard += self.systemd.recv(4096).decode().splitlines()
        return heard

    def beat(self) -> Beat:
        """The next heartbeat."""
        while not isinstance(message := self.inbox.receive(HANG_S), Beat):
            assert message is not None
        return message

    def close(self) -> None:
        with suppress(psutil.NoSuchProcess):
            self.process.kill()
        self.process.wait()
        for each in (self.inbox, self.systemd, *self.handed):
            each.close()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Sleeper]:
    with closing(Sleeper(tmp_path)) as sleeper:
        until(sleeper.is_asleep, "the page sleeps")
        yield sleeper


def test_a_sleeping_page_beats_on_and_takes_little_memory(page: Sleeper) -> None:
    page.lines("STATUS=asleep until a visitor comes")
    list(page.inbox.waiting())                          # those of the page
    first, second = page.beat(), page.beat()
    assert (first.role, first.unit, first.pid, first.starts_n) == ("web", "web", page.process.pid, 1)
    assert first.facts.viewers_n == 0 and second.up_s - first.up_s == pytest.approx(second.mono_s - first.mono_s)
    assert page.lines("WATCHDOG=1")
    memory = page.process.memory_full_info()
    assert memory.uss < PORTER_KB_MAX * 1000


def test_a_visitor_wakes_the_page_and_it_is_no_new_start(page: Sleeper) -> None:
    page.lines("STATUS=asleep until a visitor comes")
    assert answers(page.port) and not page.is_asleep()
    assert any(isinstance(each, Poke) and each.what == "known" for each in page.inbox.waiting())
    woken = page.lines("READY=1")
    patience = [line for line in woken if line.startswith("WATCHDOG_USEC=")]
    assert patience == ["WATCHDOG_USEC=120000000", "WATCHDOG_USEC=30000000"]      # for the start, then for a beat
    assert page.starts.read_text() == "1"
    for port in (handed.getsockname()[1] for handed in page.handed):    # 443, and 80, which leads there
        until(page.is_asleep, "it sleeps again")
        assert answers(port, "https")


def test_its_end_ends_a_sleeping_page(page: Sleeper) -> None:
    page.process.send_signal(signal.SIGTERM)
    assert page.process.wait(HANG_S) == -signal.SIGTERM         # systemd counts that as an end in order
    with socket.create_server(("127.0.0.1", page.port)):
        pass


def test_visitors_that_come_at_once_are_all_answered_by_the_page_that_they_wake(page: Sleeper) -> None:
    crowd = [subprocess.Popen([sys.executable, "-c", "import sys, urllib.request; urllib.request.urlopen(sys.argv[1])",
                               f"http://localhost:{page.port}/pair"]) for _ in range(8)]
    assert [each.wait(HANG_S) for each in crowd] == [0] * 8


def test_it_is_quiet_when_for_long_nobody_was_connected_asked_or_has_work_here(hand_clock: HandClock) -> None:
    busy: list[int] = []
    quiet = Quiet(hand_clock, [lambda: bool(busy)], quiet_s=600)

    def lasts(after_s: float, connections_n: int = 0, requests_n: int = 0) -> bool:
        hand_clock.advance(after_s)
        return quiet.lasts(connections_n, requests_n)

    assert [lasts(599), lasts(1)] == [False, True]
    assert [lasts(1, requests_n=1), lasts(599, requests_n=1), lasts(1, requests_n=1)] == [False, False, True]
    assert [lasts(900, 1, 1), lasts(599, 0, 1), lasts(1, 0, 1)] == [False, False, True]     # a live picture
    busy.append(1)
    assert not lasts(900, requests_n=1)
    busy.clear()
    assert [lasts(599, requests_n=1), lasts(1, requests_n=1)] == [False, True]


def test_it_sleeps_only_beside_a_link_and_under_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    alone, linked = units(Settings()), units(Settings(home=Home(enabled=True)))
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not may_sleep(linked)
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    assert may_sleep(linked) and not may_sleep(alone)


def test_the_porter_imports_next_to_nothing() -> None:
    tree = ast.parse(PORTER.read_text())
    assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(tree))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert names == {"_socket", "posix", "select", "sys", "time"}
