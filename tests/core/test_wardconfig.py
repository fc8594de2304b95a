"""What a ward may set: the household's own values are the limit, whatever is wished for."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.derived import ACTS_ON, in_effect, listens, weighed
from agent.config.settings import Log, Settings, Store, Ward
from agent.core.household.ward_settings import KEYS, LEVELS, BadSetting, check_allowed, outcome

OWN = {"health_int_s": 60, "retention_d": 10, "log_level": "info"}
owns = st.fixed_dictionaries({"health_int_s": st.integers(5, 300), "retention_d": st.floats(0.1, 365),
                              "log_level": st.sampled_from(LEVELS)})
wishes = st.fixed_dictionaries({}, optional={"health_int_s": st.integers(), "retention_d": st.integers(),
                                             "log_level": st.sampled_from(LEVELS)})
anything = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                        lambda in_: st.lists(in_, max_size=2) | st.dictionaries(st.text(max_size=3), in_, max_size=2),
                        max_leaves=4)


@pytest.mark.parametrize(("wish", "holds", "clamped"), [
    ({}, {}, {}),
    ({"health_int_s": 120}, {"health_int_s": 120}, {}),
    ({"health_int_s": 30}, {"health_int_s": 60}, {"health_int_s": "household"}),
    ({"health_int_s": 1}, {"health_int_s": 60}, {"health_int_s": "household"}),
    ({"health_int_s": 3600}, {"health_int_s": 300}, {"health_int_s": "range"}),
    ({"retention_d": 4}, {"retention_d": 4}, {}),
    ({"retention_d": 30}, {"retention_d": 10}, {"retention_d": "household"}),
    ({"retention_d": 0}, {"retention_d": 3}, {"retention_d": "range"}),
    ({"retention_d": -(2**70)}, {"retention_d": 3}, {"retention_d": "range"}),
    ({"log_level": "debug"}, {"log_level": "debug"}, {}),
    ({"log_level": "error"}, {"log_level": "info"}, {"log_level": "household"}),
])
def test_a_wish_holds_as_far_as_the_household_lets_it(wish, holds, clamped):
    assert outcome(wish, OWN) == (OWN | holds, clamped)


@given(own=owns, wish=wishes)
def test_whatever_is_wished_for_nothing_goes_beyond_the_household(own, wish):
    values, clamped = outcome(wish, own)
    assert values["health_int_s"] >= own["health_int_s"]            # no more reports leave the house
    assert values["retention_d"] <= own["retention_d"]              # nothing stays longer,
    assert values["retention_d"] >= min(3, own["retention_d"])      # and nobody can have yesterday erased
    assert LEVELS.index(values["log_level"]) <= LEVELS.index(own["log_level"])     # nothing is hushed up
    assert values.keys() == own.keys()
    assert clamped.keys() == {key for key in wish if values[key] != wish[key]}
    assert all(values[key] == own[key] for key in own.keys() - wish.keys())


@given(document=st.dictionaries(st.sampled_from([*KEYS, "masks", "", "Health_int_s"]), anything, max_size=4))
def test_a_document_is_taken_as_a_whole_or_not_at_all(document):
    try:
        check_allowed(document)
    except BadSetting as bad:
        assert str(bad) in document
        known = outcome(document, OWN).values
        assert known.keys() == OWN.keys() and all(type(known[key]) is type(OWN[key]) for key in known)
    else:
        assert document.keys() <= KEYS.keys()


@pytest.mark.parametrize(("value", "key"), [
    (True, "health_int_s"), (60.0, "health_int_s"), ("60", "health_int_s"), (None, "retention_d"), ([4], "retention_d"),
    ("loud", "log_level"), ("INFO", "log_level"), (1, "log_level"), ({}, "log_level")])
def test_a_value_of_another_kind_is_named_by_its_key(value, key):
    with pytest.raises(BadSetting) as caught:
        check_allowed({key: value})
    assert str(caught.value) == key


SETTINGS = Settings(ward=Ward(enabled=True, health_every_s=60), store=Store(keep_days=10, keep_continuous_days=6),
                    log=Log(level="warning"))


def test_settings_follow_and_video_without_events_is_kept_no_longer_than_the_rest():
    now = in_effect(SETTINGS, {"health_int_s": 90, "retention_d": 4, "log_level": "info"})
    assert (now.ward.health_every_s, now.store.keep_days, now.store.keep_continuous_days, now.log.level) == (
        90, 4, 4, "info")
    assert in_effect(SETTINGS, {"retention_d": 8}).store == Store(keep_days=8, keep_continuous_days=6)
    assert in_effect(SETTINGS, {}) == SETTINGS and ACTS_ON.keys() == KEYS.keys()


@pytest.mark.parametrize("ward", [Ward(enabled=True, may_configure=False), Ward(enabled=False)])
def test_a_household_may_let_the_ward_set_nothing_at_all(ward):
    settings = Settings(ward=ward)
    assert not listens(settings)
    assert in_effect(settings, {"retention_d": 4}) == settings and not weighed(settings, {"retention_d": 999}).clamped
