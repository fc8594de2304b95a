"""Status, health, gaps and the ingest's own state, over a real broker."""
import json
import sqlite3

import pytest
import sqlalchemy as sql

from agent.ward import database
from tests.rigs.wait import until
from tests.rigs.ward.ingest import WardIngest
from tests.rigs.ward.reporting_device import Teller


@pytest.fixture
def ward(tmp_path, broker):
    with WardIngest(tmp_path / "ward", broker.port) as ward:
        until(lambda: ward.figures().get("taimat_ward_connected") == 1.0)
        yield ward


def settle(ward, device, seq):
    """Wait until everything that was said before is committed."""
    device.say("evt", device.event(seq))
    until(lambda: seq in device.receipts()["taken"])


def test_the_word_of_a_replaced_connection_is_counted_and_ignored(broker, ward):
    with Teller(broker.port) as device:
        device.say("status", device.status(conn=7))
        device.say("status", device.status(online=False, conn=6, why="lost"))
        settle(ward, device, 1)
        assert ward.device(device.dev).online
        device.say("status", device.status(online=False, conn=7, why="shutdown"))
        settle(ward, device, 2)
        assert (ward.device(device.dev).online, ward.device(device.dev).why) == (False, "shutdown")
    assert ward.figures()["taimat_ward_zombies_total"] == 1


def test_a_retained_report_holds_for_what_the_broker_says_is_left_of_it(tmp_path, broker):
    with Teller(broker.port) as device:
        device.say("status", device.status(), expiry_s=1200, retain=True)
        device.say("health", device.health(int_s=30), expiry_s=20, retain=True)
        with WardIngest(tmp_path / "ward", broker.port) as ward:
            row = until(lambda: (row := ward.device(device.dev)) and row.health_ms and row.status_until_ms and row)
            assert 15_000 <= row.health_until_ms - row.health_ms <= 20_000
            assert row.status_until_ms - row.first_ms > 1_190_000
            device.say("status", b"", retain=True)
            row = until(lambda: (row := ward.device(device.dev)) and row.online is False and row)
            assert row.why == "removed"


def test_of_health_the_newest_stays_and_the_history_is_thin(broker, ward):
    with Teller(broker.port) as device:
        for seq in range(1, 6):
            device.say("health", device.health(seq=seq))
        settle(ward, device, 1)
        assert json.loads(ward.device(device.dev).health)["seq"] == 5
    history = ward.rows(sql.select(database.health_history.c.message))
    assert 1 <= len(history) <= 2 and json.loads(history[0].message)["seq"] == 1


def test_missing_events_are_asked_for_after_a_minute_and_a_gap_settles_them(broker, ward):
    with Teller(broker.port) as device:
        device.say("status", device.status())
        for seq in (10, 11, 15, 20):
            settle(ward, device, seq)
        assert json.loads(ward.device(device.dev).holes)[0][:2] == [12, 14]
        ward.stop()
        with sqlite3.connect(ward.url.removeprefix("sqlite:///")) as db:
            db.execute("UPDATE device SET holes = '[[12, 14, 1000, 0], [16, 19, 1000, 0]]'")
        ward.start()
        until(lambda: len(device.commands()) == 2, "it asks for both stretches")
        (name, first), (_, second) = device.commands()
        assert name == "replay" and first["exp"] > first["iat"] and len({first["id"], second["id"]}) == 2
        assert [each["args"] for each in (first, second)] == [{"from": 12, "to": 14}, {"from": 16, "to": 19}]
        device.say("evt", device.event(21, kind="gap", code="outbox_full", missing=[[16, 19]], n=4))
        device.say("evt", device.event(13))
        settle(ward, device, 14)
        assert [hole[:2] for hole in json.loads(ward.device(device.dev).holes)] == [[12, 12]]
        until(lambda: ward.figures().get("taimat_ward_missing_events") == 1)


def test_devices_hear_whether_the_ingest_is_at_work(broker, ward):
    with Teller(broker.port) as device:
        until(lambda: device.ward_online() is True)
        ward.stop()
        until(lambda: device.ward_online() is False)
        ward.start()
        until(lambda: device.ward_online() is True)


def test_without_a_database_no_receipts_and_with_it_again_nothing_is_missing(broker, ward):
    with Teller(broker.port) as device:
        settle(ward, device, 1)
        with sqlite3.connect(ward.url.removeprefix("sqlite:///")) as db:
            db.execute("ALTER TABLE event RENAME TO elsewhere")
        device.say("evt", device.event(2))
        until(lambda: device.ward_online() is False, "it says that it is not at work")
        until(lambda: "see [database] url" in ward.log.read_text())
        assert device.receipts()["taken"] == [1]
        with sqlite3.connect(ward.url.removeprefix("sqlite:///")) as db:
            db.execute("ALTER TABLE elsewhere RENAME TO event")
        until(lambda: device.ward_online() is True)
        settle(ward, device, 2)
    assert ward.seqs() == [1, 2]
