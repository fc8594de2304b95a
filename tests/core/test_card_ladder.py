"""A restart for a card that refuses writing: only with a licence that was written before, and one a day."""
import pytest

from agent.core.card_ladder import PATIENCE_MS, RENEW_MS, Licence
from agent.core.recovery import REBOOT_AGAIN_MS, REBOOT_UP_MS
from agent.host.clock import Instant

pytestmark = pytest.mark.core
DAY_MS, LATE_MS = REBOOT_AGAIN_MS, REBOOT_UP_MS + PATIENCE_MS


def at(boot: str, mono_ms: int, wall_ms: int = 0, clock: str = "ntp") -> Instant:
    return Instant(boot, mono_ms, wall_ms, clock)


def taken(now: Instant) -> Licence:
    return Licence(boot=now.boot, mono_ms=now.mono_ms, wall_ms=now.wall_ms, clock=now.clock)


def test_a_boot_with_a_licence_may_once_the_card_has_refused_for_long():
    mine = taken(at("a", 1000))
    assert mine.allows(REBOOT_UP_MS, at("a", LATE_MS))
    assert not mine.allows(REBOOT_UP_MS, at("a", LATE_MS - 1))              # it may come to itself
    assert not mine.allows(0, at("a", REBOOT_UP_MS - 1))                    # somebody may be at work on the machine
    assert not mine.allows(0, at("b", LATE_MS)) and not Licence().allows(0, at("b", LATE_MS))


def test_the_boot_after_a_restart_gets_none_before_a_day_has_passed():
    mine = taken(at("a", RENEW_MS, wall_ms=RENEW_MS))
    assert not mine.is_due(at("b", 1000, wall_ms=RENEW_MS + DAY_MS - 1))
    assert mine.is_due(at("b", 1000, wall_ms=RENEW_MS + DAY_MS))
    assert not mine.is_due(at("b", 1000, wall_ms=400 * DAY_MS, clock="saved"))      # a clock that vouches for nothing
    assert mine.is_due(at("b", DAY_MS, clock="saved")) and Licence().is_due(at("a", 0))


def test_it_is_renewed_so_that_the_day_counts_from_the_boot_s_last_hour():
    mine = taken(at("a", 0))
    assert not mine.is_due(at("a", RENEW_MS - 1)) and mine.is_due(at("a", RENEW_MS))
