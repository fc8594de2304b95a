"""The outbox's policy: nothing is forgotten unsettled, nothing exceeds its bound, what gives way is announced."""
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agent.core.contract import wire
from agent.core.contract.wire import Entry
from agent.core.delivery.outbox import GIVES_WAY, LARGEST_B, Offers, OutboxPace, fold, is_late
from tests.rigs.examples import examples


def entry(seq, kind="motion", camera="gate", boot="b1", mono_ms=None, clock="ntp", **data):
    mono_ms = seq * 1000 if mono_ms is None else mono_ms
    return Entry(seq, kind, camera, boot, mono_ms, 1_795_561_250_123, clock, json.dumps(data))


def offer_all(offers, seqs, now_mono_s):
    for seq in seqs:
        offers.offered(seq, now_mono_s)


def test_an_unanswered_offer_is_repeated_ever_more_slowly():
    offers, now, waits = Offers(), 0.0, []
    for _ in range(7):
        offers.offered(1, now)
        offers.taken(1)
        later = now
        while not offers.due(later, 10):
            later += 1.0
        waits.append(later - now)
        now = later
    assert waits == [30, 60, 120, 240, 480, 600, 600]


def test_what_was_flying_when_the_connection_broke_goes_first_on_the_next():
    offers = Offers()
    offer_all(offers, [1, 2, 3], 0.0)
    offers.taken(1)
    assert offers.due(5.0, 10) == []
    offers.lost(5.0)
    assert offers.due(5.0, 10) == [2, 3]
    assert offers.due(29.0, 10) == [2, 3]
    assert offers.due(30.0, 10) == [1, 2, 3]


def test_a_receipt_counts_only_for_what_was_offered():
    offers = Offers()
    offer_all(offers, [5, 6], 0.0)
    assert sorted(offers.out_upto(10_000)) == [5, 6]
    assert offers.out([4, 6, 7]) == [6]


def test_when_somebody_listens_again_nothing_waits_for_ten_minutes():
    offers, now = Offers(), 0.0
    for _ in range(8):
        offers.offered(1, now)
        offers.taken(1)
        now += 600
    offers.offered(1, now)
    offers.taken(1)
    offers.shorten_waits(now + 1)
    assert offers.due(now + 30, 1) == []
    assert offers.due(now + 31, 1) == [1]


@given(st.lists(st.floats(0, 5), min_size=1, max_size=100))
def test_the_rate_holds_over_any_time(gaps_s):
    offers, now, sent_n = Offers(OutboxPace(window_n=10**6)), 0.0, 0
    offers.allowed_n(now)
    for gap_s in gaps_s:
        now += gap_s
        for _ in range(offers.allowed_n(now)):
            sent_n += 1
            offers.offered(sent_n, now)
    assert sent_n <= 20 * now + 5 + 1e-6


def test_the_window_bounds_what_is_out():
    offers = Offers(OutboxPace(window_n=3))
    offer_all(offers, [1, 2, 3], 0.0)
    assert offers.fresh_n == 0
    offers.settled([2])
    assert offers.fresh_n == 1


class Outbox(RuleBasedStateMachine):
    """A box, a broker that loses what it likes, and a ward that now and then says what it has: all of it gets there."""

    @initialize()
    def begin(self):
        self.offers, self.now, self.box, self.written_n = Offers(OutboxPace(window_n=8)), 0.0, set(), 0
        self.ward, self.flying = set(), set()

    @rule(count=st.integers(1, 5))
    def write(self, count):
        for _ in range(count):
            self.written_n += 1
            self.box.add(self.written_n)

    @rule(seconds=st.floats(0, 700))
    def wait(self, seconds):
        self.now += seconds

    @rule(arrives=st.booleans())
    def offer(self, arrives):
        limit_n = self.offers.allowed_n(self.now)
        again = self.offers.due(self.now, limit_n)
        fresh_n = max(0, min(limit_n - len(again), self.offers.fresh_n))
        fresh = sorted(seq for seq in self.box if seq > self.offers.cursor)[:fresh_n]
        for seq in [*again, *fresh]:
            self.offers.offered(seq, self.now)
            self.flying.add(seq)
            if arrives:
                self.ward.add(seq)

    @rule()
    def broker_answers(self):
        for seq in self.flying:
            self.offers.taken(seq)
        self.flying = set()

    @rule()
    def connection_breaks(self):
        self.offers.lost(self.now)
        self.flying = set()

    @rule(data=st.data())
    def ward_acknowledges(self, data):
        named = data.draw(st.sets(st.sampled_from(sorted(self.ward)))) if self.ward else set()
        done = self.offers.out(named)
        self.box -= set(done)
        self.offers.settled(done)

    @invariant()
    def nothing_is_lost_and_the_window_holds(self):
        if not hasattr(self, "offers"):
            return
        assert set(range(1, self.written_n + 1)) - self.box <= self.ward
        assert len(self.offers._out) <= 8

    def teardown(self):
        """However it went: with time, a broker and a ward everything is settled."""
        if not hasattr(self, "offers"):
            return
        self.connection_breaks()
        for _ in range(200 + self.written_n):
            self.wait(700)
            self.offer(arrives=True)
            self.broker_answers()
            done = self.offers.out(self.ward)
            self.box -= set(done)
            self.offers.settled(done)
        assert not self.box


Outbox.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=30, deadline=None)
TestOutbox = Outbox.TestCase


@pytest.mark.parametrize(("boot", "mono_ms", "late"), [
    ("b1", 61_000, False), ("b1", 61_001, True), ("b2", 1_000, True)])
def test_late_is_a_matter_of_the_monotonic_clock(boot, mono_ms, late):
    assert is_late(entry(1, mono_ms=1_000), boot, mono_ms) is late


def test_motion_is_folded_into_hours_and_stretches():
    entries = [entry(7, phase="start", mono_ms=1000), entry(8, phase="end", dur_ms=4000, mono_ms=5000),
               entry(12, phase="start", mono_ms=3_700_000),
               entry(13, phase="start", mono_ms=3_700_500, camera="yard", clock="unset")]
    gap, count = fold(entries)
    assert count == gap.n == 4
    assert gap.missing == [(7, 8), (12, 13)]
    assert [(hour.c, hour.motion_n, hour.dur_ms, hour.time is None) for hour in gap.hours] == [
        ("gate", 1, 4000, False), ("gate", 1, 0, False), ("yard", 1, 0, True)]


STEP = st.tuples(st.integers(1, 3), st.sampled_from(["gate", "a" * 24, None]), st.sampled_from(GIVES_WAY),
                 st.integers(0, 9_000_000))


@given(st.lists(STEP, min_size=1, max_size=400))
def test_a_gap_names_exactly_what_it_stands_for_and_fits_into_a_message(steps):
    entries, seq = [], 2**40
    for step, camera, kind, mono_ms in steps:
        seq += step
        entries.append(entry(seq, kind, camera, mono_ms=2**40 + mono_ms, phase="start"))
    gap, count = fold(entries)
    assert 1 <= count == gap.n
    missing = [seq for first, last in gap.missing for seq in range(first, last + 1)]
    assert missing == [each.seq for each in entries[:count]]
    assert sum(hour.motion_n for hour in gap.hours) == sum(each.kind == "motion" for each in entries[:count])
    message = entry(seq + 1, "gap", None)._replace(data=wire.encode(gap).decode())
    whole = wire.cloud_event("w07", "c-0123456789ab", message, True)
    assert len(whole) <= LARGEST_B
