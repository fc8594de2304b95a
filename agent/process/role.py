"""How every role starts: its arguments, settings, log, lock, heart; and how it ends when something is wrong."""
import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.config.load import DEFAULT_PATH, EXIT_BAD_CONFIG, ConfigError, keep_as_good, load_or_last_good
from agent.config.settings import Settings
from agent.host import log
from agent.host.clock import Clock, SystemClock
from agent.host.files import AlreadyRunning, Lock
from agent.host.notify import notify
from agent.host.probes.volume import Volume
from agent.host.runtime import demand_ours
from agent.host.stop import Stop
from agent.host.users import become
from agent.process.heartbeat import Heartbeat
from agent.store.database import StoreError
from agent.store.folders import Folders

EXIT_STORE = 73             # sysexits.h EX_CANTCREAT: the store can't be used
EXIT_ALREADY_RUNNING = 75   # EX_TEMPFAIL: another process works on this store

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Role:
    """What a role is handed at its start."""

    settings: Settings
    config_problem: str | None      # what is wrong with the present file, while the last good one is used
    folders: Folders
    runtime: Path
    clock: Clock
    heartbeat: Heartbeat
    stop: Stop
    lock: Lock


def arguments(unit: str) -> argparse.ArgumentParser:
    """The arguments that every role understands; a role may add its own."""
    parser = argparse.ArgumentParser(prog=f"taimat {unit}")
    parser.add_argument("--config", type=Path, default=Path(os.environ.get("TAIMAT_CONFIG", DEFAULT_PATH)))
    return parser


def start(role: str, unit: str, config: Path) -> Role:
    """Everything a role needs before its own work. Raises ConfigError, StoreError, AlreadyRunning, OSError."""
    _stay_with_this_version()
    settings, problem = load_or_last_good(config)
    log.set_up(unit, settings.log.level)
    store = Path(settings.store.folder)
    become(role, store)
    if problem is None:
        keep_as_good(config)
    else:
        _log.error("the last good configuration is in use, because of: %s", problem)
    folders = Folders(store, Volume(store, settings.store.volume)).create()
    runtime = Path(settings.store.runtime)
    try:
        demand_ours(runtime)
    except OSError as error:
        raise StoreError(f"{runtime}: {error.strerror}; "
                         "choose a folder in memory that you may write under [store] runtime") from error
    try:
        lock = Lock(folders.lock(unit))
    except OSError as error:
        raise StoreError(f"{error.filename}: {error.strerror}; look at the card and at who may write there "
                         f"(taimat doctor)") from error
    clock, stop = SystemClock(), Stop().on_signals()
    heart = Heartbeat(role, unit, runtime, clock, stop)
    return Role(settings, problem, folders, runtime, clock, heart, stop, lock)


def _stay_with_this_version() -> None:
    """Import and start what belongs to the version that we are, also while `current` leads to another one already."""
    sys.path[:] = [os.path.realpath(place) if place else place for place in sys.path]
    if places := os.environ.get("PYTHONPATH"):
        os.environ["PYTHONPATH"] = os.pathsep.join(map(os.path.realpath, places.split(os.pathsep)))


def live(role: str, unit: str, config: Path, serve: Callable[[Role], None]) -> int:
    """A role's whole life: start, serve until stopped, and one clear line when it can't. Returns the exit code."""
    try:
        parts = start(role, unit, config)
        serve(parts)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_CONFIG
    except StoreError as error:
        print(f"{unit}: {error}", file=sys.stderr)
        return EXIT_STORE
    except AlreadyRunning as error:
        print(f"{unit}: {error}", file=sys.stderr)
        return EXIT_ALREADY_RUNNING
    notify("STOPPING=1")
    return 0


def main(role: str, serve: Callable[[Role], None], argv: Sequence[str] | None = None) -> int:
    """The entry of a role that needs no arguments of its own."""
    return live(role, role, arguments(role).parse_args(argv).config, serve)
