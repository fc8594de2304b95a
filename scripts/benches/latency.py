"""From the picture that confirms motion to a subscriber, over a real mosquitto on this machine.

The event carries the boot-time clock of that picture (mono_ms); the subscriber reads the same clock when the message is
there. Between them lie the event's transaction on disk, the poke, the link's read, and the broker. The rest of the
agent works as always.
"""
import contextlib
import json
import math
import queue
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt

from scripts.benches import needs, streams
from scripts.benches.device import device, network
from scripts.benches.plan import Plan, tell
from scripts.benches.processes import BenchError
from scripts.benches.table import Table, Verdict
from tests.rigs.broker import Broker

EVENT_WITHIN_S = 45.0


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table."""
    needs.demand(needs.mosquitto)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taimat-bench-")))
        broker = stack.enter_context(Broker(folder / "broker"))
        arrivals = stack.enter_context(subscriber(broker.port))
        server = stack.enter_context(streams.camera("visits"))
        often = {"pre_roll_s": 1, "post_roll_s": 0, "merge_gap_s": 0}
        mine = device(folder / "device", network(server, "continuous", **often), broker)
        stack.enter_context(mine.agent())
        yield tabulate([wait_for_start(arrivals) for _ in progress(plan.rounds(30, quick_n=6))])


def progress(events_n: int) -> Iterator[int]:
    """Counts events, and says so now and then."""
    for number in range(events_n):
        if number % 10 == 0:
            tell(f"latency: {number} of {events_n} events")
        yield number


@contextlib.contextmanager
def subscriber(port: int) -> Iterator["queue.Queue[tuple[float, bytes]]"]:
    """Events as they come, each with the boot-time clock in seconds at its arrival."""
    arrivals: queue.Queue[tuple[float, bytes]] = queue.Queue()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "bench", protocol=mqtt.MQTTv5)
    client.on_message = lambda *heard: arrivals.put((time.clock_gettime(time.CLOCK_BOOTTIME), heard[-1].payload))
    client.on_connect = lambda *_: client.subscribe("cam/v1/+/+/evt", qos=1)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield arrivals
    finally:
        client.disconnect()
        client.loop_stop()


def wait_for_start(arrivals: "queue.Queue[tuple[float, bytes]]") -> float:
    """Seconds from confirmation to arrival of the next event that begins. Raises BenchError when none comes."""
    deadline_s = time.monotonic() + EVENT_WITHIN_S
    while True:
        try:
            came_s, payload = arrivals.get(timeout=max(0.0, deadline_s - time.monotonic()))
        except queue.Empty:
            raise BenchError(f"no event within {EVENT_WITHIN_S:g} s") from None
        data = json.loads(payload)["data"]
        if data["kind"] == "motion" and data["phase"] == "start" and not data["hist"]:
            return came_s - data["mono_ms"] / 1000


def tabulate(delays_s: list[float]) -> Table:
    """The spread of the delays; percentiles by nearest rank."""
    ordered = sorted(delays_s)
    p50_s, p95_s = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.95))
    table = Table(f"From confirmation to the subscriber: {len(delays_s)} events",
                  ("", "p50 s", "p95 s", "least s", "most s"))
    table.rows.append(("delay", *(f"{value:.3f}" for value in (p50_s, p95_s, ordered[0], ordered[-1]))))
    table.verdicts.append(Verdict("p95", 1, "s", p95_s))
    table.figures["delays_s"] = delays_s
    return table
