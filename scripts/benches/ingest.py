"""The ward's ingest under a ward's and a city's load: health of each device each 30 s, 50 events a second.

One client speaks for all devices to a real mosquitto, without TLS: what is measured is the ingest, from an event's
sending until its receipt is back, which includes the commit. SQLite's rows are flushed to this machine's disk.
"""
import contextlib
import json
import math
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import psutil

from scripts.benches import needs
from scripts.benches.plan import Plan, tell
from scripts.benches.table import Table, Verdict
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import until
from tests.rigs.ward import postgres
from tests.rigs.ward.ingest import WardIngest

WARD_N, CITY_N = 370, 6279      # devices
EVENTS_S, HEALTH_EVERY_S = 50, 30
TICK_S = 0.005
QUEUE = "max_queued_messages 20000"         # as in firmware_cfg/ward
ALIKE = {"v": 1, "boot": "9f2c1a7e", "clock": "ntp", "mono_ms": 864123400}
HEALTH = {**ALIKE, "int_s": 30, "up_s": 864130, "cpu_pct": 23.5, "load1": 0.71, "mem_avail_b": 187432960,
          "rss_b": 98566144, "soc_temp_c": 61.3, "disk_free_b": 21474836480, "disk_tot_b": 31268536320, "clips_n": 412,
          "outbox_n": 0,
          "cams": [{"c": "gate", "st": "ok", "fps": 14.97, "fps_set": 15, "kbps": 1180, "mot_n": 37, "last_s": 0.1}],
          "roles": {"capture": "ok", "keeper": "ok", "link": "ok", "web": "ok"}}
MOTION = {"mono_ms": 864123400, "kind": "motion", "event": 77, "phase": "end", "start_ms": 864103400, "dur_ms": 20000,
          "score": 0.42, "zones": ["driveway"], "clip": {"id": "gate-9f2c1a7e-000412", "bytes": 3145728}, "hist": False}


class Crowd:
    """All devices of a ward, in one client."""

    def __init__(self, port: int, devices_n: int) -> None:
        """Connect; nobody has said anything yet."""
        self.devices = [f"c-{number:012d}" for number in range(devices_n)]
        self.health_n = self.events_n = 0
        self.delays_s: list[float] = []
        self._sent_s: dict[tuple[str, int], float] = {}
        self._seqs: Counter[str] = Counter()
        self._client = client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "crowd", protocol=mqtt.MQTTv5)
        client.max_inflight_messages_set(1000)
        client.on_message = self._hear
        client.connect("127.0.0.1", port)
        client.subscribe("cam/v1/w07/+/ack", 1)
        client.loop_start()

    def arrive(self) -> None:
        """Everybody comes online."""
        for dev in self.devices:
            self._say(dev, "status", {**ALIKE, "online": True, "conn": 1}, retain=True)

    def live(self, seconds: float) -> None:
        """Health and events at their rates."""
        began_s = time.monotonic()
        while (age_s := time.monotonic() - began_s) < seconds:
            while self.health_n < age_s * len(self.devices) / HEALTH_EVERY_S:
                self.health_n += 1
                dev = self.devices[self.health_n % len(self.devices)]
                self._say(dev, "health", {**HEALTH, "seq": self.health_n}, qos=0, retain=True)
            while self.events_n < age_s * EVENTS_S:
                self._happen(self.devices[self.events_n * 7 % len(self.devices)])
            time.sleep(TICK_S)

    def waits(self) -> bool:
        """Whether a receipt is still out."""
        return bool(self._sent_s)

    def close(self) -> None:
        """Go."""
        self._client.disconnect()
        self._client.loop_stop()

    def _happen(self, dev: str) -> None:
        self.events_n += 1
        self._seqs[dev] += 1
        seq = self._seqs[dev]
        self._sent_s[dev, seq] = time.monotonic()
        self._say(dev, "evt", {"specversion": "1.0", "id": f"{dev}/{seq}", "source": f"/cam/w07/{dev}/gate",
                               "type": "cam.motion.v1", "seq": seq, **ALIKE, "data": MOTION})

    def _say(self, dev: str, what: str, payload: dict, qos: int = 1, retain: bool = False) -> None:
        self._client.publish(f"cam/v1/w07/{dev}/{what}", json.dumps(payload), qos, retain)

    def _hear(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        dev = message.topic.split("/")[3]
        for seq in json.loads(message.payload)["also"]:
            self.delays_s.append(time.monotonic() - self._sent_s.pop((dev, seq)))


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table. Raises Missing."""
    if line := needs.mosquitto():
        raise needs.Missing(line)
    seconds = plan.long_s(60, 8)
    table = Table(f"The ward's ingest: {EVENTS_S} events a second, health each {HEALTH_EVERY_S} s, for {seconds:.0f} s",
                  ("devices, database", "receipt p50 ms", "p99 ms", "most ms", "CPU %", "RSS MB", "commit ms"))
    for devices_n in (WARD_N, CITY_N):
        measure(table, devices_n, "SQLite", "", seconds)
    if postgres.missing():
        table.notes.append(postgres.missing())
    else:
        with postgres.Postgres() as server:
            measure(table, CITY_N, "PostgreSQL", server.url, seconds)
    yield table


def measure(table: Table, devices_n: int, database: str, url: str, seconds: float) -> None:
    """Add a row, and its verdicts."""
    tell(f"ingest: {devices_n} devices, {database}")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taimat-bench-")))
        broker = stack.enter_context(Broker(folder / "broker", lines=QUEUE))
        ward = stack.enter_context(WardIngest(folder / "ward", broker.port, url))
        until(lambda: ward.figures().get("taimat_ward_connected"), "the ingest is connected")
        crowd = Crowd(broker.port, devices_n)
        stack.callback(crowd.close)
        crowd.arrive()
        until(lambda: taken(ward, "status") >= devices_n, "everybody has come")
        process = psutil.Process(ward.process.pid)
        before_s, began_s = sum(process.cpu_times()[:2]), time.monotonic()
        crowd.live(seconds)
        until(lambda: not crowd.waits(), "all receipts are back")
        share_pct = 100 * (sum(process.cpu_times()[:2]) - before_s) / (time.monotonic() - began_s)
        tabulate(table, f"{devices_n:,}, {database}", crowd, ward.figures(), share_pct, process.memory_info().rss)


def taken(ward: WardIngest, what: str) -> float:
    """Messages of this topic that the ingest took."""
    return ward.figures().get(f'taimat_ward_messages_total{{what="{what}"}}', 0)


def tabulate(table: Table, name: str, crowd: Crowd, figures: dict[str, float], share_pct: float, rss_b: int) -> None:
    """A row; percentiles by nearest rank."""
    ordered = sorted(crowd.delays_s)
    p50_s, p99_s = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.99))
    commit_s = figures["taimat_ward_commit_seconds_sum"] / figures["taimat_ward_commit_seconds_count"]
    table.rows.append((name, *(f"{1000 * each_s:.0f}" for each_s in (p50_s, p99_s, ordered[-1])), f"{share_pct:.1f}",
                       f"{rss_b / 1e6:.0f}", f"{1000 * commit_s:.1f}"))
    missed_n = crowd.health_n - figures['taimat_ward_messages_total{what="health"}']
    table.verdicts += [Verdict(f"{name}: receipt p99", 2, "s", p99_s),
                       Verdict(f"{name}: health not taken", 0, "", missed_n)]
    table.figures[name] = {"p50_s": p50_s, "p99_s": p99_s, "most_s": ordered[-1], "cpu_pct": share_pct, "rss_b": rss_b,
                           "commit_s": commit_s, "events_n": crowd.events_n, "health_n": crowd.health_n}
