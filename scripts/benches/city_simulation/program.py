"""A program of the simulation: started with its own log, and never left behind."""
import contextlib
import random
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from agent.host.prctl import die_with_parent
from scripts.benches.city_simulation.machine import Used, used
from scripts.benches.city_simulation.plan import HOST, SimulationFault

END_S = 20.0
START_S = 120.0                 # Python and its libraries take long where much else runs
PORTS = range(20_000, 32_000)


class CityProgram:
    """A program that listens on a port of the loopback, as a context manager."""

    def __init__(self, name: str, command: Sequence[str | Path], port: int, log: Path) -> None:
        """Not started yet."""
        self.name, self._command, self._port, self.log = name, command, port, log
        self._process: subprocess.Popen[bytes] | None = None
        self._before = Used(0.0, 0)

    def start(self) -> None:
        """Start it; returns when it listens. Raises SimulationFault."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                             start_new_session=True, preexec_fn=die_with_parent)
        until_mono_s = time.monotonic() + START_S
        while time.monotonic() < until_mono_s and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex((HOST, self._port)) == 0:
                    return
            time.sleep(0.02)
        said = self.log.read_text(errors="replace").strip().splitlines()
        self.stop()
        raise SimulationFault(f"{self.name} does not start: {said[-1] if said else 'it said nothing'}")

    def used(self) -> Used:
        """CPU and memory of all its lives together. Raises SimulationFault if it has ended by itself."""
        if self._process is None:
            return self._before
        if self._process.poll() is not None:
            said = self.log.read_text(errors="replace").strip().splitlines()
            raise SimulationFault(f"{self.name} ended by itself: {said[-1] if said else 'it said nothing'}")
        now = used(self._process.pid)
        return Used(self._before.cpu_s + now.cpu_s, now.rss_b)

    def kill(self) -> None:
        """SIGKILL."""
        self._before = self.used()
        assert self._process
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """End it: in order, or by SIGKILL after END_S."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def free_port() -> int:
    """A free port of the loopback.

    It lies below the ports of outgoing connections: one of the thousands here could get it while its program is down.
    """
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, random.choice(PORTS)))
            number: int = probe.getsockname()[1]
            return number
