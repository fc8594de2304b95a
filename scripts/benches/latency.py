"""From the first visible pixel to a subscriber, by kind of visitor and part by part, over a real mosquitto.

Visitors of every kind come one after the other to a yard with wind and a clock in the picture. The small stream passes
by us, so we know when the first picture with them is there; the event carries the boot-time clock of the picture that
confirmed the motion (mono_ms); the row is there when the database shows it; the subscriber reads the same clock when
the message is there. The rest of the agent works as always.
"""
import contextlib
import json
import math
import queue
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import paho.mqtt.client as mqtt

from agent.host.clock import SystemClock
from agent.store.database import FILE
from scripts.benches import needs, scenes, streams
from scripts.benches.device import device, network
from scripts.benches.onsets import passage
from scripts.benches.others import SHARE_MAX, Others, others
from scripts.benches.plan import Plan, tell
from scripts.benches.processes import BenchError, wait_until
from scripts.benches.table import Bar, Table, Verdict
from tests.rigs.mqtt.broker import Broker

START_S = 60
EVERY_S = scenes.EMPTY_S + scenes.SHOWN_S
KINDS = tuple(visit.kind for visit in scenes.VISITS)
CYCLES_N = 3
ROW_LOOK_S = 0.004
EVENTS_LEAST_N = 15         # fewer make no p95
LATE_S = float(scenes.SHOWN_S)      # all are out of sight by then; what comes later was found in what followed


class Delay(NamedTuple):
    """One visit's way, in seconds: to the confirming picture, to the row, to the subscriber."""

    kind: str
    confirmed_s: float
    row_s: float
    told_s: float

    @property
    def whole_s(self) -> float:
        """From the first visible pixel on."""
        return self.confirmed_s + self.row_s + self.told_s


class Onset(NamedTuple):
    """When a visitor's first picture came, on the boot-time clock, and the visitor's kind."""

    kind: str
    mono_s: float


class Told(NamedTuple):
    """An event as the subscriber heard it; times on the boot-time clock."""

    confirmed_mono_s: float
    came_mono_s: float


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table."""
    needs.demand(needs.mosquitto)
    visits_n = plan.rounds(CYCLES_N * len(KINDS), quick_n=len(KINDS))
    begins = scenes.onsets(*streams.SUB[:3])
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taimat-bench-")))
        broker = stack.enter_context(Broker(folder / "broker"))
        arrivals = stack.enter_context(subscriber(broker.port))
        server = stack.enter_context(streams.camera("visitors"))
        seen = stack.enter_context(passage(server.port, begins, scenes.VISITORS_S * streams.SUB[2]))
        often = {"pre_roll_s": 1, "post_roll_s": 0, "merge_gap_s": 0}
        body = network(server, "continuous", **often).replace(server.sub_url, f"rtsp://127.0.0.1:{seen.port}/sub")
        mine = device(folder / "device", body, broker)
        stack.enter_context(mine.agent())
        wait_until(lambda: any(mine.clips.rglob("*.part")), START_S, "a clip is open", mine.log)
        rows = stack.enter_context(row_times(mine.store))
        time.sleep(EVERY_S)
        with others() as beside:
            tell(f"latency: {visits_n} visits, {visits_n * EVERY_S} s")
            began_mono_s = SystemClock().mono_s()
            time.sleep(visits_n * EVERY_S)
        time.sleep(LATE_S)
        onsets = [Onset(kind, mono_s) for kind, mono_s in seen.onsets
                  if began_mono_s <= mono_s < began_mono_s + visits_n * EVERY_S]
    if not onsets:
        raise BenchError("latency: nobody came by")
    yield tabulate(delays(onsets, heard(arrivals), rows), [onset.kind for onset in onsets], beside)


@contextlib.contextmanager
def subscriber(port: int) -> Iterator["queue.Queue[tuple[float, bytes]]"]:
    """Events as they come, each with the boot-time clock in seconds at its arrival."""
    arrivals: queue.Queue[tuple[float, bytes]] = queue.Queue()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "bench", protocol=mqtt.MQTTv5)
    client.on_message = lambda *heard: arrivals.put((SystemClock().mono_s(), heard[-1].payload))
    client.on_connect = lambda *_: client.subscribe("cam/v1/+/+/evt", qos=1)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield arrivals
    finally:
        client.disconnect()
        client.loop_stop()


@contextlib.contextmanager
def row_times(store: Path) -> Iterator[dict[int, float]]:
    """When each event's row was there, by its mono_ms; a thread looks all the time."""
    found: dict[int, float] = {}
    over = threading.Event()

    def look() -> None:
        with contextlib.closing(sqlite3.connect(f"file:{store / FILE}?mode=ro", uri=True)) as db:
            version = -1
            while not over.wait(ROW_LOOK_S):
                if version != (version := db.execute("PRAGMA data_version").fetchone()[0]):
                    now_mono_s = SystemClock().mono_s()
                    for mono_ms, in db.execute("SELECT mono_ms FROM event ORDER BY id DESC LIMIT 3"):
                        found.setdefault(mono_ms, now_mono_s)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def heard(arrivals: "queue.Queue[tuple[float, bytes]]") -> Iterator[Told]:
    """The beginnings of motion that have come so far."""
    while not arrivals.empty():
        came_mono_s, payload = arrivals.get_nowait()
        data = json.loads(payload)["data"]
        if data["kind"] == "motion" and data["phase"] == "start" and not data["hist"]:
            yield Told(data["mono_ms"] / 1000, came_mono_s)


def delays(onsets: Sequence[Onset], events: Iterator[Told], rows: dict[int, float]) -> list[Delay]:
    """Of each visit the first event that was confirmed while the visitor was in sight; visits without one are none."""
    all_events, found = list(events), []
    for onset in onsets:
        for told in all_events:
            if 0 <= told.confirmed_mono_s - onset.mono_s < LATE_S:
                row_mono_s = rows.get(round(told.confirmed_mono_s * 1000), told.came_mono_s)
                found.append(Delay(onset.kind, told.confirmed_mono_s - onset.mono_s,
                                   row_mono_s - told.confirmed_mono_s, told.came_mono_s - row_mono_s))
                break
    return found


def tabulate(found: Sequence[Delay], came: Sequence[str], beside: Others) -> Table:
    """Kinds and parts below each other; `came` is the kind of each visit. Percentiles by nearest rank."""
    table = Table(f"Latency: {len(came)} visits, from the first visible pixel on; a sub-stream at 5 fps, wind, MQTT on "
                  "this machine", ("", "told", "p50 s", "p95 s", "least s", "most s"))
    for kind in KINDS:
        if visits_n := came.count(kind):
            _row(table, kind, [delay.whole_s for delay in found if delay.kind == kind], visits_n)
    parts = {"all kinds, to the subscriber": [delay.whole_s for delay in found],
             "to the picture that confirms": [delay.confirmed_s for delay in found],
             "that picture to the row": [delay.row_s for delay in found],
             "the row to the subscriber": [delay.told_s for delay in found]}
    for name, values in parts.items():
        _row(table, name, values, len(came))
    doubt = f"others took {100 * beside.share:.0f} % of the machine" if beside.too_much else (
        f"{len(came)} visits are too few" if len(came) < EVENTS_LEAST_N else "")
    whole = [*(delay.whole_s for delay in found), *[math.inf] * (len(came) - len(found))]
    p95_s = at(whole, 0.95)
    table.verdicts += [Verdict("first visible pixel to the subscriber, all kinds, p95", 1.3, "s", p95_s, doubt),
                       Verdict("visits that were not told", 0, "", len(came) - len(found), doubt)]
    table.notes.append(f"a visit that is not told within {LATE_S:g} s, when the visitor is out of sight, counts as "
                       f"endless in p95 of all kinds; others took {100 * beside.share:.0f} % of the machine "
                       f"({100 * SHARE_MAX:.0f} % at most)")
    table.scale = "s, p95"
    table.figures = {"delays": [delay._asdict() for delay in found], "visits": len(came), "came": list(came)}
    return table


def _row(table: Table, name: str, values: Sequence[float], visits_n: int) -> None:
    told = f"{len(values)} of {visits_n}"
    if not values:
        table.rows.append((name, f"{told}: never", "-", "-", "-", "-"))
        return
    p50_s, p95_s = (at(values, share) for share in (0.5, 0.95))
    table.rows.append((name, told, f"{p50_s:.3f}", f"{p95_s:.3f}", f"{min(values):.3f}", f"{max(values):.3f}"))
    table.bars.append(Bar(name, p95_s))


def at(values: Sequence[float], share: float) -> float:
    """A percentile by nearest rank."""
    return sorted(values)[math.ceil(share * len(values)) - 1]
