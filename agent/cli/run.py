"""`taimat run` without the command line: all roles of one device, for a terminal and for systems without systemd.

It does what the systemd units do: starts each role as a process of its own, starts it again with back-off when it dies
or falls silent, and ends them all within seconds when it is told to. SIGHUP has the configuration read again.
"""
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.cli.exits import say
from agent.cli.page_link import page_link
from agent.cli.processes import at_work
from agent.config.derived import units
from agent.config.load import EXIT_BAD_CONFIG, ConfigError, load
from agent.config.settings import Settings
from agent.core.contract.facts import RunFacts
from agent.host import log
from agent.host.clock import Clock, SystemClock
from agent.host.datagram import Inbox
from agent.host.files import AlreadyRunning
from agent.host.prctl import die_with_parent
from agent.host.runtime import make_ours
from agent.host.stop import SignalBell, Stop
from agent.host.users import Rights, as_owner, of_role
from agent.process.heartbeat import Heartbeat
from agent.process.orders import Reload
from agent.process.role import arguments, claim
from agent.store.database import StoreError
from agent.store.folders import Folders

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
HEALTHY_AFTER_S = 60.0      # a life this long forgives earlier deaths
SILENT_AFTER_S = 30.0       # as the units' WatchdogSec,
FIRST_WORD_S = 90.0         # which begins with the first word: until then systemd has as much patience as this
TURN_S = 2.5
UNITS_S = 15.0              # shared by all units: in a turn they send fewer heartbeats than the ten that wait for us
LATE_S = 5.0                # a turn later than this: the machine was asleep, or too busy for us and maybe for the units
FEW_ARENAS = {"MALLOC_ARENA_MAX": "1"}      # as the units: glibc would keep memory apart for every thread
END_WITHIN_S = 4.0          # leaves the rest of the 5 s for killing what does not end

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Unit:
    name: str
    command: list[str]
    rights: Rights | None = None            # other than ours
    process: subprocess.Popen[bytes] | None = None
    started_mono_s: float = 0.0
    heard_mono_s: float = 0.0
    spoke: bool = False                     # in this life
    wait_s: float = FIRST_WAIT_S
    due_mono_s: float = 0.0
    deaths_n: int = 0
    given_up: bool = False


@dataclass(slots=True)
class Supervisor:
    """Keeps alive what `plan` names until told to stop; `reload` has it ask for another plan."""

    plan: Callable[[], list[Unit]]
    clock: Clock
    inbox: Inbox
    heartbeat: Heartbeat
    reload: Reload
    units: list[Unit] = field(init=False)
    by_name: dict[str, Unit] = field(init=False)
    turned_mono_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.turned_mono_s = self.clock.mono_s()
        self._adopt(self.plan())

    def _adopt(self, units: list[Unit]) -> None:
        self.units, self.by_name = units, {unit.name: unit for unit in units}

    def serve(self, stop: Stop) -> None:
        """Watch the units until `stop`, or until the terminal is closed that we run in; then end them all."""
        in_terminal = os.isatty(0)
        bell = SignalBell(signal.SIGCHLD)
        try:
            while not stop.is_set() and not all(unit.given_up for unit in self.units):
                if self.reload.was_asked():
                    if in_terminal and not os.isatty(0):        # its SIGHUP is the same, but means the end
                        break
                    self._plan_again()
                self._listen()
                for unit in self.units:
                    self._look(unit)
                bell.wait(self._wait_s())
                self.heartbeat.beat(facts=RunFacts(deaths_n={unit.name: unit.deaths_n for unit in self.units}))
        finally:
            self._end(self.units)
            bell.close()

    def _listen(self) -> None:
        """What the units have sent since the last turn; a turn that came late says nothing of them."""
        now_mono_s = self.clock.mono_s()
        late_s = now_mono_s - self.turned_mono_s - LATE_S
        for unit in self.units if late_s > 0 else ():
            unit.heard_mono_s += late_s
        for beat in self.inbox.waiting():
            if (unit := self.by_name.get(getattr(beat, "unit", ""))) is not None:
                unit.heard_mono_s, unit.spoke = now_mono_s, True
        self.turned_mono_s = now_mono_s

    def _wait_s(self) -> float:
        """Seconds until a unit is to be started again, at most a turn: heartbeats wait in the kernel for so long."""
        dues_mono_s = (unit.due_mono_s for unit in self.units if unit.process is None and not unit.given_up)
        due_s = max(0.0, min(dues_mono_s, default=float("inf")) - self.clock.mono_s())
        return min(TURN_S, UNITS_S / len(self.units), due_s, self.heartbeat.wait_s())

    def _plan_again(self) -> None:
        """Start what is new, end what is not wanted any more, and have the captures look what concerns them."""
        try:
            planned = self.plan()
        except ConfigError as error:
            _log.error("all stays as it was, because of: %s", error)
        else:
            names = {unit.name for unit in planned}
            self._end([unit for unit in self.units if unit.name not in names])
            self._adopt([self.by_name.get(unit.name, unit) for unit in planned])
        for unit in self.units:
            unit.given_up = False
            if unit.process is not None and unit.name.startswith("capture@"):
                unit.process.send_signal(signal.SIGHUP)

    def _look(self, unit: Unit) -> None:
        now_mono_s = self.clock.mono_s()
        if unit.process is None:
            if not unit.given_up and now_mono_s >= unit.due_mono_s:
                unit.process = _started(unit)
                unit.started_mono_s = unit.heard_mono_s = now_mono_s
                unit.spoke = False
        elif (code := unit.process.poll()) is not None:
            self._bury(unit, code, now_mono_s)
        elif (silent_s := now_mono_s - unit.heard_mono_s) > (SILENT_AFTER_S if unit.spoke else FIRST_WORD_S):
            _log.error("%s is silent for %d s: ending it", unit.name, silent_s)
            unit.process.kill()

    def _bury(self, unit: Unit, code: int, now_mono_s: float) -> None:
        unit.process = None
        unit.deaths_n += 1
        if code == EXIT_BAD_CONFIG:
            unit.given_up = True
            _log.error("%s stays down until its configuration is right", unit.name)
            return
        if now_mono_s - unit.started_mono_s > HEALTHY_AFTER_S:
            unit.wait_s = FIRST_WAIT_S
        unit.due_mono_s = now_mono_s + unit.wait_s
        _log.warning("%s ended (%s); starting it again in %g s", unit.name, _cause(code), unit.wait_s)
        unit.wait_s = min(unit.wait_s * 2, LONGEST_WAIT_S)

    def _end(self, units: Sequence[Unit]) -> None:
        living = [unit.process for unit in units if unit.process is not None]
        for process in living:
            process.terminate()
        deadline_mono_s = self.clock.mono_s() + END_WITHIN_S
        for process in living:
            try:
                process.wait(max(0.0, deadline_mono_s - self.clock.mono_s()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _started(unit: Unit) -> subprocess.Popen[bytes]:
    user, group, groups = (unit.rights.uid, unit.rights.gid, unit.rights.groups) if unit.rights else (None,) * 3
    return subprocess.Popen(unit.command, user=user, group=group, extra_groups=groups, preexec_fn=_prepare,
                            stdin=subprocess.DEVNULL, env={**os.environ, **FEW_ARENAS})


def _prepare() -> None:
    """Runs in the child: SIGHUP must not end a capture that does not listen yet, for it has still to read all."""
    die_with_parent()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _cause(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


def plan(settings: Settings, config: Path) -> list[Unit]:
    def command(name: str, role: str) -> list[str]:
        camera = name.partition("@")[2]
        which = ["--network"] if camera == "network" else ["--camera", camera] if camera else []
        return [sys.executable, "-m", f"agent.{role}", "--config", str(config), *which]

    store = Path(settings.store.folder)
    return [Unit(name, command(name, role), of_role(store, role)) for name, role in
            {**units(settings), "link": "link"}.items()]      # it takes away, too, what it has shown others


def supervise(config: Path, stop: Stop, reload: Reload) -> None:
    """Supervise all roles of `config` until `stop`. Raises ConfigError and StoreError before anything is started."""
    settings = load(config)
    log.set_up("run", settings.log.level)
    runtime = Path(settings.store.runtime)
    try:
        make_ours(runtime)
        for old in runtime.glob("*/*.starts"):
            old.unlink()
        inbox = Inbox(runtime, "run")
    except OSError as error:
        raise StoreError(f"{runtime}: {error.strerror}; "
                         "choose a folder that you may write under [store] runtime") from error
    clock = SystemClock()
    heart = Heartbeat("run", "run", runtime, clock)
    Supervisor(lambda: plan(load(config), config), clock, inbox, heart, reload).serve(stop)


def main(argv: Sequence[str] | None = None) -> int:
    """Supervise all roles until a signal; one device a store. Returns the exit code."""
    config = arguments("run").parse_args(argv).config
    if os.geteuid() == 0:
        os.umask(0o007)     # as the units have it: what root makes here, their users go on with
    try:
        settings = load(config)
        store = Path(settings.store.folder)
        with as_owner(store):
            folders = Folders(store)
            lock = claim(folders, "run")
        for unit, pid in at_work(folders.root).items():
            raise AlreadyRunning(f"process {pid} already works on {folders.root} as {unit}; "
                                 f"stop it first (systemctl stop 'taimat-*')")
        if settings.web.enabled and sys.stdout.isatty():
            try:
                with as_owner(store):
                    link = page_link(settings.web, folders)
            except (StoreError, sqlite3.Error) as error:        # the keeper makes room on a full card, or repairs
                link = f"none yet ({error})"
            print(f"the page, for one browser, within a minute: {link}\nfor others: taimat pair", flush=True)
        supervise(config, Stop().on_signals(), Reload().on_signal())
        lock.release()
    except Exception as error:
        return say(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
