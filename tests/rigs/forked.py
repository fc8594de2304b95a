"""Programs of ours in processes of their own, that begin where the imports are over.

Most of what a short command takes is the start of Python and its imports. Python's fork server has done both once; each
program gets a fork of it, with a folder, variables, output, signals and exit code of its own. The way of a real start,
from the shell's line to `main`, is for tests that start a program themselves, as systemd's in tests/systemd.
"""
import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from typing import Self

from tests.rigs.network.wan import enter
from tests.rigs.wait import HANG_S, Stopwatch

ROOT = Path(__file__).resolve().parents[2]

FORKS = multiprocessing.get_context("forkserver")
# Those without threads of their own: a fork would leave them behind.
FORKS.set_forkserver_preload([__name__, "agent.__main__", "agent.link.main", *(f"agent.cli.{name}" for name in (
    "config", "clips", "events", "pause", "pair", "verify", "export", "requests", "household_key",
    "update.__main__", "card.main", "home", "picture")), *(f"agent.ward.{name}" for name in (
        "cli.main", "authority.init", "authority.doctor", "configure", "desk.officers", "ingest"))])
TAIMAT = "agent.__main__:main"


class Forked:
    """A process; what it is asked has the words of subprocess.Popen."""

    def __init__(self, main: str, arguments: Sequence[object], cwd: Path, env: Mapping[str, str], err: Path,
                 out: Path | None = None) -> None:
        """Start `main`, a function ("module:function") or a module to be run as `python -m` does, without input.

        What it says goes to the end of `out` and `err`, which are there at once.
        """
        self.args = [main, *map(str, arguments)]
        said = (str(out) if out else "", str(err))
        for path in filter(None, said):
            Path(path).touch()
        # The fork server stands in the network in which it was started, and its forks follow who asks for them.
        network = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        weakref.finalize(self, os.close, network)
        there = f"/proc/{os.getpid()}/fd/{network}"
        self._process = FORKS.Process(target=_run, args=(main, self.args[1:], str(cwd), dict(env), said, there),
                                      daemon=True)
        self._process.start()
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, or the signal's number below zero; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; the exit code. Raises TimeoutExpired."""
        self._process.join(timeout)
        if self.returncode is None:
            raise TimeoutExpired(self.args, timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL it."""
        self.send_signal(signal.SIGKILL)


class Part:
    """A process of ours with a configuration and a log, which can be killed and started again."""

    started_as: tuple[str, ...]         # a module, or a function of one, and its first words
    config: Path
    log: Path
    process: Forked | None = None

    def start(self) -> Self:
        """Start the process."""
        main, *words = self.started_as
        self.process = Forked(main, [*words, "--config", self.config], ROOT, os.environ, self.log)
        return self

    def kill(self) -> None:
        """SIGKILL it."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def stop(self) -> float:
        """SIGTERM it; returns the seconds that it took."""
        assert self.process
        with Stopwatch() as watch:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(HANG_S)
        return watch.fair_s

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def forked(main: str, arguments: Sequence[object], cwd: Path, env: Mapping[str, str]) -> CompletedProcess[str]:
    """Run it as a command, to its end. Raises TimeoutExpired."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = Forked(main, arguments, cwd, env, err, out)
        try:
            code = process.wait(HANG_S)
        finally:
            process.kill()
        return CompletedProcess(process.args, code, out.read_text(), err.read_text())


def _run(main: str, words: list[str], cwd: str, env: dict[str, str], said: tuple[str, str], network: str) -> None:
    if not os.path.samestat(os.stat(network), os.stat("/proc/self/ns/net")):
        enter(os.open(network, os.O_RDONLY))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(said, 1):
        if path:
            os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), number)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    module, _, function = main.partition(":")
    sys.argv = [module, *words]
    if not function:
        sys.modules.pop(module, None)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return
    command: Callable[[], int | None] = getattr(import_module(module), function)
    sys.exit(command())
