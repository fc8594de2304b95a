"""Whatever devices send, the intake goes on: nothing that is taken can spoil a commit."""

import pytest
import sqlalchemy as sql
from hypothesis import given
from hypothesis import strategies as st

from agent.ward import database
from agent.ward.reception import BATCH_N, EVENTS_WAIT_S, REPORTS_WAIT_S
from agent.ward.settings import Roster
from agent.ward.watch import lines
from tests.ward.reception import DEV, GOOD, arrived, reception

NUMBERS = st.integers(-2**70, 2**70) | st.sampled_from([0, 1, 2**63 - 1, 2**63, -1, 10**18])
EXTREME = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999Z"]
IMPOSSIBLE = ["2026-13-01T00:00:00Z", "2026-11-24T23:20:61Z", "٢٠٢٦-11-24T23:20:50Z", "2026-11-24T23:20:50", "now"]
TIMES = st.sampled_from([*EXTREME, *IMPOSSIBLE])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | TIMES | st.text(max_size=12) | st.sampled_from(["ntp", "\x00"]),
    lambda more: st.lists(more, max_size=3) | st.dictionaries(st.sampled_from(["mono_ms", "kind", "missing"]), more),
    max_leaves=6)
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


def test_devices_beyond_what_a_ward_can_have_are_not_taken(caplog):
    ours, book, _ = reception(devices_max=3)
    for n in range(5):
        ours.receive(arrived("evt", {**GOOD["evt"], "id": f"c-{n}/7"}, f"c-{n}"))
        ours.receive(arrived("status", GOOD["status"], f"c-{n}"))
    ours.commit()
    assert sorted(book.devices) == ["c-0", "c-1", "c-2"]
    assert "raise [database] devices_n in ward.toml" in caplog.text
    ours.receive(arrived("evt", {**GOOD["evt"], "id": "c-0/8", "seq": 8}, "c-0"))
    ours.commit()
    with book._engine.connect() as db:
        assert db.execute(sql.select(sql.func.count()).select_from(database.event)).scalar() == 4
