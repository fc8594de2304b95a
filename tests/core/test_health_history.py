"""What a day or a month of samples tells: values, states, and what nobody looked at."""
import msgspec
import pytest

from agent.core.contract.facts import HealthSample, ReachFacts
from agent.core.health import history
from agent.core.health.facts import HostFacts
from agent.core.health.history import SAMPLE_EVERY_MS, DatedSample, History, SlotValues
from agent.core.household.day_lane import WallSpan

HOUR_MS, DAY_MS, FIVE_MS = 3_600_000, 86_400_000, SAMPLE_EVERY_MS
GB = 1_000_000_000


def seen(at_ms: int, boot: str = "b1", **values: object) -> DatedSample:
    known = {"mono_ms": at_ms, "clock": "ntp", "temp_c": None, "disk_mb": 64_000, "free_mb": None, "written_mb": None,
             "net_up": None, "ward_up": None} | values
    return DatedSample(at_ms, boot, HealthSample(**known))


def each_five_minutes(count_n: int, **values) -> list[DatedSample]:
    """Of each value a function of the sample's number."""
    return [seen(n * FIVE_MS, **{name: of(n) for name, of in values.items()}) for n in range(count_n)]


def told(samples: list[DatedSample], slots_n: int = 1, slot_ms: int = DAY_MS, begin_ms: int = 0,
         until_ms: int = 10 * DAY_MS) -> History:
    slots = [WallSpan(begin_ms + n * slot_ms, begin_ms + (n + 1) * slot_ms) for n in range(slots_n)]
    found = History(slots, until_ms, 10, curves=True)
    for each in samples:
        found.add(each)
    return found


def written_mb(samples: list[DatedSample]) -> list[int | None]:
    return [each.written_mb for each in told(samples, 4, HOUR_MS).found()]


def days_left(found: History) -> list[float | None]:
    return [each.days_left for each in found.found()]


def test_a_sample_keeps_what_is_known_and_nothing_else():
    host = HostFacts(soc_temp_c=51.54, disk_tot_b=64 * GB, disk_free_b=20 * GB, disk_wr_b=3 * GB)
    assert history.sample(host, ReachFacts(net_up=True), 7, "rtc") == HealthSample(
        7, "rtc", 51.5, 64_000, 20_000, 3_000, True, None)
    nothing = history.sample(HostFacts(), ReachFacts(), 7, "ntp")
    assert nothing == HealthSample(7, "ntp", None, None, None, None, None, None)


def test_a_sample_is_short_on_the_card():
    kept = history.sample(HostFacts(soc_temp_c=51.5, disk_tot_b=512 * GB, disk_free_b=123 * GB, disk_wr_b=90_000 * GB),
                          ReachFacts(net_up=True, ward_up=True), 2_000_000_000, "ntp")
    assert len(msgspec.json.encode(kept)) <= 64


def test_a_line_breaks_where_nobody_looked():
    samples = each_five_minutes(10, temp_c=lambda n: 40.0 + n)
    del samples[4:7]
    samples[1] = seen(FIVE_MS)              # one look without a temperature is no break
    first, second = told(samples).temperature_curve
    assert [value for _, value in first] == [40, 42, 43] and [value for _, value in second] == [47, 48, 49]


def test_states_hold_up_to_the_next_look_and_are_unknown_without_one():
    samples = each_five_minutes(6, net_up=lambda n: n not in (2, 3))
    samples += [seen(HOUR_MS, net_up=True), seen(HOUR_MS + FIVE_MS), seen(HOUR_MS + 2 * FIVE_MS, net_up=True)]
    assert told(samples, until_ms=HOUR_MS + 2 * FIVE_MS + 60_000).states("network") == [
        (WallSpan(0, 2 * FIVE_MS), True), (WallSpan(2 * FIVE_MS, 4 * FIVE_MS), False),
        (WallSpan(4 * FIVE_MS, 7 * FIVE_MS), True), (WallSpan(HOUR_MS, HOUR_MS + FIVE_MS), True),
        (WallSpan(HOUR_MS + 2 * FIVE_MS, HOUR_MS + 2 * FIVE_MS + 60_000), True)]


def test_a_clock_is_right_by_network_or_battery():
    samples = each_five_minutes(4, clock=lambda n: ("unset", "saved", "rtc", "ntp")[n])
    assert [held for _, held in told(samples).states("clock")] == [False, True]
    assert told([]).is_empty and not told(samples).is_empty


def test_a_slot_tells_lowest_highest_and_last():
    samples = each_five_minutes(13, temp_c=lambda n: [50.0, 44.0, 61.0, 52.0][n % 4])
    found = [each.temperature for each in told(samples, 3, HOUR_MS).found()]
    assert found == [SlotValues(44, 61, 52), SlotValues(50, 50, 50), None]


def test_bytes_written_are_counted_within_a_boot_and_not_across():
    samples = each_five_minutes(18, written_mb=lambda n: 1_000 + 10 * n)
    samples += [seen(3 * HOUR_MS, "b2", written_mb=5_000), seen(3 * HOUR_MS + 1, "b2", written_mb=5_007)]
    assert written_mb(samples) == [110, 60, None, 7]
    assert written_mb([*samples, seen(4 * HOUR_MS - 1, "b2", written_mb=1)])[3] == 7      # another card


def test_days_left_follow_the_rate_of_the_day_before():
    samples = each_five_minutes(40 * 12, free_mb=lambda n: 40_000 - 20 * n)         # 5,760 MB a day
    found = days_left(told(samples, 48, HOUR_MS))
    assert found[0] is None and found[40:] == [None] * 8        # before there is an hour of it, and after the last
    assert found[39] == pytest.approx((40_000 - 20 * 479 - 6_400) / 5_760)
    begun_later = days_left(told(samples, 8, HOUR_MS, begin_ms=32 * HOUR_MS))
    assert begun_later == found[32:40]                          # samples from before the first slot count for the rate
    samples = each_five_minutes(40, free_mb=lambda n: 7_000 + n % 2)
    assert days_left(told(samples, 3, HOUR_MS))[2] == 365        # it does not fill


def test_how_full_a_card_is_is_unknown_without_its_size():
    assert history.used_pct(seen(0, free_mb=16_000).sample) == 75
    assert history.used_pct(seen(0, free_mb=16_000, disk_mb=None).sample) is None
    assert history.used_pct(seen(0, free_mb=16_000, disk_mb=0).sample) is None


def test_what_lies_outside_or_before_its_predecessor_is_passed_over():
    samples = each_five_minutes(3, temp_c=lambda n: 50.0)
    found, = told([seen(-1, temp_c=90.0), *samples, seen(0, temp_c=10.0), seen(DAY_MS, temp_c=90.0)]).found()
    assert found.temperature == SlotValues(50, 50, 50)
