"""The devices of one process, and the orders to it."""
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
from scripts.benches.city_simulation.device import Papers, SimulatedDevice
from scripts.benches.city_simulation.loop import Loop
from scripts.benches.city_simulation.plan import CityPlan
from scripts.benches.city_simulation.tally import DeviceTally, FleetLook

LONGEST_S = 0.5

Order = Literal["look", "mark", "move", "rest", "speak", "hush"]


class Fleet:
    """Devices in one loop; each order is answered with their state."""

    def __init__(self, plan: CityPlan, port: int, ca: Path, certificates: Sequence[Path], pipe: Pipe) -> None:
        """Make the devices; they connect when the loop turns. `certificates` are theirs, `pipe` brings orders."""
        # The devices' clock is the ward's, so it counts as set.
        self._clock, self._pipe = SystemClock(read_state=lambda: "ntp"), pipe
        self._tally = DeviceTally()
        waits = replace(plan.waits, start_s=plan.start_s)
        self._devices = [SimulatedDevice(each.stem, Papers(str(ca), str(each), str(each)), plan.hosts, port,
                                         self._clock, waits, plan.pace, plan.health_every_s, self._tally)
                         for each in certificates]
        self._loop = Loop(self._clock, pipe.fileno())
        for device in self._devices:
            self._loop.add(device)
        self._every_s = plan.devices_n / (plan.events_per_s * len(certificates)) if plan.events_per_s else float("inf")
        self._move_mono_s = float("inf")

    def run(self) -> None:
        """Run until the pipe closes."""
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

    def _obey(self, order: Order) -> FleetLook:
        look = self._look()
        match order:
            case "mark":
                self._tally = DeviceTally()
                for device in self._devices:
                    device.count_anew(self._tally)
            case "move":
                self._move_mono_s = self._clock.mono_s()
            case "rest":
                self._move_mono_s = float("inf")
            case "speak" | "hush":
                for device in self._devices:
                    device.reports.be_silent(order == "hush")
        return look

    def _look(self) -> FleetLook:
        boxes = [(device.dev, device.outbox) for device in self._devices]
        return FleetLook(self._tally, [device.up_mono_s for device in self._devices if device.up_mono_s is not None],
                         sum(len(box) for _, box in boxes), {dev: box.last_seq for dev, box in boxes if box.last_seq},
                         time.process_time())


def live(plan: CityPlan, port: int, ca: Path, certificates: Sequence[Path], pipe: Pipe) -> None:
    """The life of such a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)            # this process ends with its parent's pipe
    logging.disable(logging.WARNING)                        # faults are counted, and told once
    Fleet(plan, port, ca, certificates, pipe).run()
