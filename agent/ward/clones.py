"""Whether two devices have one certificate, as of a card that was copied after its enrolment. Pure.

They throw each other out at the broker, so their boots take turns. A device itself never comes back to a boot that it
has left: a Wi-Fi that flaps is new connections of one boot, and a power cut is a new boot. What a broker delivers a
second time are connections that were there before.
"""
from dataclasses import dataclass, replace

RETURNS_N = 2                   # of each of the two: a single one might be a word that came very late
LASTS_MS = 3_600_000            # so long a device counts as one of two


@dataclass(frozen=True, slots=True)
class SeenBoot:
    """A boot by the first digits of its id, and the highest of its connections that is known."""

    id: str = ""
    conn: int = 0


@dataclass(frozen=True, slots=True)
class BootTurns:
    """The boot that is at the broker, the one before it, and how often they have changed places without a third."""

    present: SeenBoot = SeenBoot()
    former: SeenBoot = SeenBoot()
    returns_n: int = 0
    found_ms: int = 0           # when it was last the turn of a second device with this one's certificate; 0: never

    def step(self, boot: str, conn: int, now_ms: int) -> "BootTurns":
        """After the word of a connection that it is there."""
        if boot == self.present.id:
            return replace(self, present=SeenBoot(boot, max(conn, self.present.conn)))
        if boot != self.former.id:
            return BootTurns(SeenBoot(boot, conn), self.present, found_ms=self.found_ms)
        if conn <= self.former.conn:
            return self
        returns_n = self.returns_n + 1
        return BootTurns(SeenBoot(boot, conn), self.present, returns_n,
                         now_ms if returns_n >= RETURNS_N else self.found_ms)

    def is_of_two(self, now_ms: int) -> bool:
        """Whether there were two in the last hour."""
        return bool(self.found_ms) and now_ms - self.found_ms < LASTS_MS
