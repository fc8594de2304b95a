"""Rules about the machine: power, heat, memory, clock and card. Each returns findings for one look."""
from collections.abc import Iterator

from agent.core.contract.facts import KeeperFacts
from agent.core.health.conditions import HealthFinding, Raised, above, below, finding
from agent.core.health.facts import Facts, HostFacts

UNDER_VOLTAGE_SINCE_BOOT = 1 << 16
SLOWED_NOW = 0b1110                 # frequency capped, throttled, or at the soft temperature limit
WATCHDOG_NEWS_S = 86_400.0
MB = 1_000_000


def power(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """Supply voltage, as the firmware reports it (raspberrypi.com, "get_throttled")."""
    host = facts.host
    if host.volt_low:
        yield finding("power_low")
    if (host.throttle or 0) & UNDER_VOLTAGE_SINCE_BOOT:
        yield finding("power_was_low")


def heat(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """The chip slows down from 80 degrees on, and strongly at 85."""
    temp_c, before = facts.host.soc_temp_c, raised("hot")
    if above(temp_c, 85, 82, before == "alarm"):
        yield finding("hot", severity="alarm", detail=f"{temp_c:.0f} °C")
    elif above(temp_c, 80, 77, before is not None):
        yield finding("hot", detail=f"{temp_c:.0f} °C")
    if (facts.host.throttle or 0) & SLOWED_NOW:
        yield finding("throttled")


def memory(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    host = facts.host
    if host.mem_avail_b is not None and host.mem_total_b:
        share_pct = 100 * host.mem_avail_b / host.mem_total_b
        if below(share_pct, 8, 12, raised("memory_low") is not None):
            yield finding("memory_low", detail=f"{host.mem_avail_b // MB} MB")
    if host.mem_limits is False:
        yield finding("memory_unlimited")


def boot(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """Facts about the boot: a watchdog's reset shows for a day; the clock may have no date yet."""
    host = facts.host
    if host.watchdog_reset and host.up_s is not None and host.up_s < WATCHDOG_NEWS_S:
        yield finding("watchdog_reset")
    if host.clock == "unset":
        yield finding("clock_unset")


def card(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    host = facts.host
    if host.card_missing:
        yield finding("card_missing")
    if host.card_hung:
        yield finding("card_hung")
    if host.card_error or host.card_errors_new_n:
        yield finding("card_io")
    elif host.card_errors_n:
        yield finding("card_io", severity="warn")           # counted earlier, and not repaired
    if host.card_given_up:
        yield finding("card_given_up")
    if host.read_only:
        yield finding("card_read_only")
    if facts.card_end:
        yield finding("card_ends", detail=facts.card_end)


def space(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """Space and inodes. Retention keeps its floor free, so half of the floor means that it fails."""
    host = facts.host
    if host.disk_free_b is not None and host.disk_tot_b:
        free_pct, floor_pct = 100 * host.disk_free_b / host.disk_tot_b, facts.free_floor_pct
        if below(free_pct, floor_pct / 2, floor_pct * 3 / 4, raised("card_full") is not None):
            known = [own.clips_b for unit in facts.units if (own := unit.told(KeeperFacts))]
            others = [f"{(host.disk_tot_b - host.disk_free_b - b) // MB} MB no clips" for b in known if b is not None]
            yield finding("card_full", detail=", ".join([f"{host.disk_free_b // MB} MB free", *others]))
    if _inodes_low(host, raised("inodes_low") is not None):
        yield finding("inodes_low")
    if below(facts.days_left, 2, 3, raised("card_days_low") is not None):
        yield finding("card_days_low", detail=f"{facts.days_left:.1f}")


def _inodes_low(host: HostFacts, before: bool) -> bool:
    if host.inodes_free_n is None or not host.inodes_tot_n:
        return False
    return below(100 * host.inodes_free_n / host.inodes_tot_n, 3, 5, before)


RULES = (power, heat, memory, boot, card, space)
