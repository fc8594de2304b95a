"""The pace of an upload on a line that is simulated packet by packet's worth of time: its share, and nobody's queue."""
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.delivery.uplink import FLOOR_B_S, PROBE_EVERY_S, TARGET_S, LineSample, Uplink
from tests.rigs.examples import examples

STEP_S = 0.02


@dataclass
class Narrow:
    """A line of so many bytes a second, with a queue before it that others fill, too."""

    line_b_s: float
    base_s: float
    others_b_s: float = 0.0
    now_s: float = 100.0
    queue_b: float = 0.0
    rtt_s: float = field(init=False)
    sent_b: float = 0.0

    def __post_init__(self) -> None:
        self.rtt_s = self.base_s

    def run(self, uplink: Uplink, seconds: float) -> list[float]:
        """Let time pass; returns how long packets waited, moment by moment."""
        waits = []
        for _ in range(round(seconds / STEP_S)):
            comes_b_s = uplink.rate_b_s + self.others_b_s
            self.queue_b = max(0.0, self.queue_b + (comes_b_s - self.line_b_s) * STEP_S)
            waits.append(self.queue_b / self.line_b_s)
            lazy_s = 0.04 if uplink.rate_b_s < 70_000 else 0.0              # an answer to a packet that comes alone
            self.rtt_s += (self.base_s + waits[-1] + lazy_s - self.rtt_s) / 4       # as the kernel smooths it
            crowded = min(1.0, self.line_b_s / comes_b_s)
            self.sent_b += uplink.rate_b_s * crowded * STEP_S
            self.now_s += STEP_S
            uplink.see(self.now_s, LineSample(self.rtt_s, self.base_s, uplink.rate_b_s * crowded))
        return waits


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_it_finds_out_what_the_line_carries_and_takes_its_share(share):
    line, uplink = Narrow(500_000, 0.02), Uplink(share)
    line.run(uplink, 10)
    line.sent_b = 0.0
    line.run(uplink, 60)
    assert 0.75 * share <= line.sent_b / 60 / 500_000 <= 1.05 * share


@settings(max_examples=examples(30))
@given(st.floats(30_000, 5_000_000), st.floats(0.002, 0.4), st.floats(0.1, 1.0))
def test_on_any_line_others_hardly_wait_and_it_goes_on(line_b_s, base_s, share):
    line, uplink = Narrow(line_b_s, base_s), Uplink(share)
    waits = sorted(line.run(uplink, 130))
    assert waits[len(waits) * 95 // 100] <= 2 * TARGET_S + base_s
    assert line.sent_b / 130 >= min(0.4 * share * line_b_s, FLOOR_B_S)


def test_it_gives_way_to_somebody_who_needs_the_line_and_comes_back():
    line, uplink = Narrow(500_000, 0.02), Uplink(0.5)
    line.run(uplink, 10)
    line.others_b_s = 450_000
    line.run(uplink, 5)
    assert uplink.rate_b_s <= 60_000
    waits = line.run(uplink, 20)
    assert max(waits) <= 3 * TARGET_S
    line.others_b_s = 0.0
    line.run(uplink, 30)
    assert uplink.rate_b_s >= 200_000


def test_a_line_that_has_become_wider_is_noticed():
    line, uplink = Narrow(100_000, 0.02), Uplink(0.5)
    line.run(uplink, 30)
    assert uplink.rate_b_s <= 55_000
    line.line_b_s = 1_000_000
    line.run(uplink, PROBE_EVERY_S[1] + 10)
    assert uplink.rate_b_s >= 400_000


def test_a_line_that_loses_much_is_not_taken_for_a_fast_one():
    uplink, now_s, most_b_s = Uplink(0.5), 100.0, 0.0
    for _ in range(200):
        now_s += 0.3
        uplink.see(now_s, LineSample(0.3, 0.3, 40_000.0))
        most_b_s = max(most_b_s, uplink.rate_b_s)
    assert most_b_s <= 120_000
    assert FLOOR_B_S < uplink.rate_b_s <= 40_000
