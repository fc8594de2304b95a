"""The link's side towards the card: the bound holds, its thread neither blocks nor hides, outages have a history."""
import json
import threading
from dataclasses import replace

import msgspec
import pytest

from agent.config.settings import Settings, Ward
from agent.core.contract import wire
from agent.host.clock import Instant
from agent.link.outbox_upkeep import OutboxBacklog, measure
from agent.link.report import HISTORY_EVERY_S, Reporter
from agent.link.store_thread import JOBS_MAX, StoreThread
from agent.store import outbox
from agent.store.database import FILE, StoreError, connect, transaction
from agent.store.folders import Folders
from agent.store.outbox import keep
from tests.rigs.store.joined import join
from tests.rigs.store.kept_store import KeptStore
from tests.rigs.wait import HANG_S, until


class HandClock:
    """A clock that moves when told to."""

    def __init__(self):
        self.moment = Instant("9f2c1a7e", 10_000_000, 1_795_561_300_000, "ntp")

    def now(self):
        return self.moment

    def mono_s(self):
        return self.moment.mono_ms / 1000

    def step(self, seconds):
        by_ms = round(seconds * 1000)
        self.moment = replace(self.moment, mono_ms=self.moment.mono_ms + by_ms, wall_ms=self.moment.wall_ms + by_ms)


def fill(db, clock, rows):
    with transaction(db):
        for number in range(rows):
            kind = ("motion", "clip", "motion", "health_hist", "security")[number % 5]
            data = {"event": number, "phase": "start", "pad": "x" * 200}
            outbox.append(db, kind, "gate", clock.now(), json.dumps(data))
            clock.step(60)


def test_a_full_outbox_folds_motion_and_announces_all_that_went(tmp_path):
    db, clock = join(connect(tmp_path)), HandClock()
    fill(db, clock, 3000)
    bound_b, whole_b = 600_000, measure(db, clock.now()).bytes
    assert whole_b > bound_b
    while keep(db, clock, after_seq=10, bound_b=bound_b):
        pass
    assert measure(db, clock.now()).bytes <= bound_b
    rows = [wire.Entry(*row) for row in outbox.after(db, 0, 10_000)]
    gaps = [msgspec.json.decode(row.data, type=wire.GapData) for row in rows if row.kind == "gap"]
    announced = {seq for gap in gaps for first, last in gap.missing for seq in range(first, last + 1)}
    kept = {row.seq for row in rows if row.kind != "gap"}
    assert announced | kept == set(range(1, 3001)) and not announced & kept
    assert all(len(row.data) < 8000 for row in rows)
    assert sum(row.kind == "clip" for row in rows) == sum(row.kind == "security" for row in rows) == 600
    assert not any(row.kind == "health_hist" and row.seq > 10 for row in rows), "health history goes before motion"
    assert set(range(1, 11)) <= kept, "what is under way stays"
    folded_motion_n = 1200 - sum(row.kind == "motion" for row in rows)
    assert sum(hour.motion_n for gap in gaps for hour in gap.hours) == folded_motion_n > 0


def test_the_quarantine_is_bounded(tmp_path):
    db, clock = join(connect(tmp_path)), HandClock()
    fill(db, clock, 1100)
    for row in outbox.after(db, 0, 1100):
        outbox.quarantine(db, row["seq"], "schema")
    keep(db, clock, after_seq=0)
    assert tuple(db.execute("SELECT MIN(seq), COUNT(*) FROM quarantine").fetchone()) == (101, 1000)


def test_a_store_thread_at_work_keeps_nobody_waiting(tmp_path):
    store, gate, done = KeptStore(tmp_path, HandClock()), threading.Event(), []
    try:
        store.ask(lambda db: gate.wait(HANG_S), done.append)
        assert store.wait_for(lambda db: 1, 0.05) is None
        asked_n = sum(store.ask(lambda db: None) for _ in range(2 * JOBS_MAX))
        assert JOBS_MAX - 2 <= asked_n <= JOBS_MAX and store.dropped_n == 2 * JOBS_MAX - asked_n
        gate.set()
        assert until(lambda: store.wait_for(lambda db: 7, HANG_S)) == 7
        store.turn()
        assert done == [True]
    finally:
        gate.set()
        store.close()


def test_a_store_that_fails_is_named_and_healed_from(tmp_path):
    store, results = KeptStore(tmp_path, HandClock()), []
    assert store.wait_for(lambda db: db.execute("SELECT * FROM no_such_table"), HANG_S) is None
    assert until(lambda: store.fault) == "no such table: no_such_table"
    store.ask(lambda db: db.execute("SELECT 5").fetchone()[0], results.append)
    until(lambda: store.turn() or results == [5])
    assert store.fault is None
    store.close()


def test_a_store_that_can_not_be_opened_ends_the_role(tmp_path):
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="taimat.db"):
        StoreThread(tmp_path, tmp_path)


class Offline:
    """A session that is down, and a pen that writes down."""

    up, connects_n = False, 0

    def __init__(self):
        self.written = []

    def write(self, kind, data):
        self.written.append((kind, data))


def test_an_outage_leaves_one_health_report_in_five_minutes(tmp_path):
    clock, offline = HandClock(), Offline()
    reporter = Reporter(Settings(ward=Ward(enabled=True, health_every_s=30)), Folders(tmp_path), clock, offline)
    for _ in range(60):
        reporter.turn(offline, wire.Topics("w07", "c-7f3a9c21b04d"), OutboxBacklog(n=4))
        clock.step(30)
    assert [kind for kind, _ in offline.written] == ["health_hist"] * round(60 * 30 / HISTORY_EVERY_S - 1)
    assert offline.written[-1][1].outbox_n == 4


class Online(Offline):
    """A session that is up, and remembers what was posted."""

    up, connects_n = True, 1

    def post(self, message):
        self.written.append(message)


def test_while_the_wards_ingest_is_away_health_is_thinned_out(tmp_path):
    clock, online = HandClock(), Online()
    reporter = Reporter(Settings(ward=Ward(enabled=True, health_every_s=30)), Folders(tmp_path), clock, online)

    def posts_in(seconds):
        before = len(online.written)
        for _ in range(seconds // 10):
            reporter.turn(online, wire.Topics("w07", "c-7f3a9c21b04d"), OutboxBacklog())
            clock.step(10)
        return len(online.written) - before

    assert posts_in(300) == 10
    reporter.thin_out(True)
    assert posts_in(290) == 1
    reporter.thin_out(False)
    assert 9 <= posts_in(300) <= 10
    assert online.written[-1].expiry_s == 90
