"""The one step for a card that refuses all writing: the machine restarts. Pure: history in, an answer out.

Such a card can't keep that it was restarted for. So a boot gets a licence for one restart while it can still be written
down, and none gets one within a day of the last: a boot without a licence asks for nothing.
"""
from msgspec import Struct

from agent.core.household.pause import Moment
from agent.core.recovery import REBOOT_UP_MS, Reboots

PATIENCE_MS = 180_000           # a card that comes to itself needs nobody
RENEW_MS = 3_600_000            # so that a day after it is a day after the boot's last hour, and not after its first


class Licence(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Who may restart the machine for the card: the boot that wrote it here, on the card."""

    boot: str = ""
    mono_ms: int = 0            # when it was written
    wall_ms: int = 0
    clock: str = "unset"
    errors_n: int = 0           # which the kernel had noted on this file system by then

    def is_due(self, now: Moment) -> bool:
        """Whether the boot that is at work is to write its own, or to write it again."""
        if self.boot == now.boot:
            return now.mono_ms - self.mono_ms >= RENEW_MS
        return Reboots(boot=self.boot, wall_ms=self.wall_ms, clock=self.clock).day_passed(now)

    def allows(self, refused_since_ms: int, now: Moment) -> bool:
        """Whether the machine may restart for a card that has taken nothing since then."""
        return (self.boot == now.boot and now.mono_ms >= REBOOT_UP_MS
                and now.mono_ms - refused_since_ms >= PATIENCE_MS)
