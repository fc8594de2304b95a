"""The answer to a replay: each seq comes again or is named as missing, and what is too much for one message waits."""
from hypothesis import given
from hypothesis import strategies as st

from agent.core.contract import wire
from agent.core.delivery.outbox import LARGEST_B, STRETCHES_MAX, Offers, not_kept


@given(kept=st.sets(st.integers(2**40, 2**40 + 600)), first=st.integers(2**40, 2**40 + 600), length=st.integers(0, 600))
def test_each_seq_is_kept_or_missing_as_far_as_the_answer_reaches(kept, first, length):
    last = first + length
    there = sorted(seq for seq in kept if first <= seq <= last)
    gap, upto = not_kept(first, last, there)
    missing = [seq for begin, end in (gap.missing if gap else []) for seq in range(begin, end + 1)]
    assert sorted([*missing, *(seq for seq in there if seq <= upto)]) == list(range(first, upto + 1))
    assert gap is None or (gap.n == len(missing) > 0 and len(wire.encode(gap)) < LARGEST_B)
    assert upto == last or (gap and len(gap.missing) == STRETCHES_MAX)


def test_more_stretches_than_fit_wait_for_the_next_command():
    there = list(range(2, 1001, 2))
    gap, upto = not_kept(1, 1000, there)
    assert gap and len(gap.missing) == STRETCHES_MAX and gap.missing[-1] == (upto - 1, upto - 1)
    rest, end = not_kept(upto + 1, 1000, [seq for seq in there if seq > upto])
    assert rest and rest.missing[0] == (upto + 1, upto + 1) and end > upto


def test_what_is_out_and_asked_for_again_is_due_now():
    offers = Offers()
    for seq in (1, 2, 3, 4):
        offers.offered(seq, 100.0)
    for seq in (1, 2, 3):
        offers.taken(seq)
    assert offers.due(101.0, 9) == []
    offers.again(2, 4, 101.0)
    assert offers.due(101.0, 9) == [2, 3]       # 4 is flying: the broker has yet to answer
