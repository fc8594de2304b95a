"""Whether two devices have one certificate, as of a card that was copied after its enrolment. Pure.

They throw each other out at the broker, so their boots take turns. A device itself never comes back to a boot that it
has left: a Wi-Fi that flaps is new connections of one boot, and a power cut is a new boot. What a broker delivers a
second time are connections that were there before.
"""
from dataclasses import dataclass, field

RETURNS_N = 2                   # of each of the two: a single one might be a word that came very late
LASTS_S = 3600.0                # so long a device counts as one of two
KNOWN_MAX = 20_000              # devices; those beyond are watched anew when room is made


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

    def step(self, boot: str, conn: int) -> "BootTurns":
        """After the word of a connection that it is there."""
        if boot == self.present.id:
            return BootTurns(SeenBoot(boot, max(conn, self.present.conn)), self.former, self.returns_n)
        if boot != self.former.id:
            return BootTurns(SeenBoot(boot, conn), self.present)
        if conn <= self.former.conn:
            return self
        return BootTurns(SeenBoot(boot, conn), self.present, self.returns_n + 1)


@dataclass(slots=True)
class CloneWatch:
    """Every device's turns."""

    _turns: dict[str, BootTurns] = field(default_factory=dict)
    _found_mono_s: dict[str, float] = field(default_factory=dict)

    def hear(self, dev: str, boot: str, conn: int, now_mono_s: float) -> bool:
        """A device says that it is there; whether that was the turn of a second one with its certificate."""
        if dev not in self._turns and len(self._turns) >= KNOWN_MAX:
            self._turns.clear()
        before = self._turns.get(dev, BootTurns())
        after = self._turns[dev] = before.step(boot, conn)
        if is_found := after.returns_n > before.returns_n and after.returns_n >= RETURNS_N:
            self._found_mono_s[dev] = now_mono_s
        return is_found

    def found_n(self, now_mono_s: float) -> int:
        """Of how many devices there were two in the last hour."""
        self._found_mono_s = {dev: mono_s for dev, mono_s in self._found_mono_s.items()
                              if now_mono_s - mono_s < LASTS_S}
        return len(self._found_mono_s)
