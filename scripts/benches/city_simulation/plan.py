"""The plan of a simulation."""
from dataclasses import dataclass, field

from agent.core.delivery.backoff import Waits
from agent.core.delivery.outbox import OutboxPace

WARD = "w07"
HOST = "127.0.0.1"
START_PER_S = 200.0         # devices switched on in a second: a city comes over half a minute, as after an outage


class SimulationFault(Exception):
    """The simulation can't run here; the text is one line with the remedy."""


@dataclass(frozen=True, slots=True)
class CityPlan:
    """A city and its day. All waits are the contract's; tests set shorter ones."""

    devices_n: int
    events_per_s: float             # of all devices together
    steady_s: float                 # until the broker is killed
    restart: bool
    processes_n: int = 2            # of the devices
    health_every_s: int = 30
    down_s: float = 10.0            # how long the broker is away
    hosts: tuple[str, ...] = (HOST,)        # of the broker: after a connection each device tries the next one
    start_per_s: float = START_PER_S
    waits: Waits = field(default_factory=Waits)
    pace: OutboxPace = field(default_factory=OutboxPace)

    @property
    def settle_s(self) -> float:
        """The longest wait for receipts: two repetitions, and some."""
        return 3 * self.pace.again_s + 10

    @property
    def start_s(self) -> float:
        """The time until the last device has been switched on."""
        return max(self.waits.start_s, self.devices_n / self.start_per_s)
