"""A campaign against delivery: events arrive without a pause while broker, links and ingest are killed by turns.

Each event carries a number of its own, so what is lost, and what came under two seqs, is seen apart from the seqs.
"""
import contextlib
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sql

from agent.ward import database
from tests.rigs.device.link_role import LinkRig
from tests.rigs.forked import TAIMAT
from tests.rigs.mqtt.broker import Broker
from tests.rigs.ward.ingest import WardIngest
from tests.rigs.ward.receiver import Ingest

DOWN_S = (0.05, 1.0)            # how long a victim stays away, at least and at most
STEP_S = 0.01
AUTOSAVE = "autosave_on_changes true\nautosave_interval 1"
QUEUES = "max_queued_messages 20000\nmax_inflight_messages 20"         # as in firmware_cfg/ward


@dataclass(frozen=True, slots=True)
class Storm:
    """Who is killed how often, and what goes on meanwhile."""

    broker_n: int
    link_n: int
    ingest_n: int = 0
    devices_n: int = 1
    events_s: float = 50.0                  # of all devices together
    pauses_s: tuple[float, float] = (0.3, 1.0)      # between two kills, at least and at most
    contract_waits: bool = False            # those of the contract, instead of the tests' short ones
    drain_s: float = 60.0                   # so long after the last kill all has to have arrived


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    events_n: int = 0                       # that happened
    lost_n: int = 0
    twice_n: int = 0                        # under two seqs, after de-duplication
    came_n: int = 0                         # copies that reached the ward
    left_n: int = 0                         # still in an outbox in the end
    kills: Counter[str] = field(default_factory=Counter)
    took_s: float = 0.0

    @property
    def repeated_pct(self) -> float:
        """Copies beyond the first, as a share of the events."""
        return 100 * max(0, self.came_n - (self.events_n - self.lost_n)) / self.events_n


class Receiver:
    """The ward's real ingest, which sends receipts; what it has counted outlives its kills."""

    lines = QUEUES

    def __init__(self, folder: Path, port: int, storm: Storm) -> None:
        self._ward = WardIngest(folder, port)
        if storm.contract_waits:
            self._ward.started_as = (TAIMAT, "ward", "ingest")
        self._ward.start()
        self._counted_n = self._earlier_n = 0

    def look(self) -> int:
        """Copies that have come so far; those of the last moment before a kill are missed."""
        self._counted_n = int(self._ward.figures().get('taimat_ward_messages_total{what="evt"}', self._counted_n))
        return self._earlier_n + self._counted_n

    def kill(self) -> None:
        """SIGKILL."""
        self._earlier_n, self._counted_n = self.look(), 0
        self._ward.kill()

    def start(self) -> None:
        """Start it again."""
        self._ward.start()

    def numbers(self) -> list[int]:
        """The numbers of the events in its database."""
        rows = self._ward.rows(sql.select(database.event.c.message).where(database.event.c.kind == "motion"))
        return [json.loads(row.message)["data"]["event"] for row in rows]

    def close(self) -> None:
        """End it."""
        self._ward.stop()


class Subscriber:
    """Somebody behind a plain broker that saves its queues: no receipts, and never killed."""

    lines = f"{QUEUES}\n{AUTOSAVE}"

    def __init__(self, folder: Path, port: int, storm: Storm) -> None:
        folder.mkdir()
        self._ear = Ingest(port, folder, receipts=False)

    def look(self) -> int:
        """Copies that have come so far."""
        return self._ear.copies_n

    def numbers(self) -> list[int]:
        """The numbers of the events that came."""
        return [event["data"]["event"] for event in self._ear.events() if event["data"]["kind"] == "motion"]

    def close(self) -> None:
        """Go."""
        self._ear.close()


class Street:
    """The devices, and the events that happen to them by turns."""

    def __init__(self, folder: Path, port: int, delivery: str, storm: Storm) -> None:
        self.rigs = [LinkRig(folder / f"link-{number}", port, f'delivery = "{delivery}"')
                     for number in range(storm.devices_n)]
        for rig in self.rigs if storm.contract_waits else ():
            rig.started_as = ("agent.link",)
        self._every_s, self._due_s, self.events_n = 1 / storm.events_s, time.monotonic(), 0

    def live(self, seconds: float) -> None:
        """So long, events happen; what fell into a pause of ours is made up for."""
        ends_s = time.monotonic() + seconds
        while time.monotonic() < ends_s:
            while self._due_s <= time.monotonic():
                self._due_s += self._every_s
                self.events_n += 1
                self.rigs[self.events_n % len(self.rigs)].append(
                    data=f'{{"event":{self.events_n},"phase":"start","start_ms":5}}')
            time.sleep(STEP_S)

    def waiting_n(self) -> int:
        """Messages in all outboxes; the heartbeats are read away meanwhile."""
        return sum(rig.waiting_n() for rig in self.rigs if rig.facts() is not None)


def campaign(folder: Path, delivery: str, storm: Storm, chance: random.Random,
             tell: Callable[[int], None] = lambda number: None) -> Outcome:
    """Let it rage; then look what has come. `tell` hears how many kills there were."""
    end, began_s = Receiver if delivery == "receipt" else Subscriber, time.monotonic()
    victims = ["broker"] * storm.broker_n + ["link"] * storm.link_n + ["ingest"] * storm.ingest_n
    chance.shuffle(victims)
    done = Outcome(kills=Counter(victims))
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(Broker(folder / "broker", lines=end.lines))
        ward = stack.enter_context(contextlib.closing(end(folder / "ward", broker.port, storm)))
        street = Street(folder, broker.port, delivery, storm)
        for rig in street.rigs:
            stack.enter_context(rig)
        for number, victim in enumerate(victims):
            tell(number)
            street.live(chance.uniform(*storm.pauses_s))
            part = {"broker": broker, "link": chance.choice(street.rigs), "ingest": ward}[victim]
            part.kill()
            street.live(chance.uniform(*DOWN_S))
            part.start()
        street.live(storm.pauses_s[1])
        _drain(street, ward, storm.drain_s)
        counts = Counter(ward.numbers())
        done.events_n, done.left_n, done.came_n = street.events_n, street.waiting_n(), ward.look()
        done.lost_n = street.events_n - len(counts)
        done.twice_n = sum(count > 1 for count in counts.values())
    done.took_s = time.monotonic() - began_s
    return done


def _drain(street: Street, ward: Receiver | Subscriber, within_s: float) -> None:
    """Wait until the outboxes are empty, and then until nothing more comes."""
    ends_s = time.monotonic() + within_s
    while street.waiting_n() and time.monotonic() < ends_s:
        time.sleep(0.1)
    came_n = -1
    while (now_n := ward.look()) != came_n:
        came_n = now_n
        time.sleep(0.5)
