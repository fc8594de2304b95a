"""A city's cluster as firmware_cfg/ward has it: three RabbitMQ nodes, 6,279 devices, two ingests, one PostgreSQL.

The devices come to the cluster themselves, one connection each: a city whose wards have brokers of their own asks less
of it. So many sessions can't be quorum queues, so there are none: who is away repeats. Certificates are those of a
ward's authority, nodes and clients stand in network namespaces, PostgreSQL flushes each commit. All nodes share this
machine's processors with the devices. One node is killed while events come, another one hangs, somebody is revoked.
"""
import contextlib
import math
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sql
from cryptography.hazmat.primitives.asymmetric import ec

from agent.ward import database, rights
from agent.ward.authority.probe import BrokerDoor, Pass
from scripts.benches import needs
from scripts.benches.city_simulation.machine import busy_cpu_s, raise_open_files, used
from scripts.benches.city_simulation.plan import WARD, CityPlan
from scripts.benches.city_simulation.processes import DeviceProcesses
from scripts.benches.city_simulation.tally import FleetLook
from scripts.benches.plan import Plan, tell
from scripts.benches.processes import BenchError
from scripts.benches.table import Table, Verdict
from tests.rigs.wait import until
from tests.rigs.ward import cluster, postgres
from tests.rigs.ward.authority import Hierarchy, csr_of, now, private_pem
from tests.rigs.ward.cluster import ADDRESSES, PORT, Cluster
from tests.rigs.ward.ingest import WardIngest

CITY_N, SOME_N = 6279, 60           # devices
EVENTS_S = 50
RAMP_S = 25.0                       # devices a second: each handshake is three signatures on these processors
HANGS_S = 30.0
GOING = "c-ffffffffffff"
PATIENCE_S = 900.0


class CityIngest(WardIngest):
    """With the contract's waits, at one of the nodes: two ingests at one node would hang with it."""

    started_as = ("agent.__main__:main", "ward", "ingest")

    def __init__(self, folder: Path, authority: Hierarchy, name: str, url: str, host: str) -> None:
        cert, key = authority.account(name)
        super().__init__(folder / name, PORT, url, f'wards = ["all"]\nkeepalive_s = 30\ntls = true\nhost = "{host}"\n'
                         f'ca = "{authority.ca}"\ncert = "{cert}"\nkey = "{key}"')


@dataclass(frozen=True, slots=True)
class Meters:
    """CPU seconds of the nodes and of the whole machine until a moment."""

    at_s: float
    nodes_s: float
    machine_s: float


class City:
    """All of it at work."""

    def __init__(self, folder: Path, devices_n: int, stack: contextlib.ExitStack) -> None:
        """Start it; the devices begin to come."""
        raise_open_files(devices_n)
        tell(f"city: {devices_n:,} keys and certificates")
        self.authority = Hierarchy(folder / "pki")
        devices = [f"c-{number:012x}" for number in range(devices_n)]
        certificates = [_both(self.authority, dev) for dev in devices]
        (folder / WARD).write_text("\n".join([*devices, GOING]))
        users = rights.users_of({WARD: str(folder / WARD)}, ingests_n=2)
        tell("city: three nodes")
        self.cluster = stack.enter_context(
            Cluster(folder / "nodes", self.authority, rights.definitions(users), session_s=0))
        stack.enter_context(self.cluster.network())
        self.url = stack.enter_context(postgres.Postgres(flush=True)).url
        self.ingests = [stack.enter_context(CityIngest(folder, self.authority, f"ingest-{number + 1}", self.url, host))
                        for number, host in enumerate(ADDRESSES[:2])]
        until(lambda: all(each.figures().get("taimat_ward_connected") for each in self.ingests), "both ingests are up")
        plan = CityPlan(devices_n, EVENTS_S, 0, restart=True, hosts=ADDRESSES, start_per_s=RAMP_S)
        self.settle_s, self.devices_n = plan.settle_s, devices_n
        self.processes = stack.enter_context(DeviceProcesses(plan, PORT, self.authority.ca, certificates))

    def all_there(self, since_mono_s: float = 0.0) -> tuple[FleetLook, float]:
        """Wait until all are there; returns what they counted, and how long after that moment the last one came."""
        told_n, look = 0, self.processes.order("look")

        def complete() -> bool:
            nonlocal told_n, look
            look = self.processes.order("look")
            if len(look.up_mono_s) - told_n >= self.devices_n / 5:
                told_n = len(look.up_mono_s)
                tell(f"city: {told_n:,} devices are there, load {os.getloadavg()[0]:.1f}")
            return len(look.up_mono_s) == self.devices_n

        until(complete, "all devices are there", PATIENCE_S)
        return look, max(0.0, max(look.up_mono_s) - (since_mono_s or min(look.up_mono_s)))

    def settle(self) -> FleetLook:
        """No more events; wait for the receipts of those on their way. Then events go on."""
        self.processes.order("rest")
        with contextlib.suppress(AssertionError):           # missing receipts are the figure
            until(lambda: not self.processes.order("look").waiting_n, "all receipts are back", 4 * self.settle_s)
        return self.processes.order("look")

    def meters(self) -> Meters:
        """Now."""
        nodes_s = sum(used(node.pid).cpu_s for node in self.cluster.nodes if node.is_alive)
        return Meters(time.monotonic(), nodes_s, busy_cpu_s())

    def rss_mb(self) -> str:
        """Of the nodes."""
        return " ".join(f"{used(node.pid).rss_b / 1e6:.0f}" for node in self.cluster.nodes if node.is_alive)

    def kept_n(self) -> int:
        """Events in the database: (device, seq) is its key, so none is there twice."""
        engine = database.open_engine(self.url, read_only=True)
        with engine.connect() as db:
            found: int = db.execute(sql.select(sql.func.count()).select_from(database.event)).scalar_one()
        engine.dispose()
        return found


def _both(authority: Hierarchy, dev: str) -> Path:
    """A file with a device's key and certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    path = authority.folder / f"{dev}.pem"
    path.write_bytes(private_pem(key) + authority.issuer.device(csr_of(key), dev, now()).encode())
    return path


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table. Raises Missing and BenchError."""
    if lines := [line for line in (cluster.missing(), postgres.missing()) if line]:
        raise needs.Missing("\n".join(lines))
    devices_n, steady_s = plan.rounds(CITY_N, SOME_N), plan.long_s(120, 15)
    table = Table(f"{devices_n:,} devices at a cluster of three RabbitMQ nodes, {EVENTS_S} events a second; "
                  f"load {os.getloadavg()[0]:.1f} before",
                  ("", "seconds", "event lag p50 s", "p99 s", "most s", "nodes CPU %", "machine CPU %", "nodes RSS MB",
                   "dials each"))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taimat-bench-", dir="/var/tmp")))
        try:
            measure(City(folder, devices_n, stack), table, steady_s)
        except AssertionError as late:
            raise BenchError(str(late)) from late
    yield table


def measure(city: City, table: Table, steady_s: float) -> None:
    """Fill the table."""
    def phase(what: str, act: Callable[[], float]) -> None:
        city.processes.order("mark")
        city.processes.order("move")
        began = city.meters()
        took_s = act()
        ended, rss_mb, look = city.meters(), city.rss_mb(), city.settle()
        long_s = ended.at_s - began.at_s
        lags_s = sorted(look.tally.lags_s) or [0.0]
        p50_s, p99_s = (lags_s[math.ceil(share * len(lags_s)) - 1] for share in (0.5, 0.99))
        row = (took_s, p50_s, p99_s, lags_s[-1], max(0.0, 100 * (ended.nodes_s - began.nodes_s) / long_s),
               100 * (ended.machine_s - began.machine_s) / long_s)
        dials = (look.tally.dials_n - look.tally.faults["no_broker"]) / city.devices_n
        table.rows.append((what, *(f"{each:.1f}" if at > 3 or not at else f"{each:.2f}" for at, each in enumerate(row)),
                           rss_mb, f"{dials:.3f}"))
        table.figures[what] = {"row": row, "faults": dict(look.tally.faults), "events_n": look.tally.events_n,
                               "offers_n": look.tally.offers_n, "dials": dials, "waiting_n": look.waiting_n}
        tell(f"city: {what}: {table.rows[-1]}")

    phase(f"all come, {RAMP_S:g} a second", lambda: city.all_there()[1])
    phase("nothing breaks", lambda: time.sleep(steady_s) or steady_s)
    phase("a node is killed, until all are back", lambda: kill(city))
    phase("it comes back", lambda: come_back(city))
    phase(f"a node hangs for {HANGS_S:g} s, until all are back", lambda: hang(city))
    revoked_s = revoke(city)
    look = city.processes.order("look")
    made_n, kept_n = sum(look.made.values()), city.kept_n()
    table.verdicts += [Verdict("events lost", 0, "", made_n - kept_n),
                       Verdict("events without a receipt", 0, "", look.waiting_n),
                       Verdict("revoked, until it is out", 5, "s", revoked_s)]
    copies_n = sum(each.figures()["taimat_ward_repeated_events_total"] for each in city.ingests)
    table.notes.append(f"{made_n:,} events made, {kept_n:,} in the database; {copies_n:,.0f} copies recognised: each "
                       "event comes to both ingests")


def kill(city: City) -> float:
    """A node at work is gone; returns when the last of its devices is back elsewhere."""
    killed_s = time.monotonic()
    city.cluster.nodes[0].kill()
    time.sleep(3)
    return city.all_there(killed_s)[1]


def come_back(city: City) -> float:
    """It is started again; returns when it listens."""
    began_s = time.monotonic()
    city.cluster.nodes[0].begin()
    city.cluster.nodes[0].wait()
    return time.monotonic() - began_s


def hang(city: City) -> float:
    """A node says nothing for a while, and comes to itself again."""
    began_s = time.monotonic()
    city.cluster.nodes[1].signal(signal.SIGSTOP)
    time.sleep(HANGS_S)
    city.cluster.nodes[1].signal(signal.SIGCONT)
    return city.all_there(began_s)[1]


def revoke(city: City) -> float:
    """Somebody who is connected to one node is deleted at another; returns when the connection has ended."""
    shown = Pass.issue(city.authority.issuer, GOING, city.authority.folder / f"{GOING}.pem", now())
    door = BrokerDoor(city.cluster.nodes[2].host, PORT, city.authority.ca, 60)
    with door.entered(shown, clean=True) as client:
        began_s = time.monotonic()
        city.cluster.nodes[0].ctl("delete_user", GOING)
        until(lambda: client.loop(0.05), "the revoked one is out")
        return time.monotonic() - began_s
