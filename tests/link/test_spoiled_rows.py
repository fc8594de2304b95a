"""Rows that hold what nobody has written never end the link: messages are set aside and named, all else passed over."""
import json
from pathlib import Path

import pytest

from agent.core.contract.facts import Poke
from agent.host.datagram import Inbox
from agent.link import outbox_upkeep
from agent.store import commands, damage, outbox
from agent.store.database import transaction
from tests.rigs.device.link_role import LinkRig
from tests.rigs.mqtt.broker import Broker
from tests.rigs.store.kept_store import KeptStore
from tests.rigs.wait import HANG_S, until
from tests.rigs.ward.receiver import Ingest
from tests.rigs.ward.requests import insert

NO_TEXT = "CAST(X'FFFE41' AS TEXT)"
SPOILED = [f"data = {NO_TEXT}", "data = ''", "data = '{'", "data = '[]'", "wall_ms = 1 << 60", "mono_ms = -(1 << 60)",
           f"camera = {NO_TEXT}", f"kind = {NO_TEXT}", "data = '{\"a\":\"\\ud800\"}'"]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has met nothing yet."""
    monkeypatch.setattr(damage, "DOUBT", damage.Doubt())


def test_messages_that_nobody_can_read_are_set_aside_and_named_and_those_behind_them_go(tmp_path: Path):
    with Broker(tmp_path / "broker") as broker, Ingest(broker.port, tmp_path) as ward:
        rig = LinkRig(tmp_path / "link", broker.port)
        keeper = Inbox(rig.runtime, "keeper")
        before, bad = rig.append(), [rig.append() for _ in SPOILED]
        for seq, change in zip(bad, SPOILED, strict=True):
            rig.db.execute(f"UPDATE outbox SET {change} WHERE seq = ?", (seq,))
        behind = rig.append()
        _spoil_all_else(rig)
        with rig:
            until(lambda: {event["seq"] for event in ward.events()} >= {before, behind})
            told = until(lambda: [event["data"] for event in ward.events() if event["data"]["kind"] == "security"])
            assert (told[0]["code"], told[0]["seq"]) == ("undecodable", bad[0])
            assert [tuple(row) for row in rig.db.execute("SELECT seq, code FROM quarantine ORDER BY seq")] == [
                (seq, "undecodable") for seq in bad]
            until(lambda: rig.waiting_n() == 0)
            assert {event["seq"] for event in ward.events()}.isdisjoint(bad) and ward.last("/status")["conn"] == 1
            until(lambda: [each for each in keeper.waiting() if isinstance(each, Poke) and each.what == "database"])
        keeper.close()


def _spoil_all_else(rig: LinkRig) -> None:
    """Of each other table that the link reads, a row."""
    now = rig.clock.now()
    for _ in range(2):
        insert(rig.db, now=now)
    with transaction(rig.db) as db:
        outbox.defer(db, "motion", "gate", now, "{}", events=[1])
        db.execute("UPDATE deferred SET events = '[1'")
        commands.add(db, commands.Ordered("A" * 26, "restart", "ops", "accepted", b"{}", True, "ops", None, now))
        db.execute("UPDATE command SET answer = 'yes'")
        db.execute("UPDATE request SET state = 'eaten' WHERE n = 1")
        db.execute(f"UPDATE request SET purpose = {NO_TEXT} WHERE n = 2")
        db.execute("INSERT INTO event (camera, kind, state, boot, mono_ms, wall_ms, clock, zones) "
                   f"VALUES ({NO_TEXT}, 'motion', 'done', 'b', 1, 1 << 61, 'ntp', '[')")
        db.execute("INSERT INTO meta VALUES ('update', '{}'), ('home.shown', '5'), ('notify.states', '7')")


def test_a_full_outbox_is_folded_past_messages_that_nobody_can_read(db, hand_clock):
    with transaction(db):
        for number in range(400):
            outbox.append(db, "motion", "gate", hand_clock.now(), json.dumps({"event": number, "pad": "x" * 200,
                                                                              "dur_ms": "long"}))
        db.execute("UPDATE outbox SET data = '' WHERE seq % 9 = 0")
    backlog = outbox_upkeep.measure(db, hand_clock.now())
    while outbox.keep(db, hand_clock, 0, backlog.bytes // 4):
        pass
    assert outbox_upkeep.measure(db, hand_clock.now()).bytes < backlog.bytes / 4


def test_messages_that_wait_for_a_word_go_past_one_that_nobody_can_read(db, hand_clock):
    with transaction(db):
        for number in range(3):
            outbox.defer(db, "motion", "gate", hand_clock.now(), "{}", events=[number])
        db.execute("UPDATE deferred SET data = '{' WHERE n = 2")
    assert outbox.settle_deferred(db, hand_clock.now()).released_n == 2
    assert [row["seq"] for row in outbox.after(db, 0, 9)] == [1, 2]


def test_a_job_that_fails_in_whatever_way_ends_neither_the_thread_nor_who_waits_for_it(tmp_path: Path, hand_clock):
    store = KeptStore(tmp_path, hand_clock)
    assert store.wait_for(lambda db: int("no number"), None) is None
    assert until(lambda: store.fault) and damage.DOUBT.met_n == 1
    assert store.wait_for(lambda db: 7, HANG_S) == 7 and store.fault is None
    store.close()
