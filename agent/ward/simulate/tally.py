"""What the devices of one process count. It goes to whoever asks as it is."""
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts since the last mark."""

    dials_n: int = 0                # connections that were begun
    faults: Counter[str] = field(default_factory=Counter)       # how connections failed or ended, by LinkFault's code
    health_n: int = 0               # reports handed to the MQTT library
    events_n: int = 0               # that happened
    offers_n: int = 0               # PUBLISHes of events, repetitions included
    lags_s: list[float] = field(default_factory=list)           # from each event to its receipt

    def add(self, other: "Tally") -> None:
        """Both together."""
        self.dials_n += other.dials_n
        self.faults += other.faults
        self.health_n += other.health_n
        self.events_n += other.events_n
        self.offers_n += other.offers_n
        self.lags_s += other.lags_s


@dataclass(frozen=True, slots=True)
class Look:
    """How the devices of one process are, and what they have counted."""

    tally: Tally
    up_mono_s: list[float]          # since when each that is there is there: connected, subscribed, its birth taken
    waiting_n: int                  # events without a receipt
    made: dict[str, int]            # how many events each device ever had, of those that had any
    cpu_s: float
