"""The simulated city: all devices come, nothing breaks for a while, the broker is killed, all come back."""
import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agent.host.clock import SystemClock
from scripts.benches.city_simulation.broker import broker
from scripts.benches.city_simulation.figures import (
    ArrivalFigures,
    EventFigures,
    Load,
    RestartFigures,
    SimulationFigures,
    SteadyFigures,
    counted,
    spread,
)
from scripts.benches.city_simulation.ingest import IngestProcess, health_lags_s, kept_events
from scripts.benches.city_simulation.machine import busy_cpu_s, listen_overflows_n, raise_open_files
from scripts.benches.city_simulation.pki import Authority
from scripts.benches.city_simulation.plan import CityPlan, SimulationFault
from scripts.benches.city_simulation.processes import DeviceProcesses
from scripts.benches.city_simulation.tally import FleetLook

ON_DISK = "/var/tmp"                # a disk, for the cost of flushes; Debian's /tmp is memory
LOOK_EVERY_S = 0.5
INGEST_S = 120.0
COME_S = 240.0                      # after the last device was switched on, or may come back
HEALTH_SETTLES_S = 30.0
TENTHS = 10                         # of all devices: the steps in which their arrival is told

Tell = Callable[[str], None]


class SimulatedCity:
    """A broker, an ingest, and all devices, at work."""

    def __init__(self, plan: CityPlan, folder: Path, tell: Tell, stack: contextlib.ExitStack) -> None:
        """Start everything; devices begin to connect. All of it ends with `stack`. Raises SimulationFault."""
        raise_open_files(plan.devices_n)
        self._plan, self._tell, self._clock = plan, tell, SystemClock()
        tell(f"making {plan.devices_n:,} keys and certificates")
        authority = Authority(folder / "pki")
        certificates = [authority.device() for _ in range(plan.devices_n)]
        self._broker, port = broker(folder / "broker", authority)
        stack.enter_context(self._broker)
        self._ingest = stack.enter_context(IngestProcess(folder / "ward", port, authority))
        self._until(lambda: self._ingest.figures().get("taimat_ward_connected"), INGEST_S, "the ingest is connected")
        self._overflows_n, self._broker_cpu_s = listen_overflows_n(), self._broker.used().cpu_s
        self._processes = stack.enter_context(DeviceProcesses(plan, port, authority.ca, certificates))
        self._health_sent_n = 0

    def arrive(self) -> ArrivalFigures:
        """All devices connect for the first time."""
        self._tell(f"everybody comes, within {self._plan.start_s:.0f} s")
        look = self._all_there(0.0, self._plan.start_s)
        tally = self._processes.order("mark").tally
        self._health_sent_n = tally.health_n
        took_s = max(look.up_mono_s) - min(look.up_mono_s)
        return ArrivalFigures(
            took_s=took_s, connects_per_s=len(look.up_mono_s) / took_s if took_s else 0.0,
            connects_each=(tally.dials_n - tally.faults["no_broker"]) / self._plan.devices_n,
            broker_each_ms=1000 * (self._broker.used().cpu_s - self._broker_cpu_s) / max(1, tally.dials_n),
            listen_overflows_n=listen_overflows_n() - self._overflows_n)

    def live(self) -> SteadyFigures:
        """Health and events for a while; then wait until all that is on its way has arrived."""
        self._tell(f"health each {self._plan.health_every_s} s, {self._plan.events_per_s:g} events a second, "
                   f"for {self._plan.steady_s:.0f} s")
        began, commits = self._meters(), self._commits()
        self._processes.order("move")
        time.sleep(self._plan.steady_s)
        long_s, broker_s, ingest_s, devices_s, all_s = (now - before for now, before in
                                                        zip(self._meters(), began, strict=True))
        broker_b, ingest_b = self._broker.used().rss_b, self._ingest.used().rss_b
        commits_n, commits_s, quick_n = (now - before for now, before in zip(self._commits(), commits, strict=True))
        look = self._settle()
        sent_n = self._health_sent_n + look.tally.health_n
        with contextlib.suppress(SimulationFault):          # missing reports are the figure
            self._until(lambda: self._ingest.health_n() >= sent_n, HEALTH_SETTLES_S, "all health is there")
        return SteadyFigures(
            long_s=long_s, broker=Load(100 * broker_s / long_s, broker_b),
            ingest=Load(100 * ingest_s / long_s, ingest_b), devices_cpu_pct=100 * devices_s / long_s,
            others_cpu_pct=max(0.0, 100 * (all_s - broker_s - ingest_s - devices_s) / long_s),
            commit_mean_s=commits_s / max(1.0, commits_n), slow_commits_n=int(commits_n - quick_n),
            faults=dict(look.tally.faults), health_sent_n=sent_n, health_taken_n=self._ingest.health_n(),
            health_lag=spread(health_lags_s(self._ingest.url)), events_n=look.tally.events_n,
            offers_n=look.tally.offers_n, event_lag=spread(look.tally.lags_s))

    def restart(self) -> RestartFigures:
        """The broker is killed and comes back, and so do all devices, while events go on."""
        self._processes.order("mark")
        self._processes.order("speak")
        look = self._processes.order("move")
        self._tell(f"the broker is killed; back in {self._plan.down_s:g} s")
        overflows_n, cpu_s = listen_overflows_n(), self._broker.used().cpu_s
        killed_mono_s = self._clock.mono_s()
        self._broker.kill()
        time.sleep(self._plan.down_s)
        self._broker.start()
        listens_mono_s = self._clock.mono_s()
        back = self._all_there(killed_mono_s, self._plan.waits.longest_s)
        cpu_s, overflows_n = self._broker.used().cpu_s - cpu_s, listen_overflows_n() - overflows_n
        tally = self._settle().tally
        return RestartFigures(
            down_s=self._plan.down_s, back=spread(up_mono_s - listens_mono_s for up_mono_s in back.up_mono_s),
            connects_each=(back.tally.dials_n - back.tally.faults["no_broker"]) / self._plan.devices_n,
            knocks_each=back.tally.faults["no_broker"] / self._plan.devices_n, faults=dict(back.tally.faults),
            broker_cpu_s=cpu_s, devices_cpu_s=back.cpu_s - look.cpu_s, listen_overflows_n=overflows_n,
            events_n=tally.events_n, offers_n=tally.offers_n, event_lag=spread(tally.lags_s))

    def kept(self) -> EventFigures:
        """Compare the events that were made with the database."""
        look = self._processes.order("look")
        kept_n, missing_n = kept_events(self._ingest.url, look.made)
        return EventFigures(made_n=sum(look.made.values()), kept_n=kept_n, missing_n=missing_n,
                            waiting_n=look.waiting_n,
                            repeated_n=int(self._ingest.figures().get("taimat_ward_repeated_events_total", 0)))

    def _all_there(self, since_mono_s: float, within_s: float) -> FleetLook:
        """Wait until all devices have come up since that moment. Raises SimulationFault."""
        look, all_n, told_n = self._processes.order("look"), self._plan.devices_n, 0

        def complete() -> bool:
            nonlocal look, told_n
            look = self._processes.order("look")
            there_n = sum(up_mono_s > since_mono_s for up_mono_s in look.up_mono_s)
            if there_n >= told_n + max(1, all_n // TENTHS) or there_n == all_n:
                told_n = there_n
                self._tell(f"{there_n:,} of {all_n:,} devices are there")
            return there_n == all_n

        self._until(complete, within_s + COME_S, "all devices are there", lambda: counted(look.tally.faults))
        return look

    def _settle(self) -> FleetLook:
        """Stop events and health, and wait for the receipts as long as repetitions may take."""
        self._processes.order("rest")
        self._processes.order("hush")
        with contextlib.suppress(SimulationFault):          # missing receipts are the figure
            self._until(lambda: not self._processes.order("look").waiting_n, self._plan.settle_s,
                        "all receipts are there")
        return self._processes.order("look")

    def _meters(self) -> tuple[float, ...]:
        """Time, and the CPU time of broker, ingest, devices and machine; in seconds."""
        return (self._clock.mono_s(), self._broker.used().cpu_s, self._ingest.used().cpu_s,
                self._processes.order("look").cpu_s, busy_cpu_s())

    def _commits(self) -> tuple[float, ...]:
        """Number of commits, their seconds in sum, and the number of those that took up to a second."""
        figures = self._ingest.figures()
        return tuple(figures[f"taimat_ward_commit_seconds_{what}"] for what in ("count", "sum", 'bucket{le="1.0"}'))

    def _until(self, condition: Callable[[], object], within_s: float, what: str,
               why: Callable[[], str] = lambda: "") -> None:
        """Wait for a condition. Raises SimulationFault."""
        until_mono_s = self._clock.mono_s() + within_s
        while not condition():
            self._broker.used()
            self._ingest.used()
            if self._clock.mono_s() > until_mono_s:
                raise SimulationFault(f"not within {within_s:.0f} s: {what}; {why() or 'is this machine too slow?'}")
            time.sleep(LOOK_EVERY_S)


def simulate(plan: CityPlan, tell: Tell) -> SimulationFigures:
    """Play it, and give what came out. Raises SimulationFault."""
    load1 = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        place = os.environ.get("TMPDIR", ON_DISK)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taimat-city-", dir=place)))
        city = SimulatedCity(plan, folder, tell, stack)
        arrival, steady = city.arrive(), city.live()
        restart = city.restart() if plan.restart else None
        return SimulationFigures(plan.devices_n, plan.events_per_s, load1, arrival, steady, restart, city.kept())
