"""Retention: what goes and what stays, whatever the clock does."""
from hypothesis import given
from hypothesis import strategies as st

from agent.core.retention import Kept, Policy, plan, to_free_b

DAY_MS = 86_400_000
NOW = 1_795_000_000_000


def kept(seq: int, age_days: float, kind: str = "motion", size_b: int = 100, clock: str = "ntp") -> Kept:
    return Kept(seq, "gate", kind, int(NOW - age_days * DAY_MS), size_b, clock)


def test_age_goes_by_kind():
    clips = [kept(1, 11), kept(2, 4, "continuous"), kept(3, 9), kept(4, 1, "continuous")]
    assert [(d.seq, d.why) for d in plan(clips, Policy(10 * DAY_MS, 3 * DAY_MS), NOW)] == [(1, "age"), (2, "age")]


def test_space_takes_the_oldest_and_no_more_than_needed():
    clips = [kept(n, 5 - n) for n in range(1, 5)]
    assert [d.seq for d in plan(clips, Policy(10 * DAY_MS, 3 * DAY_MS, to_free_b=150), NOW)] == [1, 2]


def test_nothing_goes_by_age_while_the_clock_is_not_trusted():
    assert list(plan([kept(1, 5000)], Policy(DAY_MS, DAY_MS), None)) == []


def test_a_clip_without_a_date_has_no_age():
    assert list(plan([kept(1, 5000, clock="unset")], Policy(DAY_MS, DAY_MS), NOW)) == []


def test_quota_and_floor_ask_for_the_larger_of_the_two():
    assert to_free_b(used_b=900, quota_b=0, free_b=500, total_b=1000, floor_pct=10) == 0
    assert to_free_b(used_b=900, quota_b=700, free_b=500, total_b=1000, floor_pct=10) == 205
    assert to_free_b(used_b=900, quota_b=700, free_b=0, total_b=10_000, floor_pct=10) == 1050


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 1000), st.sampled_from(["motion", "continuous"])),
                max_size=60), st.integers(0, 20_000))
def test_what_stays_is_young_and_enough_is_freed(rows: list[tuple[float, int, str]], needed_b: int):
    clips = [kept(n, age, kind, size_b) for n, (age, size_b, kind) in enumerate(rows)]
    gone = {d.seq: d for d in plan(clips, Policy(10 * DAY_MS, 3 * DAY_MS, needed_b), NOW)}
    assert all(NOW - c.wall_ms <= (10 if c.kind == "motion" else 3) * DAY_MS for c in clips if c.seq not in gone)
    freed_b = sum(d.bytes for d in gone.values())
    assert freed_b >= needed_b or len(gone) == len(clips)
