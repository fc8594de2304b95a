"""The ward's pure rules: presence, zombies, missing seqs, receipts, and what a message may look like."""
import json
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.contract import ulid
from agent.core.contract.wire.inbound import REFUSED_MAX
from agent.ward import ward_side
from agent.ward.events import PrunedStretch, joined
from agent.ward.presence import Standing, is_of_the_past, presence, until_ms
from agent.ward.reception import Receipts
from agent.ward.register import (
    AGAIN_MAX_MS,
    PATIENCE_MS,
    Arrival,
    DeviceRecord,
    Reach,
    with_birth,
    with_health,
    with_status,
)

DEV = "c-7f3a9c21b04d"
moments_ms = st.integers(0, 10**7)
standings = st.builds(Standing, st.sampled_from([None, True, False]), st.none() | st.just("lost"), st.just("b"),
                      st.integers(0, 5), st.none() | moments_ms, st.none() | moments_ms)


@given(standings, moments_ms)
def test_online_needs_a_status_that_holds_and_a_health_that_holds(standing, now_ms):
    verdict = presence(standing, now_ms)
    status_holds = standing.online and (standing.status_until_ms or 0) > now_ms
    health_holds = (standing.health_until_ms or 0) > now_ms
    assert (verdict.state == "online") == bool(status_holds and health_holds)
    assert (verdict.state == "stale") == bool(status_holds and not health_holds)
    assert (verdict.state == "never-seen") == (standing.online is None)
    assert verdict.state == "online" or verdict.why or not standing.online


@given(standings, moments_ms)
def test_while_somebody_works_on_it_a_device_may_be_away_but_is_never_said_to_be_there(standing, now_ms):
    found, maintained = presence(standing, now_ms), presence(standing, now_ms, maintained=True)
    if found.state == "online":
        assert maintained == found
    else:
        assert maintained.state == "maintenance" and maintained.why.startswith(found.state)


@given(standings, moments_ms, moments_ms)
def test_who_tells_nothing_never_gets_better(standing, now_ms, later_ms):
    ranks = ("online", "stale", "offline", "never-seen")
    now_ms, later_ms = sorted((now_ms, later_ms))
    assert ranks.index(presence(standing, now_ms).state) <= ranks.index(presence(standing, later_ms).state)


@pytest.mark.parametrize(("online", "boot", "conn", "past"), [
    (False, "b", 6, True),      # the will of the connection before
    (True, "b", 6, True),       # a retained word that came late
    (False, "b", 7, False), (True, "b", 8, False), (False, "b", 8, False),
    (True, "other", 1, False),  # a new card: it counts anew
    (False, "other", 1, True),
])
def test_whose_word_is_of_the_past(online, boot, conn, past):
    assert is_of_the_past(Standing(True, None, "b", 7), online, boot, conn) is past
    assert not is_of_the_past(Standing(), online, boot, conn)


def test_who_keeps_its_health_to_itself_is_there_without_it():
    device = with_status(DeviceRecord(DEV, 0), ward_side.Status(online=True, boot="b", conn=1), Arrival(0))
    born = ward_side.Birth(boot="b", conn=1, mono_ms=1, clock="ntp", agent="1")
    device = with_birth(device, born, "{}")
    assert presence(device.standing, 1).state == "stale"
    kept = with_birth(device, msgspec.structs.replace(born, withheld=["health"]), "{}")
    assert presence(kept.standing, 1_199_999).state == "online" and presence(kept.standing, 1_200_000).why == "expired"
    again = with_birth(kept, born, "{}")
    assert presence(again.standing, 1).state == "stale"
    health = ward_side.Health(seq=1, boot="b", clock="ntp", mono_ms=1, int_s=30)
    told = with_birth(with_health(again, health, "{}", Arrival(0)), born, "{}")
    assert presence(told.standing, 89_999).state == "online"


def test_a_power_cut_shows_as_stale_after_three_intervals_and_as_offline_by_the_will():
    device = with_status(DeviceRecord(DEV, 0), ward_side.Status(online=True, boot="b", conn=1), Arrival(0))
    health = ward_side.Health(seq=1, boot="b", clock="ntp", mono_ms=1, int_s=30)
    device = with_health(device, health, "{}", Arrival(0))
    states = [presence(device.standing, second * 1000).state for second in (0, 89, 90, 1199, 1200)]
    assert states == ["online", "online", "stale", "stale", "offline"]
    gone = with_status(device, ward_side.Status(online=False, boot="b", conn=1, why="lost"), Arrival(91_000))
    assert presence(gone.standing, 91_000).why == "lost"


@given(st.integers(1, 3600), st.none() | st.integers(0, 2**32 - 1))
def test_no_broker_prolongs_a_life(lives_s, left_s):
    assert 0 <= until_ms(0, lives_s, left_s) <= lives_s * 1000


@given(st.permutations(range(1, 25)), st.integers(1, 24), st.lists(st.integers(1, 24), max_size=20))
def test_missing_is_what_lies_between_the_first_and_the_highest_and_has_not_come(order, come_n, repeated):
    reach, came = Reach(), set()
    for seq in [*order[:come_n], *(each for each in repeated if each in order[:come_n])]:
        reach = reach.with_seqs(seq, seq, 0)
        came.add(seq)
        missing = {each for hole in reach.gaps for each in range(hole.first, hole.last + 1)}
        assert missing == set(range(order[0], max(came) + 1)) - came
        assert sorted(reach.gaps, key=lambda hole: hole.first) == list(reach.gaps)


@given(st.lists(st.builds(lambda first, length_n, boot: PrunedStretch(first, first + length_n, boot),
                          st.integers(1, 60), st.integers(0, 6), st.sampled_from("bc")), max_size=12))
def test_stretches_that_are_joined_hold_the_same_seqs_and_touch_nowhere(stretches):
    def seqs(those):
        return {(seq, each.boot) for each in those for seq in range(each.first, each.last + 1)}

    apart = [each for n, each in enumerate(stretches) if not any(
        each.first <= other.last and other.first <= each.last for other in stretches[:n])]      # a seq is one event's
    done = joined(apart)
    assert seqs(done) == seqs(apart) and done == joined(done)
    assert not any(one.last + 1 == other.first and one.boot == other.boot for one in done for other in done)


def test_a_stretch_is_asked_for_after_a_minute_and_then_ever_more_seldom():
    reach = Reach().with_seqs(5, 5, 0).with_seqs(9, 9, 0)
    assert not reach.due(PATIENCE_MS - 1)
    asked_ms, waits_ms = PATIENCE_MS, []
    for _ in range(10):
        (hole,) = reach.due(asked_ms)
        reach = reach.asked([hole], asked_ms)
        waits_ms.append(reach.gaps[0].due_ms - asked_ms)
        asked_ms = reach.gaps[0].due_ms
    assert (hole.first, hole.last) == (6, 8)
    assert waits_ms[:3] == [60_000, 120_000, 240_000] and waits_ms[-1] == AGAIN_MAX_MS


@given(st.dictionaries(st.sampled_from(["a", "b"]), st.sets(st.integers(1, 3000), max_size=2500)))
def test_each_receipt_that_is_owed_is_handed_out_once_and_fits(owed):
    receipts, paid = Receipts(), []
    for dev, seqs in owed.items():
        for seq in [*seqs, *seqs]:
            receipts.confirm(dev, seq)
    while (each := receipts.next()) is not None:
        dev, ack = each
        assert 0 < len(ack.also) <= REFUSED_MAX and ack.upto == 0
        paid += [(dev, seq) for seq in ack.also]
    assert sorted(paid) == sorted((dev, seq) for dev, seqs in owed.items() for seq in seqs)


@given(st.binary(max_size=300), st.sampled_from(list(ward_side.KINDS)))
def test_any_bytes_are_read_or_refused(payload, what):
    with pytest.raises(ward_side.Unacceptable):
        ward_side.read(ward_side.Place(DEV, what), payload)


VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
                      lambda more: st.lists(more, max_size=3) | st.dictionaries(st.text(max_size=5), more, max_size=3))
GOOD = {"specversion": "1.0", "id": f"{DEV}/7", "source": "/cam/w07/c/gate", "type": "cam.motion.v1", "seq": 7,
        "boot": "9f2c1a7e", "clock": "ntp", "time": "2026-11-24T23:20:50.1Z", "data": {"mono_ms": 5, "kind": "motion"}}


@given(st.dictionaries(st.sampled_from([*GOOD, "more"]), VALUES, max_size=3))
def test_whatever_stands_in_an_event_what_is_taken_is_whole_and_within_bounds(spoiled):
    try:
        message = ward_side.read(ward_side.Place(DEV, "evt"), json.dumps({**GOOD, **spoiled}).encode())
    except ward_side.Unacceptable as bad:
        assert bad.code in ("schema", "not_json", "id")
        return
    event = message.told
    assert event.id == f"{DEV}/{event.seq}" and 1 <= event.seq < 2**63 and 0 <= event.data.mono_ms < 2**63
    assert msgspec.json.decode(message.text)["seq"] == event.seq and "\x00" not in message.text


def test_a_topic_is_a_devices_of_this_ward_or_nobodys():
    assert ward_side.place("w07", f"cam/v1/w07/{DEV}/evt") == (DEV, "evt")
    for other in (f"cam/v1/w08/{DEV}/evt", "cam/v1/w07/_ward/state", f"cam/v1/w07/{DEV}/evt/more",
                  f"cam/v1/w07/{DEV}/ack", "cam/v1/w07/C-1/evt", f"cam/v1/w07/{'c' * 65}/evt"):
        assert ward_side.place("w07", other) is None


def test_ulids_sort_by_time_and_have_the_known_form():
    chance = random.Random(1)
    made = [ulid.make(ms, chance.randbytes(ulid.CHANCE_B)) for ms in (0, 1, 1_469_918_176_385, 2**48 - 1)]
    assert made == sorted(made) and made[2].startswith("01ARYZ6S41") and made[3].startswith("7ZZZZZZZZZ")
    assert all(len(each) == ulid.LENGTH_N and set(each) <= set(ulid.ALPHABET) for each in made)
