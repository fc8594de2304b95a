"""The processes of all devices, and one answer from all of them."""
import contextlib
import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from pathlib import Path

from scripts.benches.city_simulation import fleet
from scripts.benches.city_simulation.fleet import Order
from scripts.benches.city_simulation.plan import CityPlan, SimulationFault
from scripts.benches.city_simulation.tally import DeviceTally, FleetLook

ANSWER_S = 60.0                 # also from a process in which all devices lose their broker at once
END_S = 30.0


class DeviceProcesses:
    """All processes, as a context manager."""

    def __init__(self, plan: CityPlan, port: int, ca: Path, certificates: Sequence[Path]) -> None:
        """Start the processes; their devices begin to connect."""
        context = multiprocessing.get_context("spawn")      # a fork would take our threads' locks along
        self._processes: list[tuple[BaseProcess, Pipe]] = []
        for number in range(plan.processes_n):
            if not (own := certificates[number::plan.processes_n]):
                continue
            ours, theirs = context.Pipe()
            process = context.Process(target=fleet.live, args=(plan, port, ca, own, theirs), daemon=True)
            process.start()
            theirs.close()
            self._processes.append((process, ours))

    def order(self, order: Order) -> FleetLook:
        """Give an order to all; returns their state before it, counts since the last mark. Raises SimulationFault."""
        try:
            for _, pipe in self._processes:
                pipe.send(order)
            return _sum([self._answer(pipe) for _, pipe in self._processes])
        except (EOFError, ConnectionError) as error:
            raise SimulationFault("a process with devices has died: is there enough memory? Try fewer devices"
                                  ) from error

    def _answer(self, pipe: Pipe) -> FleetLook:
        if not pipe.poll(ANSWER_S):
            raise SimulationFault(f"a process with devices is silent for {ANSWER_S:.0f} s: this machine is too slow "
                                  "for so many; try fewer")
        look: FleetLook = pipe.recv()
        return look

    def close(self) -> None:
        """End all processes."""
        for _, pipe in self._processes:
            pipe.close()
        for process, _ in self._processes:
            process.join(END_S)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.join()

    def __enter__(self) -> "DeviceProcesses":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _sum(looks: Sequence[FleetLook]) -> FleetLook:
    tally = DeviceTally()
    for look in looks:
        tally.add(look.tally)
    return FleetLook(tally, up_mono_s=[each for look in looks for each in look.up_mono_s],
                     waiting_n=sum(look.waiting_n for look in looks),
                     made={dev: n for look in looks for dev, n in look.made.items()},
                     cpu_s=sum(look.cpu_s for look in looks))
