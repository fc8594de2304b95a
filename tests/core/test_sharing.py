"""The household's rules, and what may become of a request."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.check import sharing_faults
from agent.config.derived import sharing_rules
from agent.config.settings import Sharing
from agent.core.household.sharing_rules import NEXT, STRICTEST_FIRST, Rules, may_become

pytestmark = pytest.mark.core

RULES = st.sampled_from(STRICTEST_FIRST)
PURPOSES = st.sampled_from(["theft", "fire", "traffic", "missing-person"])


def test_each_purpose_has_its_own_rule_and_all_others_the_default():
    told = sharing_rules(Sharing(default="ask", never=["traffic"], allow=["fire", "missing-person"]))
    assert [told.of("clip", each) for each in ("traffic", "fire", "missing-person", "theft")] == [
        "never", "allow", "allow", "ask"]


@given(RULES, st.dictionaries(PURPOSES, RULES), RULES, PURPOSES)
def test_a_picture_of_the_moment_is_never_let_out_more_easily_than_a_clip(default, by_purpose, snapshots, purpose):
    told = Rules(default, by_purpose, snapshots)
    clip, snapshot = told.of("clip", purpose), told.of("snapshot", purpose)
    assert clip == by_purpose.get(purpose, default)
    assert snapshot in (clip, snapshots)
    assert STRICTEST_FIRST.index(snapshot) <= min(STRICTEST_FIRST.index(clip), STRICTEST_FIRST.index(snapshots))


def test_what_is_at_its_end_stays_so_and_nothing_leaves_undecided():
    for state in ("delivered", "refused", "lapsed", "cancelled", "failed"):
        assert not any(may_become(state, new) for new in (*NEXT, "delivered", "refused"))
    assert not may_become("waiting", "packed") and not may_become("waiting", "delivered")
    assert all(may_become(state, "refused") for state in ("waiting", "approved", "packed"))


def test_mistakes_in_the_rules_are_named():
    found = dict(sharing_faults(Sharing(never=["theft"], allow=["theft"], ask=["Trộm cắp"])))
    assert "theft" in found["allow"] and "under never already" in found["allow"] and "not a purpose" in found["ask"]
