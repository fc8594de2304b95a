"""The counts of one process's devices, as they are sent over its pipe."""
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class DeviceTally:
    """Counts since the last mark."""

    dials_n: int = 0                # connections that were begun
    faults: Counter[str] = field(default_factory=Counter)       # failures and ends of connections, by LinkFault's code
    health_n: int = 0               # reports handed to the MQTT library
    events_n: int = 0               # events that were made
    offers_n: int = 0               # PUBLISHes of events, repetitions included
    lags_s: list[float] = field(default_factory=list)           # from each event to its receipt

    def add(self, other: "DeviceTally") -> None:
        """Add another tally's counts."""
        self.dials_n += other.dials_n
        self.faults += other.faults
        self.health_n += other.health_n
        self.events_n += other.events_n
        self.offers_n += other.offers_n
        self.lags_s += other.lags_s


@dataclass(frozen=True, slots=True)
class FleetLook:
    """State and counts of the devices of one process."""

    tally: DeviceTally
    up_mono_s: list[float]          # since when each present device is there: connected, subscribed, its birth accepted
    waiting_n: int                  # events without a receipt
    made: dict[str, int]            # events that each device ever made
    cpu_s: float
