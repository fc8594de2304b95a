"""Whatever devices send, the intake goes on: nothing that is taken can spoil a commit."""
import json
from dataclasses import dataclass

import pytest
import sqlalchemy as sql
from hypothesis import given
from hypothesis import strategies as st

from agent.core.contract.wire.citytopics import WardTopics
from agent.host.clock import Instant
from agent.mqtt.messages import Arrived
from agent.ward import database
from agent.ward.device_cache import DeviceCache
from agent.ward.metrics import IngestMetrics
from agent.ward.quota import Quota
from agent.ward.reception import BATCH_N, EVENTS_WAIT_S, REPORTS_WAIT_S, Reception
from agent.ward.settings import Roster
from agent.ward.watch import lines

DEV = "c-7f3a9c21b04d"
GOOD = {
    "evt": {"specversion": "1.0", "id": f"{DEV}/7", "source": "/cam/w07/c/gate", "type": "cam.motion.v1", "seq": 7,
            "boot": "9f2c1a7e", "clock": "ntp", "time": "2026-11-24T23:20:50.1Z",
            "data": {"mono_ms": 5, "kind": "gap", "missing": [[2, 5]]}},
    "status": {"online": True, "boot": "9f2c1a7e", "conn": 3, "why": "lost", "clock": "ntp"},
    "birth": {"boot": "9f2c1a7e", "conn": 3, "mono_ms": 5, "clock": "ntp", "agent": "1", "site": "HH-1"},
    "health": {"seq": 1, "boot": "9f2c1a7e", "clock": "ntp", "mono_ms": 5, "int_s": 30, "outbox_n": 1,
               "cond": [{"code": "hot", "sev": "warn"}]},
}
NUMBERS = st.integers(-2**70, 2**70) | st.sampled_from([0, 1, 2**63 - 1, 2**63, -1, 10**18])
EXTREME = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999Z"]
IMPOSSIBLE = ["2026-13-01T00:00:00Z", "2026-11-24T23:20:61Z", "٢٠٢٦-11-24T23:20:50Z", "2026-11-24T23:20:50", "now"]
TIMES = st.sampled_from([*EXTREME, *IMPOSSIBLE])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | TIMES | st.text(max_size=12) | st.sampled_from(["ntp", "\x00"]),
    lambda more: st.lists(more, max_size=3) | st.dictionaries(st.sampled_from(["mono_ms", "kind", "missing"]), more),
    max_leaves=6)


@dataclass
class StillClock:
    """A clock that a test sets."""

    wall_ms: int = 1_795_561_250_123

    def mono_s(self) -> float:
        """Goes with the wall clock."""
        return self.wall_ms / 1000

    def now(self) -> Instant:
        """This moment."""
        return Instant("9f2c1a7e", self.wall_ms, self.wall_ms, "ntp")


def reception(room_b: float = 1e8) -> tuple[Reception, DeviceCache, StillClock]:
    """A reception over an empty database in memory, with so much room for each device's events."""
    book, clock = DeviceCache(database.open_engine("sqlite://")), StillClock()
    return Reception(WardTopics("w07"), book, clock, IngestMetrics(), Quota(room_b)), book, clock


def arrived(what: str, payload: dict[str, object], dev: str = DEV) -> Arrived:
    """That a device said this."""
    return Arrived(f"cam/v1/w07/{dev}/{what}", json.dumps(payload).encode(), True, None, None)


ours, book, clock = reception()


@given(st.sampled_from(list(GOOD)), st.data())
def test_whatever_stands_in_a_message_the_next_commit_succeeds(what, data):
    fields = st.dictionaries(st.sampled_from([*GOOD[what], "more"]), VALUES, max_size=1)
    ours.receive(arrived(what, {**GOOD[what], **data.draw(fields)}))
    ours.commit()
    assert lines(book.devices.values(), Roster(), clock.wall_ms, {})


@pytest.mark.parametrize("time", [*EXTREME, *IMPOSSIBLE])
def test_a_moment_that_does_not_exist_or_has_no_zone_is_refused(time):
    ours, _, _ = reception()
    ours.receive(arrived("evt", {**GOOD["evt"], "time": time}))
    ours.commit()
    ack = ours.receipts.next()[1]
    assert (ack.also, [each.code for each in ack.reject]) == (([7], []) if time in EXTREME else ([], ["schema"]))


def test_events_wait_a_tenth_of_a_second_for_company_reports_a_second_and_a_full_batch_not_at_all():
    ours, _, clock = reception()
    assert ours.wait_s() == float("inf")
    ours.receive(arrived("status", GOOD["status"]))
    assert round(ours.wait_s(), 3) == REPORTS_WAIT_S
    ours.receive(arrived("evt", GOOD["evt"]))
    assert round(ours.wait_s(), 3) == EVENTS_WAIT_S
    clock.wall_ms += 101
    assert ours.wait_s() == 0 and len(ours.receipts) == 0
    ours.commit()
    assert ours.wait_s() == float("inf") and ours.receipts.next()[1].also == [7]
    for seq in range(BATCH_N):
        ours.receive(arrived("evt", {**GOOD["evt"], "seq": seq + 10, "id": f"{DEV}/{seq + 10}"}))
    assert ours.wait_s() == 0


def test_devices_beyond_what_a_ward_can_have_are_not_taken(monkeypatch):
    ours, book, _ = reception()
    monkeypatch.setattr("agent.ward.device_cache.DEVICES_MAX", 3)
    for n in range(5):
        ours.receive(arrived("evt", {**GOOD["evt"], "id": f"c-{n}/7"}, f"c-{n}"))
        ours.receive(arrived("status", GOOD["status"], f"c-{n}"))
    ours.commit()
    assert sorted(book.devices) == ["c-0", "c-1", "c-2"]
    ours.receive(arrived("evt", {**GOOD["evt"], "id": "c-0/8", "seq": 8}, "c-0"))
    ours.commit()
    with book._engine.connect() as db:
        assert db.execute(sql.select(sql.func.count()).select_from(database.event)).scalar() == 4
