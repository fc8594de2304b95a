"""The link alone: memory, CPU and bytes with a health report each 30 s, and how soon an event is with a subscriber.

A real mosquitto with mutual TLS on this machine; an ingest sends receipts. The other roles are there as far as the link
notices: their heartbeats come each 2 s. An event's clock starts when its row is committed.
"""
import contextlib
import itertools
import json
import math
import queue
import random
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from agent.core.contract.facts import Beat, CameraFacts, KeeperFacts, LedgerFacts, Poke
from agent.host.clock import SystemClock
from agent.host.datagram import Outlet
from agent.process.heartbeat import EVERY_S
from agent.store import outbox
from agent.store.database import connect, transaction
from scripts.benches import needs
from scripts.benches.device import Device
from scripts.benches.latency import subscriber
from scripts.benches.plan import Plan, tell
from scripts.benches.processes import BenchError, memory_b, own_cpu_s, wait_until
from scripts.benches.table import Spread, Table, Verdict
from tests.rigs.mqtt.broker import Broker, Tls
from tests.rigs.pki import Authority
from tests.rigs.store.joined import join_in
from tests.rigs.wait import accepts, free_port
from tests.rigs.ward.receiver import Ingest

DEV, WARD = "c-7f3a9c21b04d", "w07"
REPORT_S, EVENT_WITHIN_S = 30, 10
ROUNDS_N, MB = 3, 1_000_000
SEGMENT_B = 52                      # Ethernet aside: IPv4 and TCP with timestamps
CAMERA = CameraFacts(camera="gate", state="ok", source="rtsp", codec="h264", width=1920, height=1080, fps=14.97,
                     fps_set=15.0, kbps=1180.0, last_frame_age_s=0.1, luma_mean=112.0, score=0.01, recording=True,
                     events_n=37, gaps_n=0, gap_s=0.0, reopens_n=0, dropped_n=0, write_errors_n=0)
FACTS = {"keeper": KeeperFacts(
    clips_n=412, clips_b=9_663_676_416, kept_days={"gate": 6.4}, clock_err_ms=16,
    ledger=LedgerFacts(n=10_481, head="d81f03a97b6ce2450f9a3b7c61e8d254", key="4be01c77a5d29e06"))}
MOTION = '{"event":77,"phase":"start","start_ms":864103400}'


class Others:
    """The heartbeats of the other roles, until closed."""

    def __init__(self, runtime: Path) -> None:
        self._outlet, self._clock, self._ended = Outlet(runtime), SystemClock(), threading.Event()
        threading.Thread(target=self._beat, daemon=True).start()

    def close(self) -> None:
        """Fall silent."""
        self._ended.set()

    def _beat(self) -> None:
        while not self._ended.wait(EVERY_S):
            for unit in ("capture@network", "keeper", "web"):
                role = unit.partition("@")[0]
                beat = Beat(role=role, unit=unit, pid=1, mono_s=self._clock.mono_s(), up_s=864_130.0, rss_b=40_000_000,
                            cpu_s=100.0, starts_n=1, cameras=[CAMERA] if role == "capture" else [],
                            facts=FACTS.get(role))
                self._outlet.send(beat, "link")


class Sent(NamedTuple):
    """What the link's socket has sent so far."""

    bytes_n: int
    segments_n: int

    @property
    def wire_b(self) -> int:
        """With the headers of each segment."""
        return self.bytes_n + SEGMENT_B * self.segments_n


class Quiet(NamedTuple):
    """What a round of health reports alone took."""

    cpu_pct: float          # of a core
    report_b: float         # of a report alone, on the wire
    all_b: float            # a report, with its share of pings and bare ACKs


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table. Raises Missing."""
    if lines := [line for check in (needs.mosquitto, needs.ss) if (line := check())]:
        raise needs.Missing("\n".join(lines))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taimat-bench-")))
        authority, inside = Authority(folder / "pki", "ward-ca"), free_port()
        tls = Tls(authority.ca, *authority.issue("broker"), clients_ca=authority.ca)
        broker = stack.enter_context(Broker(folder / "broker", tls=tls, lines=f"listener {inside} 127.0.0.1"))
        wait_until(lambda: accepts(inside), 10, "the broker's other door is open", broker.log)
        ward = stack.enter_context(Ingest(inside, folder))
        mine = enrolled(folder / "device", authority, broker.port)
        join_in(mine.store, WARD)
        pid = stack.enter_context(mine.role("link"))
        wait_until(lambda: ward.last("/health"), 20, "the first health report", mine.place / "link.log")
        stack.enter_context(contextlib.closing(Others(mine.place / "run")))
        yield measure(plan, mine, pid, ward, broker.port, inside)


def enrolled(place: Path, authority: Authority, port: int) -> Device:
    """A device with a certificate of this ward's, all else as the defaults are."""
    place.mkdir(parents=True)
    mine, (cert, key) = Device(place, place / "store", place / "taimat.toml"), authority.issue(DEV)
    mine.config.write_text("\n".join([
        "[device]", 'site = "HH-07-0412"', "[store]", f'folder = "{mine.store}"', f'runtime = "{place / "run"}"',
        "[ward]", "enabled = true", f'ward = "{WARD}"', f"port = {port}", f'ca = "{authority.ca}"', f'cert = "{cert}"',
        f'key = "{key}"', "[[camera]]", 'name = "gate"', 'source = "rtsp://192.0.2.1/main"', ""]))
    return mine


def measure(plan: Plan, mine: Device, pid: int, ward: Ingest, port: int, inside: int) -> Table:
    """Rounds of quiet with health alone, then of events."""
    reports_n, rounds_n = max(1, round(plan.long_s(120, REPORT_S) / REPORT_S)), plan.rounds(ROUNDS_N)
    next_report(ward)
    quiet = []
    for number in range(rounds_n):
        tell(f"link: quiet round {number + 1} of {rounds_n}, {reports_n * REPORT_S} s")
        quiet.append(rest(pid, ward, port, reports_n))
    quiet_pss_b = memory_b(pid)[0]
    delays = []
    with subscriber(inside) as arrivals:
        for number in range(rounds_n):
            tell(f"link: events, round {number + 1} of {rounds_n}")
            delays.append(delays_s(mine, arrivals, 20 if plan.quick else 100))
    return tabulate(quiet, delays, max(quiet_pss_b, memory_b(pid)[0]))


def rest(pid: int, ward: Ingest, port: int, reports_n: int) -> Quiet:
    """A while with nothing but health reports, from just after one to just after another."""
    cpu_s, began_s, counts = own_cpu_s(pid), time.monotonic(), [sent(port)]
    for _ in range(reports_n):
        next_report(ward)
        counts.append(sent(port))
    share_pct = 100 * (own_cpu_s(pid) - cpu_s) / (time.monotonic() - began_s)
    each_b = [after.wire_b - before.wire_b for before, after in itertools.pairwise(counts)]
    return Quiet(share_pct, min(each_b), sum(each_b) / reports_n)       # a ping goes out each minute: not beside all


def next_report(ward: Ingest) -> None:
    """Wait for the next health report. Raises BenchError."""
    known_n, deadline_s = len(ward.all("/health")), time.monotonic() + 2 * REPORT_S
    while len(ward.all("/health")) == known_n:
        if time.monotonic() > deadline_s:
            raise BenchError("no health report came")
        time.sleep(0.1)


def sent(port: int) -> Sent:
    """What the connection to this port has sent, the kernel says. Raises BenchError."""
    found = subprocess.run(["ss", "-tinH", f"dport = :{port}"], capture_output=True, text=True, check=True).stdout
    numbers = [re.search(rf"\b{name}:(\d+)", found) for name in ("bytes_sent", "segs_out")]
    if None in numbers:
        raise BenchError(f"ss tells nothing of a connection to port {port}: {found}")
    return Sent(*(int(number[1]) for number in numbers))


def delays_s(mine: Device, arrivals: "queue.Queue[tuple[float, bytes]]", events_n: int) -> list[float]:
    """From the commit of an event to the subscriber, for events that come at random. Raises BenchError."""
    db, clock, outlet, chance = connect(mine.store), SystemClock(), Outlet(mine.place / "run"), random.Random(7)
    delays = []
    for _ in range(events_n):
        with transaction(db):
            seq = outbox.append(db, "motion", "gate", clock.now(), MOTION)
        committed_s = clock.mono_s()
        outlet.send(Poke(what="outbox"), "link")
        try:
            came_s, payload = arrivals.get(timeout=EVENT_WITHIN_S)
        except queue.Empty:
            raise BenchError(f"event {seq} did not come within {EVENT_WITHIN_S} s") from None
        if json.loads(payload)["seq"] != seq:
            raise BenchError(f"event {seq} did not come next: {payload!r}")
        delays.append(came_s - committed_s)
        time.sleep(chance.uniform(0.05, 0.3))
    db.close()
    outlet.close()
    return delays


def tabulate(quiet: list[Quiet], delays: list[list[float]], pss_b: int) -> Table:
    """A row for each figure: the median of the rounds and their range; percentiles by nearest rank."""
    share_pct, report_b, all_b = (Spread(values) for values in zip(*quiet, strict=True))
    p50_ms, p95_ms = (Spread(tuple(1000 * sorted(one)[math.ceil(share * len(one)) - 1] for one in delays))
                      for share in (0.50, 0.95))
    table = Table(f"The link alone, TLS, health each {REPORT_S} s: {len(quiet)} rounds", ("", "median (range)"))
    table.rows += [("PSS MB", f"{pss_b / MB:.1f}"), ("CPU % of a core", share_pct.text()),
                   ("a health report, B on the wire", report_b.text(0)), ("with pings and bare ACKs", all_b.text(0)),
                   ("commit to subscriber p50 ms", p50_ms.text(1)), ("p95 ms", p95_ms.text(1))]
    table.verdicts += [Verdict("PSS", 32, "MB", pss_b / MB), Verdict("CPU", 0.3, "% of a core", share_pct.median),
                       Verdict("a health report on the wire", 800, "B", report_b.median),
                       Verdict("commit to subscriber p95", 300, "ms", p95_ms.median)]
    table.notes.append(f"on the wire: what its socket sent, with {SEGMENT_B} B for each segment")
    table.figures = {"pss_b": pss_b, "cpu_pct": share_pct.values, "report_b": report_b.values, "all_b": all_b.values,
                     "delays_s": delays}
    return table
