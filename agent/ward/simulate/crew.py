"""All devices: the processes that they live in, and one answer from all of them."""
import contextlib
import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from pathlib import Path

from agent.ward.simulate import fleet
from agent.ward.simulate.fleet import Order
from agent.ward.simulate.plan import Plan, SimulationFault
from agent.ward.simulate.tally import Look, Tally

ANSWER_S = 60.0                 # of a process in which all devices lose their broker at once
END_S = 30.0


class Crew:
    """Use as a context manager."""

    def __init__(self, plan: Plan, port: int, ca: Path, papers: Sequence[Path]) -> None:
        """Start the processes; their devices begin to connect."""
        context = multiprocessing.get_context("spawn")      # a fork would take our threads' locks along
        self._members: list[tuple[BaseProcess, Pipe]] = []
        for number in range(plan.processes_n):
            if not (own := papers[number::plan.processes_n]):
                continue
            ours, theirs = context.Pipe()
            process = context.Process(target=fleet.live, args=(plan, port, ca, own, theirs), daemon=True)
            process.start()
            theirs.close()
            self._members.append((process, ours))

    def order(self, order: Order) -> Look:
        """Give it to all; returns how all were when they got it, counts since the last mark. Raises SimulationFault."""
        try:
            for _, pipe in self._members:
                pipe.send(order)
            return _sum([self._answer(pipe) for _, pipe in self._members])
        except (EOFError, ConnectionError) as error:
            raise SimulationFault("a process with devices has died: is there enough memory? Try fewer devices"
                                  ) from error

    def _answer(self, pipe: Pipe) -> Look:
        if not pipe.poll(ANSWER_S):
            raise SimulationFault(f"a process with devices is silent for {ANSWER_S:.0f} s: this machine is too slow "
                                  "for so many; try fewer")
        look: Look = pipe.recv()
        return look

    def close(self) -> None:
        """End all."""
        for _, pipe in self._members:
            pipe.close()
        for process, _ in self._members:
            process.join(END_S)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.join()

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _sum(looks: Sequence[Look]) -> Look:
    tally = Tally()
    for look in looks:
        tally.add(look.tally)
    return Look(tally, up_mono_s=[each for look in looks for each in look.up_mono_s],
                waiting_n=sum(look.waiting_n for look in looks),
                made={dev: n for look in looks for dev, n in look.made.items()},
                cpu_s=sum(look.cpu_s for look in looks))
