"""The devices of one process, and how it is told what to do."""
import contextlib
import logging
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Literal

from agent.host.clock import SystemClock
from agent.ward.simulate.device import Device, Papers
from agent.ward.simulate.loop import Loop
from agent.ward.simulate.plan import Plan
from agent.ward.simulate.tally import Look, Tally

LONGEST_S = 0.5

Order = Literal["look", "mark", "move", "rest", "speak", "hush"]


class Fleet:
    """Devices that live in one loop; each order is answered by how they are."""

    def __init__(self, plan: Plan, port: int, ca: Path, papers: Sequence[Path], pipe: Pipe) -> None:
        """Make them; they connect when the loop turns. `papers` are their certificates, `pipe` brings orders."""
        # Whoever simulates a city on one machine knows its time as well as the ward does.
        self._clock, self._pipe = SystemClock(read_state=lambda: "ntp"), pipe
        self._tally = Tally()
        waits = replace(plan.waits, start_s=plan.start_s)
        self._devices = [Device(each.stem, Papers(str(ca), str(each), str(each)), port, self._clock, waits, plan.pace,
                                plan.health_every_s, self._tally) for each in papers]
        self._loop = Loop(self._clock, pipe.fileno())
        for device in self._devices:
            self._loop.add(device)
        self._every_s = plan.devices_n / (plan.events_per_s * len(papers)) if plan.events_per_s else float("inf")
        self._move_mono_s = float("inf")

    def run(self) -> None:
        """Live until nobody gives orders any more."""
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                now_mono_s = self._clock.mono_s()
                self._loop.turn(min(LONGEST_S, max(0.0, self._move_mono_s - now_mono_s)))
                while self._move_mono_s <= self._clock.mono_s():
                    self._move_mono_s += self._every_s
                    random.choice(self._devices).move()
                while self._pipe.poll():
                    self._pipe.send(self._obey(self._pipe.recv()))
        for device in self._devices:
            device.close()

    def _obey(self, order: Order) -> Look:
        look = self._look()
        match order:
            case "mark":
                self._tally = Tally()
                for device in self._devices:
                    device.count_anew(self._tally)
            case "move":
                self._move_mono_s = self._clock.mono_s()
            case "rest":
                self._move_mono_s = float("inf")
            case "speak" | "hush":
                for device in self._devices:
                    device.be_silent(order == "hush")
        return look

    def _look(self) -> Look:
        boxes = [(device.dev, device.outbox) for device in self._devices]
        return Look(self._tally, [device.up_mono_s for device in self._devices if device.up_mono_s is not None],
                    sum(len(box) for _, box in boxes), {dev: box.last_seq for dev, box in boxes if box.last_seq},
                    time.process_time())


def live(plan: Plan, port: int, ca: Path, papers: Sequence[Path], pipe: Pipe) -> None:
    """The whole life of such a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)            # Ctrl-C reaches everybody; we end with our parent's pipe
    logging.disable(logging.WARNING)                        # what is wrong is counted, and told once
    Fleet(plan, port, ca, papers, pipe).run()
