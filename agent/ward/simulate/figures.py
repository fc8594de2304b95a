"""What came out of a simulation, and which of it is promised."""
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec import Struct

LAG_MAX_S, BACK_MAX_S, CONNECTS_MAX = 2.0, 70.0, 1.1


class Spread(Struct, frozen=True):
    """Of many durations in seconds: the middle one, the one that 99 of 100 stay within, the longest."""

    p50_s: float
    p99_s: float
    most_s: float


class Load(Struct, frozen=True):
    """Of a process: share of one core, and memory."""

    cpu_pct: float
    rss_b: int


class Arrival(Struct, frozen=True):
    """Everybody connects for the first time."""

    took_s: float               # from the first who was there to the last
    connects_per_s: float
    connects_each: float
    broker_each_ms: float       # CPU of the broker for each connection, what is said at once included
    listen_overflows_n: int


class Steady(Struct, frozen=True):
    """A time in which nothing breaks."""

    long_s: float
    broker: Load
    ingest: Load
    devices_cpu_pct: float      # what it takes to simulate them
    others_cpu_pct: float       # what else ran on the machine
    commit_mean_s: float
    slow_commits_n: int         # that took more than a second: the disk had something else to do
    faults: dict[str, int]      # how connections ended or did not come about, by the fault's code
    health_sent_n: int          # since the first connection
    health_taken_n: int
    health_lag: Spread          # of each device's last report: from its making to the ingest
    events_n: int
    offers_n: int               # events sent, repetitions included
    event_lag: Spread           # from the event to the device having its receipt


class Restart(Struct, frozen=True):
    """The broker is killed, and started again after a while."""

    down_s: float
    back: Spread                # from the broker's listening again to a device's being there
    connects_each: float        # that found a broker
    knocks_each: float          # that found nobody, while it was away
    faults: dict[str, int]
    broker_cpu_s: float         # from the kill until everybody is back
    devices_cpu_s: float        # what it took meanwhile to simulate them
    listen_overflows_n: int
    events_n: int               # that happened meanwhile
    offers_n: int
    event_lag: Spread


class Kept(Struct, frozen=True):
    """Events, at the end."""

    made_n: int
    kept_n: int                 # in the database, each once
    missing_n: int              # made, and not there
    waiting_n: int              # of which a device has no receipt
    repeated_n: int             # copies that the ingest recognised


class Figures(Struct, frozen=True):
    """All of it."""

    devices_n: int
    events_per_s: float
    load1: float                # the machine's, when it began
    arrival: Arrival
    steady: Steady
    restart: Restart | None
    kept: Kept


@dataclass(frozen=True, slots=True)
class Target:
    """What is promised, and what came out."""

    what: str
    limit: float
    unit: str
    measured: float

    @property
    def met(self) -> bool:
        """Whether the promise is kept."""
        return self.measured <= self.limit


def spread(durations_s: Iterable[float]) -> Spread:
    """By nearest rank; nothing was waited for where there are none."""
    ordered = sorted(durations_s) or [0.0]
    return Spread(_rank(ordered, 0.5), _rank(ordered, 0.99), ordered[-1])


def counted(faults: Mapping[str, int]) -> str:
    """Such as "closed 6,279, no_broker 2,221"."""
    return ", ".join(f"{code} {n:,}" for code, n in sorted(faults.items()))


def _rank(ordered: Sequence[float], share: float) -> float:
    return ordered[math.ceil(share * len(ordered)) - 1]


def targets(figures: Figures) -> list[Target]:
    """Every promise (docs/design/mqtt.md) that this simulation could break."""
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
