"""A city's ingest: devices of several wards, and several ingests on one PostgreSQL that share the events."""
import time

import pytest
import sqlalchemy as sql

from agent.ward import database
from agent.ward.citytopics import CityTopics
from tests.rigs.device.link_role import LinkRig
from tests.rigs.wait import until
from tests.rigs.ward import postgres
from tests.rigs.ward.ingest import WardIngest

DEV = "c-7f3a9c21b04d"
NEEDS_POSTGRES = pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing())
SHARED = 'wards = ["all"]\nshared = true\nname = "ingest-%d"'


def up(ingest):
    """Wait until the broker has it."""
    until(lambda: ingest.figures().get("taimat_ward_connected") == 1)


def say(rig, events_n):
    """Have a device tell so many events, one after the other; returns their seqs."""
    seqs = []
    for _ in range(events_n):
        seqs.append(rig.append())
        time.sleep(0.005)
    return seqs


def came_n(ingest):
    """How many copies of events the ingest got since it started."""
    return ingest.figures().get('taimat_ward_messages_total{what="evt"}', 0)


def test_a_topic_is_a_devices_of_one_of_the_wards_or_nobodys():
    some, all_of_them = CityTopics(("w01", "w07")), CityTopics()
    assert some.place(f"cam/v1/w07/{DEV}/evt").dev == f"w07/{DEV}" == all_of_them.place(f"cam/v1/w07/{DEV}/evt").dev
    assert some.place(f"cam/v1/w08/{DEV}/evt") is None and all_of_them.place(f"cam/v1/w08/{DEV}/evt")
    for other in (f"cam/v1/W_8/{DEV}/evt", "cam/v1/w07/_ward/state", f"cam/v1/w07/{DEV}/ack", "evt", ""):
        assert all_of_them.place(other) is None
    assert some.receipt(f"w07/{DEV}") == f"cam/v1/w07/{DEV}/ack"


def test_one_name_in_two_wards_is_two_devices(tmp_path, broker):
    with WardIngest(tmp_path / "city", broker.port, ward='wards = ["w01", "w07"]') as city:
        up(city)
        with LinkRig(tmp_path / "a", broker.port, 'ward = "w01"') as one, \
                LinkRig(tmp_path / "b", broker.port) as other, \
                LinkRig(tmp_path / "c", broker.port, 'ward = "w09"') as alien:
            seqs = [[rig.append() for _ in range(n)] for rig, n in ((one, 2), (other, 3), (alien, 1))]
            until(lambda: one.waiting_n() == other.waiting_n() == 0)
            assert city.seqs(f"w01/{one.dev()}") == seqs[0] and city.seqs(f"w07/{other.dev()}") == seqs[1]
            assert len(city.seqs()) == 5 and alien.waiting_n() == 1
            row = until(lambda: (row := city.device(f"w07/{other.dev()}")) and row.health and row.birth and row)
            assert row.online


@NEEDS_POSTGRES
def test_two_ingests_share_the_events_and_nothing_is_missing_when_one_is_killed(tmp_path, broker):
    with postgres.Postgres() as server, \
            WardIngest(tmp_path / "one", broker.port, server.url, SHARED % 1) as one, \
            WardIngest(tmp_path / "two", broker.port, server.url, SHARED % 2) as two, \
            LinkRig(tmp_path / "link", broker.port) as rig:
        up(one)
        up(two)
        seqs = []
        for victim in (one, two):
            seqs += say(rig, 30)
            victim.kill()
            seqs += say(rig, 5)
            up(victim.start())
        until(lambda: rig.waiting_n() == 0, "the outbox is empty")
        before = [came_n(each) for each in (one, two)]
        seqs += say(rig, 40)
        until(lambda: rig.waiting_n() == 0, "the outbox is empty")
        name = f"w07/{rig.dev()}"
        assert one.seqs(name) == seqs and one.device(name).holes == "[]" and one.device(name).top == seqs[-1]
        shares = [came_n(each) - n for each, n in zip((one, two), before, strict=True)]
        assert min(shares) >= 10 and sum(shares) < 60, "each event goes to one of them, but for a few repetitions"
        assert all(each.figures()["taimat_ward_replays_asked_total"] == 0 for each in (one, two))
        assert one.rows(sql.select(database.device.c.online)) == [(True,)]
