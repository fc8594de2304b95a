"""The ingest behind a real broker, with real links: nothing is lost, nothing counted twice, whoever dies."""
import json
import random
import sqlite3
import time

import sqlalchemy as sql

from agent.ward import database
from tests.rigs.device.link_role import LinkRig
from tests.rigs.wait import until
from tests.rigs.ward.ingest import WardIngest
from tests.rigs.ward.reporting_device import Teller


def test_nothing_is_lost_over_kills_of_ingest_broker_and_link(tmp_path, broker):
    chance = random.Random(11)
    with WardIngest(tmp_path / "ward", broker.port) as ward, LinkRig(tmp_path / "link", broker.port) as rig:
        seqs = []
        for victim in ("ingest", "link", "ingest", "broker", "ingest", "ingest"):
            for _ in range(20):
                seqs.append(rig.append())
                time.sleep(chance.uniform(0.005, 0.025))
            part = {"ingest": ward, "link": rig, "broker": broker}[victim]
            part.kill()
            seqs += [rig.append() for _ in range(5)]
            part.start()
            time.sleep(chance.uniform(0.1, 0.5))
        until(lambda: rig.waiting_n() == 0, "the outbox is empty")
        assert ward.seqs() == seqs


def test_what_came_while_it_was_away_waits_at_the_broker(tmp_path, broker):
    with WardIngest(tmp_path / "ward", broker.port) as ward, Teller(broker.port) as device:
        until(lambda: device.ward_online())
        ward.kill()
        for seq in range(1, 51):
            device.say("evt", device.event(seq))
        assert ward.seqs() == []
        ward.start()
        until(lambda: sorted(device.receipts()["taken"]) == list(range(1, 51)), "each has its receipt")
        assert len([topic for topic, _ in device.heard if topic.endswith("/ack")]) <= 10, "they come in batches"

def test_a_device_answers_for_what_is_missing(tmp_path, broker):
    """What the ward once had and lost, as with a restored backup, is asked for; the device says that it is gone."""
    with WardIngest(tmp_path / "ward", broker.port) as ward, LinkRig(tmp_path / "link", broker.port) as rig:
        seqs = [rig.append() for _ in range(5)]
        until(lambda: rig.waiting_n() == 0, "the outbox is empty")
        ward.stop()
        with sqlite3.connect(ward.url.removeprefix("sqlite:///")) as db:
            db.execute("DELETE FROM event WHERE seq = ?", (seqs[2],))
            db.execute("UPDATE device SET holes = ?", (f"[[{seqs[2]}, {seqs[2]}, 1000, 0]]",))
        ward.start()
        until(lambda: ward.device(rig.dev()).holes == "[]", "nothing is missing any more")
        gap = ward.rows(sql.select(database.event.c.message).where(database.event.c.kind == "gap"))
        assert json.loads(gap[0].message)["data"]["missing"] == [[seqs[2], seqs[2]]]
