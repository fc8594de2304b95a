"""When to try the broker again. Pure: the caller passes random numbers.

The hundreds of recorders of a ward all lose the same broker at once. Random waits keep them from all coming back at
once: a broker is overloaded by unfinished TLS handshakes, not by connections.
"""
from dataclasses import dataclass, field, replace

# CONNACK reasons that no second try will change soon (MQTT 5.0, 3.2.2.2): wrong protocol, client id or password, not
# authorised, banned.
HOPELESS = frozenset({0x84, 0x85, 0x86, 0x87, 0x8A})


@dataclass(frozen=True, slots=True)
class Waits:
    """The longest waits. The first two are drawn evenly from 0 up to these values, those after a failure from half of
    it.

    If waits after failures were drawn from 0, too, some devices would fail four times within ten seconds and take a
    short outage for a long one.
    """

    start_s: float = 3.0                            # after our own start: a power cut restarts a whole street
    lost_s: float = 30.0                            # after the loss of a connection
    step_s: float = 15.0                            # doubled with each failure,
    longest_s: float = 120.0                        # up to this
    hopeless_s: tuple[float, float] = (900.0, 3600.0)
    settled_s: float = 60.0                         # a connection this old resets the failures


@dataclass(frozen=True, slots=True)
class Backoff:
    """Counts failures in a row. Each method takes `draw` from [0, 1) and returns the next state and the wait (s)."""

    waits: Waits = field(default_factory=Waits)
    failures_n: int = 0

    def start(self, draw: float) -> tuple["Backoff", float]:
        return replace(self, failures_n=0), draw * self.waits.start_s

    def failed(self, draw: float) -> tuple["Backoff", float]:
        if self.failures_n == 0:
            wait_s = draw * self.waits.lost_s
        else:
            longest_s = min(self.waits.longest_s, self.waits.step_s * 2.0 ** min(self.failures_n - 1, 32))
            wait_s = (1 + draw) / 2 * longest_s
        return replace(self, failures_n=self.failures_n + 1), wait_s

    def lost(self, lived_s: float, draw: float) -> tuple["Backoff", float]:
        """A connection ended after `lived_s`. A short one counts as a failure. Otherwise two devices with one name
        would disconnect each other without end."""
        return (replace(self, failures_n=0) if lived_s >= self.waits.settled_s else self).failed(draw)

    def refused(self, draw: float) -> tuple["Backoff", float]:
        """The broker refused for a reason that a person must remove."""
        shortest_s, longest_s = self.waits.hopeless_s
        return replace(self, failures_n=self.failures_n + 1), shortest_s + draw * (longest_s - shortest_s)
