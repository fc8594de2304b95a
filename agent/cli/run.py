"""`taimat run` without the command line: runs all roles of one device in a terminal, or on a system without systemd.

Like the systemd units it starts each role as a process, restarts it with back-off when it dies or stops sending
heartbeats, and ends all of them within seconds. SIGHUP makes it read the configuration again.
"""
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from agent.cli.exits import say
from agent.cli.processes import at_work
from agent.config.derived import units
from agent.config.load import EXIT_BAD_CONFIG, ConfigError, load
from agent.config.settings import Settings, Web
from agent.core.contract.facts import RunFacts
from agent.host import log
from agent.host.address import ANYWHERE, PAGE, is_loopback_address, phone_address
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
from agent.store.decisions import browsers
from agent.store.decisions import database as decisions
from agent.store.folders import Folders

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
HEALTHY_AFTER_S = 60.0      # a life this long resets the back-off
SILENT_AFTER_S = 30.0       # as the units' WatchdogSec,
FIRST_WORD_S = 90.0         # which begins with the first heartbeat; systemd waits so long for that
TURN_S = 2.5
UNITS_S = 15.0      # shared by all units, so that a turn gets fewer than the ten heartbeats that the kernel holds
LATE_S = 5.0                # if a turn is later, the machine was asleep or too busy, perhaps for the units, too
FEW_ARENAS = {"MALLOC_ARENA_MAX": "1"}      # as in the units: glibc would keep memory for every thread
END_WITHIN_S = 4.0          # leaves the rest of 5 s for killing

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Unit:
    name: str
    command: list[str]
    rights: Rights | None = None            # None: ours
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    started_mono_s: float = field(default=0.0, init=False)
    heard_mono_s: float = field(default=0.0, init=False)
    spoke: bool = field(default=False, init=False)      # in this life
    wait_s: float = field(default=FIRST_WAIT_S, init=False)
    due_mono_s: float = field(default=0.0, init=False)
    deaths_n: int = field(default=0, init=False)
    given_up: bool = field(default=False, init=False)


class Supervisor:
    """Keeps the units of `plan` alive until it is stopped; `reload` makes it ask for a new plan."""

    def __init__(self, plan: Callable[[], list[Unit]], clock: Clock, inbox: Inbox, heartbeat: Heartbeat,
                 reload: Reload) -> None:
        self.plan, self.clock, self.inbox, self.heartbeat, self.reload = plan, clock, inbox, heartbeat, reload
        self.turned_mono_s = clock.mono_s()
        self._adopt(plan())

    def _adopt(self, units: list[Unit]) -> None:
        self.units, self.by_name = units, {unit.name: unit for unit in units}

    def serve(self, stop: Stop) -> None:
        """Watches the units until `stop`, or until our terminal is closed; then ends them all."""
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
        """Reads the heartbeats since the last turn. A late turn is not held against the units."""
        now_mono_s = self.clock.mono_s()
        late_s = now_mono_s - self.turned_mono_s - LATE_S
        for unit in self.units if late_s > 0 else ():
            unit.heard_mono_s += late_s
        for beat in self.inbox.waiting():
            if (unit := self.by_name.get(getattr(beat, "unit", ""))) is not None:
                unit.heard_mono_s, unit.spoke = now_mono_s, True
        self.turned_mono_s = now_mono_s

    def _wait_s(self) -> float:
        """Seconds until a unit must start again, at most a turn, because the kernel keeps few heartbeats."""
        dues_mono_s = (unit.due_mono_s for unit in self.units if unit.process is None and not unit.given_up)
        due_s = max(0.0, min(dues_mono_s, default=float("inf")) - self.clock.mono_s())
        return min(TURN_S, UNITS_S / len(self.units), due_s, self.heartbeat.wait_s())

    def _plan_again(self) -> None:
        """Starts new units, ends others, and makes captures read the configuration."""
        try:
            planned = self.plan()
        except ConfigError as error:
            _log.error("nothing changes, because of: %s", error)
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
        cause = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit {code}"
        _log.warning("%s ended (%s); starting it again in %g s", unit.name, cause, unit.wait_s)
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
    die_with_parent()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)        # it must not end a capture that does not listen yet


def plan(settings: Settings, config: Path) -> list[Unit]:
    def command(name: str, role: str) -> list[str]:
        camera = name.partition("@")[2]
        which = ["--network"] if camera == "network" else ["--camera", camera] if camera else []
        return [sys.executable, "-m", f"agent.{role}", "--config", str(config), *which]

    store = Path(settings.store.folder)
    return [Unit(name, command(name, role), of_role(store, role)) for name, role in
            {**units(settings), "link": "link"}.items()]      # always, because it removes itself from Home Assistant


def supervise(config: Path, stop: Stop, reload: Reload) -> None:
    """Supervises all roles of `config` until `stop`. Raises ConfigError and StoreError before it starts any."""
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


def page_link(web: Web, folders: Folders) -> str:
    """Makes an address that lets one browser in within a minute. Raises StoreError if another user owns the store."""
    with closing(decisions.connect(folders)) as own:
        return f"{page_address(web)}/enter/{browsers.make_link(own, SystemClock().now())}"


def page_address(web: Web) -> str:
    here = is_loopback_address(web.listen) or web.listen in ANYWHERE and PAGE not in os.environ
    return f"http://localhost:{web.port}" if here else phone_address(web.listen, web.port, web.tls) or ""


def main(argv: Sequence[str] | None = None) -> int:
    """Supervises all roles until a signal; one device per store. Returns the exit code."""
    config = arguments("run").parse_args(argv).config
    if os.geteuid() == 0:
        os.umask(0o007)     # as in the units, so that the roles' users can use what root makes
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
