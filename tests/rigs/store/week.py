"""A device without a broker for days, in minutes: the real store, bound and drain on a clock that is moved by hand.

At the end the broker is back: what is published goes straight into the real intake of a ward with its database, and
the connection breaks now and then.
"""
import json
import random
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sql
from msgspec import Struct

from agent.core.contract import wire
from agent.core.delivery.outbox import BOUND_B, OutboxPace
from agent.link.audit import Audit, EventWriter
from agent.link.drain import Drain
from agent.link.outbox_upkeep import measure
from agent.mqtt.messages import Arrived, Outgoing
from agent.store import outbox
from agent.store.database import connect, transaction
from agent.store.outbox import keep
from agent.ward import database
from agent.ward.citytopics import WardTopics
from agent.ward.database import open_engine
from agent.ward.device_cache import DeviceCache
from agent.ward.metrics import IngestMetrics
from agent.ward.quota import Quota
from agent.ward.reception import Reception
from tests.conftest import HandClock
from tests.rigs.store.joined import join
from tests.rigs.store.kept_store import KeptStore

TOPICS = wire.Topics("w07", "c-7f3a9c21b04d")
FAST = OutboxPace(per_s=2000, burst_n=200)
ROOM_N, TURN_S = 100, 0.5
DAY_S, HISTORY_S = 86_400, 300
PATH = [[number, 1, 300 + 9 * number, 410, 120, 260] for number in range(24)]
RARE_A_DAY = {"tamper": 4, "consent": 1, "command": 6, "security": 3, "camera": 4, "storage": 1, "clock": 1}


def rare(kind: str, number: int) -> Struct:
    """An event of a kind that comes a few times a day."""
    ulid = f"01JDX0000000000000000{number:05d}"
    return {"tamper": wire.TamperData(event=number, code="covered", phase="start", start_ms=5, strength=0.9),
            "consent": wire.ConsentData(request=ulid, code="approved", by="page", case="HS-2026-117"),
            "command": wire.CommandData(id=ulid, name="rebirth", st="done", by="ops"),
            "security": wire.SecurityData(code="bad_payload", n=number),
            "camera": wire.CameraData(code="camera_stalled", phase="end", gap_s=14.2),
            "storage": wire.StorageData(code="card_io", phase="start", detail="/dev/mmcblk0: I/O error"),
            "clock": wire.ClockData(code="step", utc_ms=1, offset_ms=1, step_ms=2100)}[kind]


class Away:
    """A device on its own, and what has happened to it."""

    def __init__(self, folder: Path, chance: random.Random, bound_b: int = BOUND_B) -> None:
        self.folder, self.chance, self.bound_b = folder, chance, bound_b
        self.db, self.clock = join(connect(folder)), HandClock()
        self.written: Counter[str] = Counter()
        self.motions_n = self.highest_b = 0

    def live(self, days: int, motions_a_day: int) -> None:
        """Let so many days pass; each hour the link looks after its outbox."""
        for hour in range(24 * days):
            with transaction(self.db):
                self._hour(motions_a_day // 24)
                for kind, a_day in RARE_A_DAY.items():
                    for _ in range(a_day if hour % 24 == 12 else 0):
                        self._write(kind, rare(kind, self.written[kind]))
            self.look()

    def look(self) -> None:
        """Measure, and have give way what must."""
        while keep(self.db, self.clock, after_seq=0, bound_b=self.bound_b):
            pass
        self.highest_b = max(self.highest_b, measure(self.db, self.clock.now()).bytes)

    def kinds(self) -> Counter[str]:
        """What waits, by kind."""
        return Counter(dict(tuple(row) for row in self.db.execute("SELECT kind, COUNT(*) FROM outbox GROUP BY kind")))

    def _hour(self, motions_n: int) -> None:
        for number in range(3600 // HISTORY_S):
            self._write("health_hist", wire.Health(v=1, seq=number, boot=self.clock.boot, clock="ntp", int_s=30,
                                                   mono_ms=self.clock.now().mono_ms, cpu_pct=23.5, up_s=1.0,
                                                   roles=dict.fromkeys(("capture", "keeper", "link", "web"), "ok")))
            share_n = motions_n * (number + 1) // 12 - motions_n * number // 12
            for _ in range(share_n):
                self._motion(HISTORY_S / (share_n + 1))
            self.clock.advance(HISTORY_S / (share_n + 1))

    def _motion(self, every_s: float) -> None:
        self.motions_n += 1
        event, start_ms, clip = self.motions_n, self.clock.now().mono_ms, f"gate-{self.clock.boot}-{self.motions_n:06d}"
        self._write("motion", wire.MotionData(event=event, phase="start", start_ms=start_ms))
        self.clock.advance(every_s)
        self._write("clip", wire.ClipData(id=clip, start_ms=start_ms, dur_ms=20_000, bytes=3_145_728, frames=300,
                                          codec="h264", width=1920, height=1080, events=[event]))
        self._write("motion", wire.MotionData(
            event=event, phase="end", start_ms=start_ms, dur_ms=self.chance.randrange(2000, 20_000), score=0.42,
            zones=["driveway"], tracks_n=1, boxes=[[0.31, 0.41, 0.12, 0.26]], path=PATH, clip=wire.ClipRef(id=clip)))
        self._write("label", wire.LabelData(event=event, label="person", score=0.71))

    def _write(self, kind: str, data: Struct) -> None:
        camera = None if kind in ("health_hist", "consent", "command", "security", "clock", "storage") else "gate"
        outbox.append(self.db, kind, camera, self.clock.now(), wire.encode(data))
        self.written[kind] += 1


class Straight:
    """In the place of a session: what is published comes straight to the ward's intake, unless the line breaks."""

    def __init__(self, intake: Reception) -> None:
        self._intake, self._way = intake, list[tuple[int, Outgoing]]()

    @property
    def room_n(self) -> int:
        """As of a broker with a Receive Maximum."""
        return ROOM_N - len(self._way)

    def fits(self, _message: Outgoing) -> bool:
        """Everything does."""
        return True

    def publish(self, message: Outgoing, seq: int) -> None:
        """It is on its way."""
        self._way.append((seq, message))

    def arrive(self, first_n: int | None = None) -> list[int]:
        """What is on its way comes, the first so many of it; the rest is lost. Returns the seqs that came."""
        came, self._way = self._way[:first_n], []
        for _, message in came:
            self._intake.receive(Arrived(message.topic, message.payload, False, None, None))
        return [seq for seq, _ in came]


@dataclass(slots=True)
class Told:
    """What the ward has in the end."""

    seqs: list[int]
    missing: list[int]              # named in gaps
    kinds: Counter[str]
    motions_n: int                  # told one by one, or counted in the hours of a gap
    holes: tuple[object, ...]       # what it still misses
    repeated_n: int                 # copies that it had already


def come_back(away: Away, ward: Path, breaks_pct: float = 5.0) -> Told:
    """Drain everything into a ward; in so many of a hundred turns the line breaks, with half the messages and all
    answers on it."""
    engine, clock = open_engine(f"sqlite:///{ward}"), away.clock
    book, metrics = DeviceCache(engine), IngestMetrics()
    intake = Reception(WardTopics("w07"), book, clock, metrics, Quota(0, bounded=False))
    store = KeptStore(away.folder, clock)
    audit = Audit(EventWriter(store, lambda: None), clock)
    drain, session = Drain(store, clock, audit, "receipt", FAST, threading.Event()), Straight(intake)
    drain.ready()
    while outbox.waiting(away.db)[0]:
        clock.advance(TURN_S)
        drain.turn(session, TOPICS)
        store.settle()
        broken = away.chance.random() < breaks_pct / 100
        for seq in session.arrive(away.chance.randrange(ROOM_N) if broken else None):
            if not broken:
                drain.acknowledged(seq, 0)
        intake.commit()
        while owed := intake.receipts.next():
            if not broken:
                drain.receipt(owed[1])
        if broken:
            drain.lost()
            drain.ready()
    store.close()
    return _told(engine, book, metrics)


def _told(engine: sql.Engine, book: DeviceCache, metrics: IngestMetrics) -> Told:
    with engine.connect() as db:
        rows = list(db.execute(sql.select(database.event.c.seq, database.event.c.kind, database.event.c.message)
                               .order_by(database.event.c.seq)))
    engine.dispose()
    data = [json.loads(row.message)["data"] for row in rows]
    gaps = [each for each in data if each["kind"] == "gap"]
    folded_n = sum(hour["motion_n"] for gap in gaps for hour in gap.get("hours", []))
    return Told(seqs=[row.seq for row in rows], kinds=Counter(row.kind for row in rows),
                missing=[seq for gap in gaps for first, last in gap["missing"] for seq in range(first, last + 1)],
                motions_n=folded_n + sum(each["kind"] == "motion" and each["phase"] == "start" for each in data),
                holes=book.devices[TOPICS.dev].reach.gaps,
                repeated_n=int(metrics.registry.get_sample_value("taimat_ward_repeated_events_total") or 0))
