"""The household's page: what a phone loads first, what the role costs, and how long each address takes of a full store.

The role is a process of its own with the keeper's desk beside it; the store is that of `shelf`. A page's time is
processor time of the role for one answer, all threads together: what the machine does meanwhile does not count.
"""
import contextlib
import http.client
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from agent.config.settings import Settings
from agent.core.contract.facts import Beat, CameraFacts
from agent.host import runtime
from agent.host.clock import Instant, SystemClock
from agent.host.datagram import Outlet
from agent.host.setup_folders import SetupFolders
from agent.keeper.desk import DecisionDesk
from agent.keeper.ward_signature import WardSignature
from agent.process.heartbeat import EVERY_S
from agent.store.database import connect
from agent.store.decisions import browsers
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from agent.web.server.access import COOKIE
from scripts.benches.plan import Plan, tell
from scripts.benches.processes import BenchError, memory_b, own_cpu_s, running, wait_until
from scripts.benches.shelf import CAMERAS, CLIPS_N, QUICK_N, fill, moment
from scripts.benches.table import Spread, Table, Verdict
from tests.rigs.cameras.h264 import detailed
from tests.rigs.cameras.live_camera import LiveCam
from tests.rigs.house.household import FRAME_US, Household, happen
from tests.rigs.house.loaded import loaded
from tests.rigs.house.month import live_through
from tests.rigs.wait import free_port

ROOT = Path(__file__).resolve().parents[2]
MB = 1_000_000
START_S, ANSWER_S = 60, 30
SETTLE_S = 6                # the page is asleep by then, where nobody watches
EVENTS_N = 10
VIEWERS_N = 10
PAGE_MS = 100
APART_MS = 60_000
# Each address that reads the store, and the most milliseconds that it may take. Each event is looked at once: its film
# is cut then, and remembered.
PAGES = {"/": PAGE_MS, "/live/gate": PAGE_MS, "/events/{event}": PAGE_MS, "/requests": PAGE_MS, "/cameras": PAGE_MS,
         "/browsers": PAGE_MS, "/health": PAGE_MS, "/health/month": PAGE_MS, "/notice": PAGE_MS,
         "/recordings?day=2026-10-10": 50, "/recordings?day=2026-10-10&camera=gate": 50,
         "/recordings/month?day=2026-10-10&camera=gate": 200, "/events.json?limit=200": PAGE_MS}


@dataclass(frozen=True, slots=True)
class Visited:
    """A role that is up, and a browser that is paired."""

    pid: int
    port: int
    cookie: str
    runtime: Path

    def get(self, path: str) -> int:
        """Ask for `path` as a browser does; returns the bytes of the answer. Raises BenchError."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        try:
            line.request("GET", path, headers={"cookie": self.cookie, "accept-encoding": "gzip"})
            answer = line.getresponse()
            size_b = len(answer.read())
        finally:
            line.close()
        if answer.status != 200:
            raise BenchError(f"{path}: {answer.status}")
        return size_b

    @contextlib.contextmanager
    def watching(self, path: str, viewers_n: int) -> Iterator[None]:
        """So many browsers read a live picture meanwhile."""
        over = threading.Event()
        threads = [threading.Thread(target=self._watch, args=(path, over), daemon=True) for _ in range(viewers_n)]
        for thread in threads:
            thread.start()
        yield
        over.set()
        for thread in threads:
            thread.join()

    def _watch(self, path: str, over: threading.Event) -> None:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        line.request("GET", path, headers={"cookie": self.cookie})
        answer = line.getresponse()
        while not over.is_set() and answer.read1(65_536):
            pass
        line.close()


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the tables."""
    with tempfile.TemporaryDirectory(prefix="taimat-bench-") as place:
        yield first_home(Path(place, "first"))
        count_n = QUICK_N if plan.quick else CLIPS_N
        folders = Folders(Path(place, "store")).create()
        tell(f"page: a store with {count_n} clips")
        with contextlib.closing(connect(folders.root)) as db:
            fill(db, folders, count_n)
        seen = filmed(folders, moment(count_n, count_n), plan.rounds(15, 3) + 1)
        live_through(folders, SystemClock().now())
        with visited(Path(place), folders) as page:
            with others(page):
                yield costs(page, plan)
            yield times(page, plan, count_n, seen)


def filmed(folders: Folders, after: Instant, events_n: int) -> list[int]:
    """Events with real footage, behind all others, whose clips are empty."""
    return [happen(folders, replace(after, mono_ms=after.mono_ms + n * APART_MS, wall_ms=after.wall_ms + n * APART_MS),
                   video=detailed()) for n in range(1, events_n + 1)]


def first_home(place: Path) -> Table:
    """What a phone loads to show the home page for the first time: two cameras, real footage full of detail."""
    house = Household(place)
    for n in range(EVENTS_N):
        happen(house.folders, house.clock.now(), ("gate", "yard")[n % 2], video=detailed())
    with house:
        weight = loaded(house, "/")
    groups = {"pictures": "-small.jpg", "styles": ".css", "scripts": ".js", "all": ""}
    table = Table("The first home page", ("", "kB", "answers"))
    for name, part in groups.items():
        sizes_b = [size_b for path, size_b in weight.items() if part in path]
        table.rows.append((name, f"{sum(sizes_b) / 1000:.1f}", str(len(sizes_b))))
        table.figures[name] = sum(sizes_b)
    table.verdicts.append(Verdict("the first home page", 60, "kB", sum(weight.values()) / 1000))
    return table


@contextlib.contextmanager
def visited(place: Path, folders: Folders) -> Iterator[Visited]:
    """The role on that store."""
    there, port, clock = place / "run", free_port(), SystemClock()
    there.mkdir()
    config = place / "taimat.toml"
    config.write_text(f'[store]\nfolder = "{folders.root}"\nruntime = "{there}"\n[web]\nport = {port}\n' + "".join(
        f'[[camera]]\nname = "{name}"\nsource = "file:/{name}.mp4"\n' for name in CAMERAS))
    runtime.own(there, "keeper")
    desk = DecisionDesk(folders, clock, WardSignature(Settings(), folders), SetupFolders.beside(there)).open(there)
    with contextlib.closing(decisions.connect(folders)) as own, contextlib.closing(connect(folders.root)) as db:
        token = browsers.pair(own, db, "the bench's", clock.now())
    command = [sys.executable, "-m", "agent.web", "--config", config]
    with contextlib.closing(desk), running("web", command, place, {"PYTHONPATH": str(ROOT)}) as pid:
        page = Visited(pid, port, f"{COOKIE}={token}", there)
        wait_until(lambda: _is_up(page), START_S, "the page answers", place / "web.log")
        yield page


def _is_up(page: Visited) -> bool:
    with contextlib.suppress(OSError, BenchError):
        return page.get("/static/mark.svg") > 0
    return False


@contextlib.contextmanager
def others(page: Visited) -> Iterator[None]:
    """The other roles send their heartbeats meanwhile."""
    outlet, over = Outlet(page.runtime), threading.Event()
    cameras = [CameraFacts(camera=name, state="ok", fps=15.0, recording=True) for name in CAMERAS]

    def send() -> None:
        while not over.wait(EVERY_S):
            for unit, its in (("capture@network", cameras), ("keeper", []), ("link", []), ("run", [])):
                outlet.send(Beat(role=unit.partition("@")[0], unit=unit, pid=1, mono_s=SystemClock().mono_s(),
                                 up_s=100.0, starts_n=1, cameras=its), "web")

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join()
    outlet.close()


def costs(page: Visited, plan: Plan) -> Table:
    """What the role holds and takes, with nobody, one and ten who watch."""
    info, packets = detailed()
    cam = LiveCam(page.runtime, "gate", info, packets, FRAME_US)
    long_s = plan.long_s(60, 5)
    table = Table(f"The role over {long_s:g} s each; a live picture of "
                  f"{8 * sum(len(packet.data) for packet in packets) / len(packets) * 10 / 1e6:.1f} Mbit/s",
                  ("", "PSS MB", "CPU s/min"))
    taken: dict[int, float] = {}
    for viewers_n in (0, 1, VIEWERS_N):
        tell(f"page: {viewers_n} watch")
        with page.watching("/live/gate.mp4", viewers_n):
            time.sleep(SETTLE_S)
            began_s = own_cpu_s(page.pid)
            time.sleep(long_s)
            taken[viewers_n] = (own_cpu_s(page.pid) - began_s) * 60 / long_s
            pss_mb = memory_b(page.pid)[0] / MB
        table.rows.append((f"{viewers_n} watch", f"{pss_mb:.1f}", f"{taken[viewers_n]:.2f}"))
        table.figures[str(viewers_n)] = {"pss_mb": pss_mb, "cpu_s_per_min": taken[viewers_n]}
    cam.close()
    table.verdicts += [Verdict("PSS with ten who watch", 40, "MB", pss_mb),
                       Verdict("nobody watches", 0.02, "s/min", taken[0]),
                       Verdict("ten viewers against one", 2, "times", taken[VIEWERS_N] / taken[1])]
    return table


def times(page: Visited, plan: Plan, count_n: int, seen: list[int]) -> Table:
    """What each address takes; `seen` are the events that are looked at."""
    table = Table(f"Each address with {count_n:,} clips and {count_n * 3 // 4:,} events",
                  ("", "CPU ms", "answer ms", "kB"))
    for path, limit_ms in PAGES.items():
        tell(f"page: {path}")
        cpu_ms, wall_ms, size_b = [], [], 0
        for event in seen:
            cpu_s, began_s = own_cpu_s(page.pid), time.monotonic()
            size_b = page.get(path.format(event=event))
            wall_ms.append(1000 * (time.monotonic() - began_s))
            cpu_ms.append(1000 * (own_cpu_s(page.pid) - cpu_s))
        took = Spread(tuple(cpu_ms[1:]))                    # the first one has what is read once
        table.rows.append((path, took.text(1), Spread(tuple(wall_ms[1:])).text(1), f"{size_b / 1000:.1f}"))
        table.figures[path] = took.values
        table.verdicts.append(Verdict(path, limit_ms, "ms", took.median))
    return table
