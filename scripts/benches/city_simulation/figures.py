"""The figures of a simulation, and the promises among them."""
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec import Struct

LAG_MAX_S, BACK_MAX_S, CONNECTS_MAX = 2.0, 70.0, 1.1


class Spread(Struct, frozen=True):
    """Of many durations in seconds: the median, the 99th percentile, the longest."""

    p50_s: float
    p99_s: float
    most_s: float


class Load(Struct, frozen=True):
    """A process's share of one core, and its memory."""

    cpu_pct: float
    rss_b: int


class ArrivalFigures(Struct, frozen=True):
    """All devices connect for the first time."""

    took_s: float               # from the first device to the last one
    connects_per_s: float
    connects_each: float
    broker_each_ms: float       # CPU of the broker for each connection, with its first messages
    listen_overflows_n: int


class SteadyFigures(Struct, frozen=True):
    """A time in which nothing breaks."""

    long_s: float
    broker: Load
    ingest: Load
    devices_cpu_pct: float      # of simulating them
    others_cpu_pct: float       # of everything else on the machine
    commit_mean_s: float
    slow_commits_n: int         # commits of more than a second: the disk was busy
    faults: dict[str, int]      # ends and failures of connections, by the fault's code
    health_sent_n: int          # since the first connection
    health_taken_n: int
    health_lag: Spread          # of each device's last report: from its making to the ingest
    events_n: int
    offers_n: int               # events sent, repetitions included
    event_lag: Spread           # from the event to the device having its receipt


class RestartFigures(Struct, frozen=True):
    """The broker is killed, and started again after a while."""

    down_s: float
    back: Spread                # from the broker's return to a device's
    connects_each: float        # connections that found a broker
    knocks_each: float          # attempts that found none, while it was away
    faults: dict[str, int]
    broker_cpu_s: float         # from the kill until all devices are back
    devices_cpu_s: float        # of simulating them meanwhile
    listen_overflows_n: int
    events_n: int               # that happened meanwhile
    offers_n: int
    event_lag: Spread


class EventFigures(Struct, frozen=True):
    """The events at the end."""

    made_n: int
    kept_n: int                 # in the database, each once
    missing_n: int              # made, and not in the database
    waiting_n: int              # whose device has no receipt
    repeated_n: int             # copies that the ingest recognised


class SimulationFigures(Struct, frozen=True):
    """All figures."""

    devices_n: int
    events_per_s: float
    load1: float                # the machine's, when it began
    arrival: ArrivalFigures
    steady: SteadyFigures
    restart: RestartFigures | None
    kept: EventFigures


@dataclass(frozen=True, slots=True)
class Target:
    """A promise, and its measured value."""

    what: str
    limit: float
    unit: str
    measured: float

    @property
    def met(self) -> bool:
        """Whether the promise is kept."""
        return self.measured <= self.limit


def spread(durations_s: Iterable[float]) -> Spread:
    """The spread by nearest rank; zeros without durations."""
    ordered = sorted(durations_s) or [0.0]
    return Spread(_rank(ordered, 0.5), _rank(ordered, 0.99), ordered[-1])


def counted(faults: Mapping[str, int]) -> str:
    """Such as "closed 6,279, no_broker 2,221"."""
    return ", ".join(f"{code} {n:,}" for code, n in sorted(faults.items()))


def _rank(ordered: Sequence[float], share: float) -> float:
    return ordered[math.ceil(share * len(ordered)) - 1]


def targets(figures: SimulationFigures) -> list[Target]:
    """Every promise (docs/design/ward.md) that this simulation could break."""
    steady, restart, kept = figures.steady, figures.restart, figures.kept
    found = [Target("health reports not taken", 0, "", steady.health_sent_n - steady.health_taken_n),
             Target("health lag p99", LAG_MAX_S, "s", steady.health_lag.p99_s),
             Target("event lag p99", LAG_MAX_S, "s", steady.event_lag.p99_s),
             Target("events lost", 0, "", kept.missing_n),
             Target("events without a receipt", 0, "", kept.waiting_n)]
    if restart:
        found += [Target("all back after a restart", BACK_MAX_S, "s", restart.back.most_s),
                  Target("connects each", CONNECTS_MAX, "", restart.connects_each)]
    return found
