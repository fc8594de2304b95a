"""What one device may send, and add to the database: a flood costs its sender its share, and nobody else anything."""
import json

import pytest
import sqlalchemy as sql
from hypothesis import given
from hypothesis import strategies as st

from agent.mqtt.messages import Arrived
from agent.ward import database, quota
from agent.ward.ingest import Echo
from agent.ward.quota import BURST_B, DAY_S, LASTS_S, MESSAGE_B, PACE_B_PER_S, Quota
from agent.ward.settings import Roster
from agent.ward.watch import lines
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import until
from tests.rigs.ward.ingest import WardIngest
from tests.rigs.ward.reporting_device import Teller
from tests.ward.reception import DEV, GOOD, reception

NEIGHBOUR = "c-0123456789ab"
ROOM_B = 100_000_000


def event(seq, dev=DEV, size_b=0):
    message = {**GOOD["evt"], "id": f"{dev}/{seq}", "seq": seq, "data": {"mono_ms": seq, "kind": "motion"}}
    spare_b = max(0, size_b - len(json.dumps({**message, "more": ""})))
    return json.dumps({**message, "more": "x" * spare_b} if size_b else message).encode()


def say(ours, dev, what, payload):
    ours.receive(Arrived(f"cam/v1/w07/{dev}/{what}", payload, False, None, None))
    if ours.wait_s() == 0:
        ours.commit()


def taken_of(ours):
    """The seqs with a receipt, by device; nothing may be refused for good."""
    found = {}
    while (each := ours.receipts.next()) is not None:
        assert not each[1].reject, "what is not taken now is offered again later"
        found.setdefault(each[0], []).extend(each[1].also)
    return found


def stored_b(book, dev):
    with book._engine.connect() as db:
        return db.execute(sql.select(sql.func.sum(sql.func.length(database.event.c.message))).where(
            database.event.c.dev == dev)).scalar() or 0


def seen(book, clock, dev):
    """The line of `taimat ward watch`."""
    overs = quota.read_excesses(book._engine, clock.wall_ms)
    return next(each for each in lines(book.devices.values(), Roster(), clock.wall_ms, overs) if each.dev == dev)


def test_seventy_megabytes_in_twelve_seconds_are_not_taken_and_the_neighbour_s_events_are():
    ours, book, clock = reception(ROOM_B)
    for seq in range(1, 8751):
        say(ours, DEV, "evt", event(seq, size_b=8000))
        if seq % 73 == 0:
            clock.wall_ms += 100
            say(ours, NEIGHBOUR, "evt", event(seq // 73, NEIGHBOUR))
            say(ours, NEIGHBOUR, "health", json.dumps(GOOD["health"]).encode())
    ours.commit()
    taken = taken_of(ours)
    assert taken[NEIGHBOUR] == list(range(1, 120))
    assert stored_b(book, DEV) <= BURST_B + 13 * PACE_B_PER_S
    assert seen(book, clock, DEV).cond == ["over_rate"] and "over_rate" not in seen(book, clock, NEIGHBOUR).cond
    clock.wall_ms += 61_000
    say(ours, DEV, "evt", event(8740, size_b=8000))
    ours.commit()
    assert taken_of(ours) == {DEV: [8740]}, "what it keeps may come later"
    clock.wall_ms += 3_600_000
    assert seen(book, clock, DEV).cond == []


def test_a_device_that_keeps_its_pace_and_never_ends_has_the_room_of_a_day():
    room_b = 1_000_000
    ours, book, clock = reception(room_b)
    for seq in range(1, 401):
        clock.wall_ms += 1000
        say(ours, DEV, "evt", event(seq, size_b=5000))
        say(ours, NEIGHBOUR, "evt", event(seq, NEIGHBOUR))
    ours.commit()
    assert room_b < stored_b(book, DEV) < room_b * (1 + 400 / DAY_S) + 500 * 5000
    assert taken_of(ours)[NEIGHBOUR] == list(range(1, 401)) and seen(book, clock, DEV).cond == ["over_room"]
    before_b = stored_b(book, DEV)
    clock.wall_ms += DAY_S * 1000
    say(ours, DEV, "evt", event(5000, size_b=5000))
    ours.commit()
    assert stored_b(book, DEV) > before_b, "the next day it has room again"


def test_copies_take_no_room():
    ours, book, clock = reception(20_000)
    for _ in range(100):
        clock.wall_ms += 1000
        say(ours, DEV, "evt", event(1, size_b=5000))
    ours.commit()
    assert taken_of(ours) == {DEV: [1] * 100} or set(taken_of(ours)) <= {DEV}
    assert seen(book, clock, DEV).cond == []


@given(st.lists(st.tuples(st.floats(0, 0.05), st.integers(0, 1200)), max_size=200))
def test_a_full_outbox_at_the_contract_s_pace_is_taken_whole(messages):
    """20 a second, a burst of 1,000 before it, and 600 bytes as the mean of what a device sends."""
    quota, now_s, sent_b = Quota(ROOM_B), 0.0, 0
    for _ in range(1000):
        assert quota.excess(DEV, 600, True, now_s) is None
    for pause_s, size_b in messages:
        now_s += 0.05 + pause_s
        sent_b += size_b
        assert quota.excess(DEV, size_b, True, now_s) is None
        quota.keep(DEV, size_b, now_s)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 8192)), max_size=100))
def test_no_stretch_of_time_has_more_than_burst_and_pace(messages):
    quota, now_s, taken_b = Quota(ROOM_B), 0.0, 0
    for pause_s, size_b in messages:
        now_s += pause_s / 1000
        for _ in range(40):
            taken_b += size_b + MESSAGE_B if quota.excess(DEV, size_b, False, now_s) is None else 0
        assert taken_b <= BURST_B + PACE_B_PER_S * now_s + 1
        assert quota.excess(NEIGHBOUR, size_b, False, now_s) is None
    assert quota.over_n(now_s + LASTS_S + 1) == 0


def test_a_city_bounds_no_device_for_its_wards_have_done_so():
    quota = Quota(1, bounded=False)
    for _ in range(10_000):
        assert quota.excess(DEV, 8192, True, 0.0) is None
        quota.keep(DEV, 8192, 0.0)
    assert quota.over_n(0.0) == 0


@pytest.mark.parametrize("qos", [0, 1])
def test_a_flood_over_the_broker_leaves_the_neighbour_its_receipts(tmp_path, qos):
    with Broker(tmp_path / "broker") as broker, WardIngest(tmp_path, broker.port) as ward, \
            Teller(broker.port) as flood, Teller(broker.port, "c-000000000002") as device:
        until(lambda: ward.figures().get("taimat_ward_connected") == 1)
        for seq in range(1, 2001):
            flood.shout("evt", flood.event(seq, path="x" * 7500), qos)

        def offers_what_has_no_receipt():
            """As a device's outbox does: for a moment the broker's queue for the ingest is full."""
            missing = set(range(1, 21)) - set(device.receipts()["taken"])
            for seq in missing:
                device.say("evt", device.event(seq))
            return not missing
        until(offers_what_has_no_receipt)
        until(lambda: ward.figures().get('taimat_ward_over_share_devices') == 1)
        assert ward.figures()['taimat_ward_bad_messages_total{code="over_rate"}'] > 0
        noted = sql.select(database.excess.c.dev, database.excess.c.what)
        until(lambda: ward.rows(noted) == [(flood.dev, "over_rate")], "it is noted with the next commit")
        assert ward.seqs("c-000000000002") == list(range(1, 21)) and not flood.receipts()["refused"]


def test_several_words_that_find_no_way_back_mean_that_the_broker_owes_us_something():
    echo = Echo(10.0)
    echo.begin()
    for now_s in range(0, 100, 10):
        assert echo.is_due(now_s) and not echo.is_lost, "a broker whose rights have no echo never brings one"
        echo.sent(now_s)
        assert not echo.is_due(now_s + 9.9)
    echo.received()
    for now_s in (100, 110, 120):
        assert not echo.is_lost
        echo.sent(now_s)
    assert echo.is_lost
    echo.received()
    assert not echo.is_lost, "any acknowledged message will do: ours may wait behind thousands"
