"""The four roles as processes of their own, each started again at once when it is gone."""
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from agent.core.contract.facts import Beat
from agent.host.datagram import Inbox
from tests.rigs.wait import HANG_S

ROOT = Path(__file__).parents[3]
ROLES = {"capture": ["agent.capture", "--network"], "keeper": ["agent.keeper"], "link": ["agent.link"],
         "web": ["agent.web"]}


def now_mono_s() -> float:
    """The clock that the agent's rows tell."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Roles:
    """All roles of one configuration; this listens in the supervisor's place. A context manager."""

    def __init__(self, place: Path, config: Path, runtime: Path) -> None:
        self._place, self._config, self._runtime = place, config, runtime
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ended: list[str] = []      # roles that ended without being killed

    def __enter__(self) -> "Roles":
        self._runtime.mkdir(exist_ok=True)
        self._inbox = Inbox(self._runtime, "run")
        for role in ROLES:
            self._start(role)
        for role in ROLES:
            self.wait(role)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(HANG_S)
            process.kill()
            process.wait()
        self._inbox.close()

    def _start(self, role: str) -> None:
        module, *words = ROLES[role]
        with (self._place / f"{role}.log").open("ab") as log:
            self._processes[role] = subprocess.Popen(
                [sys.executable, "-m", module, "--config", self._config, *words], cwd=self._place, stdout=log,
                stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)})

    def kill(self, role: str) -> float:
        """SIGKILL, and a new start; returns when it was killed."""
        process = self._processes[role]
        if process.poll() is not None:
            self.ended.append(f"{role} ended by itself (exit {process.returncode})")
        process.kill()
        killed_mono_s = now_mono_s()
        process.wait()
        self._start(role)
        return killed_mono_s

    def wait(self, role: str) -> float:
        """Until the role beats; returns when it did. Raises TimeoutError with the end of what it said."""
        deadline_mono_s = now_mono_s() + HANG_S
        while now_mono_s() < deadline_mono_s:
            beat = self._inbox.receive(0.1)
            if isinstance(beat, Beat) and beat.role == role and beat.pid == self._processes[role].pid:
                return now_mono_s()
        log = (self._place / f"{role}.log").read_text(errors="replace")[-1500:]
        raise TimeoutError(f"{role} is not back within {HANG_S:g} s:\n{log}")


def victims(dice: random.Random, kills_n: int) -> Iterator[tuple[str, float, bool]]:
    """Whom to kill, how many seconds after the last one was back, and whether it is killed once more while starting."""
    for _ in range(kills_n):
        yield dice.choice(list(ROLES)), dice.uniform(0.1, 2.5), dice.random() < 0.3
