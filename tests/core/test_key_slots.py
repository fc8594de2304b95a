"""Keys that rotate: a thief of the current one can't lock its owner out, whatever the thief signs."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.key_slots import ChangeRefused, KeysChange, begin, change

OLD, NEXT, LATER, OTHER = (digit * 64 for digit in "1234")
CHANGES = st.builds(KeysChange, ver=st.integers(1, 2**53 - 2), current=st.sampled_from([OLD, NEXT, LATER, OTHER]),
                    next=st.sampled_from([OLD, NEXT, LATER, OTHER]))


def refusal(known, wanted, signer):
    with pytest.raises(ChangeRefused) as refused:
        change(known, wanted, signer)
    return str(refused.value)


def test_the_next_key_takes_over_and_revokes_the_current_one():
    rotated = change(begin([OLD, NEXT]), KeysChange(7, NEXT, LATER), NEXT)
    assert (rotated.current, rotated.next, rotated.ver, rotated.given) == (NEXT, LATER, 7, [OLD, NEXT])
    assert refusal(rotated, KeysChange(8, OLD, OTHER), OLD) == "not_entitled"
    assert refusal(rotated, KeysChange(7, LATER, OTHER), LATER) == "old_version"
    assert change(rotated, KeysChange(3, NEXT, LATER), NEXT) is rotated, "said again"


def test_the_current_key_names_a_next_one_only_where_there_is_none():
    named = change(begin([OLD]), KeysChange(1, OLD, NEXT), OLD)
    assert (named.current, named.next) == (OLD, NEXT)
    assert refusal(named, KeysChange(2, OLD, OTHER), OLD) == "not_entitled"
    assert refusal(begin([OLD]), KeysChange(1, OTHER, NEXT), OLD) == "not_entitled"
    assert refusal(begin([OLD]), KeysChange(1, OLD, OLD), OLD) == "not_entitled"


@given(st.lists(CHANGES))
def test_no_sequence_of_a_thiefs_changes_ends_without_the_next_key_ruling(told):
    known = begin([OLD, NEXT])
    for each in told:
        try:
            known = change(known, each, OLD)
        except ChangeRefused:
            continue
    assert (known.current, known.next) == (OLD, NEXT)
    assert change(known, KeysChange(known.ver + 1, NEXT, LATER), NEXT).current == NEXT
