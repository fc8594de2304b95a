"""Restarts the machine if the card's file system has failed, at most three times a day. Pure.

A day is 24 hours of running, summed over all boots, so a clock that jumps adds no restart. The card may be unable to
store that the machine restarts. So each boot reserves one restart in writing while the card is well. The next boot
cannot know whether the reserved restart was used, so it counts it.
"""
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from agent.core.household.pause import Moment
from agent.core.recovery import REBOOT_AGAIN_MS

RESTARTS_MAX_N = 3              # a day, in total
AHEAD_MAX_N = 2                 # reserved ones that may count, so that power cuts never use up all three
PATIENCE_MS = 180_000           # least wait: a machine that restarts while its card still fails may never boot
WELL_MS = 10_000                # the same for a card that accepts writes; each vain restart doubles both
SWIFT_MAX_N = 2                 # vain restarts in a row after the short wait; a third one waits longer
DOUBLED_MAX_N = 8
HELPED_MS = 3_600_000           # a restart helped if the card was well for this long after it

Ms = Annotated[int, Meta(ge=0)]


class Budget(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """The restarts that the card has cost, and how long the machine has run. Only root stores it."""

    boot: str = ""                      # the boot that wrote it, and how long that boot had lasted
    mono_ms: Ms = 0
    lived_ms: Ms = 0                    # how long the machine had run by then, over all boots, as far as known
    restarts_ms: tuple[Ms, ...] = ()    # `lived_ms` of each restart that was noted, the newest last
    unclear_ms: tuple[Ms, ...] = ()     # `lived_ms` of boots that ended unnoted with a reserved restart
    ahead: bool = False                 # the boot that wrote it has reserved a restart
    in_vain_n: Ms = 0                   # restarts in a row that did not help

    def at(self, now: Moment) -> "Budget":
        """Returns the budget as the boot of `now` sees it at that moment, without restarts older than a day."""
        ours = self.boot == now.boot
        lived_ms = self.lived_ms + max(now.mono_ms - (self.mono_ms if ours else 0), 0)
        unclear_ms = self.unclear_ms if ours or not self.ahead else (*self.unclear_ms, self.lived_ms)
        return replace(self, boot=now.boot, mono_ms=now.mono_ms, lived_ms=lived_ms, ahead=self.ahead and ours,
                       restarts_ms=_of_the_day(self.restarts_ms, lived_ms),
                       unclear_ms=_of_the_day(unclear_ms, lived_ms))

    @property
    def is_spent(self) -> bool:
        """Whether no restart is left, as of the last call of `at`."""
        return len(self.restarts_ms) + len(self.unclear_ms) >= RESTARTS_MAX_N

    def patience_ms(self, takes_writes: bool) -> int:
        """Returns how long (ms) the file system must fail before a restart. `takes_writes`: the card accepts writes."""
        is_swift = takes_writes and self.in_vain_n < SWIFT_MAX_N
        return (WELL_MS if is_swift else PATIENCE_MS) << min(self.in_vain_n, DOUBLED_MAX_N)

    def renewed(self, now: Moment) -> "Budget":
        seen = self.at(now)
        helped = not seen.restarts_ms or seen.lived_ms - seen.restarts_ms[-1] >= HELPED_MS
        return replace(seen, ahead=seen.ahead or len(seen.unclear_ms) < AHEAD_MAX_N,
                       in_vain_n=0 if helped else seen.in_vain_n)

    def restarted(self, now: Moment) -> "Budget":
        """Returns the budget to write before the machine restarts because of the card."""
        seen = self.at(now)
        return replace(seen, ahead=False, restarts_ms=(*seen.restarts_ms, seen.lived_ms),
                       in_vain_n=seen.in_vain_n + 1)

    def ended(self, now: Moment) -> "Budget":
        """Returns the budget to write when the boot ends in order. It frees the reserved restart."""
        return replace(self.at(now), ahead=False)


def _of_the_day(moments_ms: tuple[int, ...], lived_ms: int) -> tuple[int, ...]:
    return tuple(each for each in moments_ms if lived_ms - each < REBOOT_AGAIN_MS)
