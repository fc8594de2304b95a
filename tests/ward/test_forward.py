"""The forwarder between two real brokers: the city gets every event of the ward once, whoever dies."""
import json
import random
import sqlite3
import time

import pytest
import sqlalchemy as sql

from agent.ward import database
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import HANG_S, until
from tests.rigs.ward.forwarder import WardForward, city
from tests.rigs.ward.ingest import WardIngest
from tests.rigs.ward.reporting_device import Teller
from tests.rigs.ward.typed import typed

DEV = "c-000000000001"
THERE = f"w07/{DEV}"


@pytest.fixture
def brokers(tmp_path):
    with Broker(tmp_path / "ward-broker") as here, Broker(tmp_path / "city-broker") as there:
        yield here, there


@pytest.fixture
def ward(tmp_path, brokers):
    here, there = brokers
    with WardIngest(tmp_path / "ward", here.port, more=city(there.port)) as ward:
        yield up(ward)


@pytest.fixture
def above(tmp_path, brokers):
    with WardIngest(tmp_path / "city", brokers[1].port, ward='wards = ["all"]') as above:
        yield up(above)


def up(part):
    """The part, when its broker has it."""
    connected = "taimat_forward_connected" if isinstance(part, WardForward) else "taimat_ward_connected"
    until(lambda: part.figures().get(connected) == 1)
    return part


def spoil(ward, statement):
    """Change something in the database of a ward or of the city behind everybody's back."""
    with sqlite3.connect(ward.url.removeprefix("sqlite:///"), timeout=HANG_S) as db:
        db.execute(statement)


def test_nothing_is_lost_over_kills_of_forwarder_city_broker_and_city_ingest(brokers, ward, above):
    chance = random.Random(5)
    with WardForward(ward) as forward, Teller(brokers[0].port, DEV) as device:
        seqs = []
        for victim in (forward, brokers[1], above, forward, above, forward):
            up(forward)
            up(above)
            for n in range(20):
                seqs.append(len(seqs) + 1)
                device.say("evt", device.event(seqs[-1]))
                time.sleep(chance.uniform(0.002, 0.02))
                if n == 15:
                    victim.kill()
            victim.start()
        until(lambda: len(above.seqs()) == len(seqs))
        until(lambda: forward.figures()["taimat_forward_waiting_events"] == 0)
        assert ward.seqs(DEV) == above.seqs(THERE) == seqs


def test_an_event_goes_to_the_city_as_it_came(tmp_path, brokers, ward, above):
    with WardForward(ward), Teller(brokers[0].port, DEV) as device:
        event = device.event(7, path="ngõ 3", more={"a": [1, None]})
        device.say("evt", event)
        (row,) = until(lambda: above.rows(sql.select(database.event)))
    (kept,) = ward.rows(sql.select(database.event))
    assert json.loads(row.message) == event and row.message == kept.message and row.dev == THERE


def test_what_came_before_there_was_a_city_is_brought_when_it_is_wished(tmp_path, brokers, above, capsys):
    with WardIngest(tmp_path / "ward", brokers[0].port) as ward, Teller(brokers[0].port, DEV) as device:
        up(ward)
        for seq in (1, 2, 3):
            device.say("evt", device.event(seq))
        until(lambda: len(device.receipts()["taken"]) == 3)
    with ward.config.open("a") as config:
        config.write(city(brokers[1].port))
    assert typed("forward", "--config", ward.config, "--mark-all") == 0
    assert "3 events wait for the city" in capsys.readouterr().out
    with WardForward(ward) as forward:
        up(forward)
        until(lambda: above.seqs(THERE) == [1, 2, 3])


def test_what_the_city_refuses_is_set_aside_counted_and_no_hindrance(brokers, ward, above):
    with WardForward(ward) as forward, Teller(brokers[0].port, DEV) as device:
        device.say("evt", device.event(1))
        until(lambda: above.seqs(THERE) == [1])
        above.stop()
        spoil(above, "UPDATE event SET boot = 'another'")           # so the city takes seq 1 for another event
        up(above.start())
        spoil(ward, "INSERT INTO to_city (dev, seq) SELECT dev, seq FROM event")
        device.say("evt", device.event(2))
        until(lambda: above.seqs(THERE) == [1, 2])
        until(lambda: forward.figures().get("taimat_forward_refused_events") == 1)
        until(lambda: forward.figures()["taimat_forward_waiting_events"] == 0)
        assert [tuple(row) for row in ward.rows(sql.select(database.to_city.c["dev", "seq", "code"]))] == [
            (DEV, 1, "seq_reused")]
        assert "set aside" in forward.log.read_text()


def test_what_the_city_misses_it_gets_from_the_forwarder_and_no_device_is_asked(brokers, ward, above):
    with WardForward(ward) as forward, Teller(brokers[0].port, DEV) as device:
        for seq in range(1, 6):
            device.say("evt", device.event(seq))
        until(lambda: above.seqs(THERE) == [1, 2, 3, 4, 5])
        above.stop()                                                # and comes back from an older backup
        spoil(above, "DELETE FROM event WHERE seq IN (2, 3)")
        spoil(above, "UPDATE device SET holes = '[[2, 3, 1000, 0]]'")
        up(above.start())
        until(lambda: above.seqs(THERE) == [1, 2, 3, 4, 5])
        until(lambda: above.device(THERE).holes == "[]")
        assert forward.figures()["taimat_forward_replays_total"] == 1 and device.commands() == []
