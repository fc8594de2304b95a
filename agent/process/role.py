"""How every role starts (arguments, settings, log, lock, heartbeat), and how it ends after an error."""
import argparse
import logging
import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from agent.config.load import DEFAULT_PATH, EXIT_BAD_CONFIG, ConfigError, keep_as_good, load_or_last_good
from agent.config.settings import Settings
from agent.core.contract.facts import Poke
from agent.host import log
from agent.host.clock import Clock, SystemClock
from agent.host.datagram import Outlet
from agent.host.files import AlreadyRunning, Lock
from agent.host.probes.volume import Volume
from agent.host.runtime import make_ours
from agent.host.stop import Stop
from agent.host.systemd import notify
from agent.host.users import become
from agent.process.heartbeat import EVERY_S, Heartbeat
from agent.store import damage
from agent.store.card_fault import NO_ROOM, fault_of
from agent.store.database import StoreError, is_held
from agent.store.folders import Folders

Result = TypeVar("Result")
EXIT_STORE = 73             # sysexits.h EX_CANTCREAT: the store cannot be used
EXIT_ALREADY_RUNNING = 75   # EX_TEMPFAIL: another process works on this store

_log = logging.getLogger(__name__)


def once_there_is_room(heart: Heartbeat, stop: Stop, store: Path, attempt: Callable[[], Result],
                       give: Callable[[], bool] = lambda: False) -> Result:
    """Returns what `attempt` returns; retries while the card is full or the database is held, at once if `give` made
    room.

    Raises its other errors, and SystemExit if the role must end meanwhile.
    """
    fault = None
    while True:
        try:
            return attempt()
        except (OSError, sqlite3.Error, StoreError) as error:
            before, fault = fault, fault_of(error, store)
            # SQLite does not give the reason, and another role may have made room by now.
            held = isinstance(error.__cause__, sqlite3.OperationalError) and is_held(error.__cause__)
            if fault not in NO_ROOM and not held and (fault != "card_io" or before == fault):
                raise
            if fault != before or held:
                _log.error("%s: %s; tried again", "held" if held else fault, error)
        if fault not in NO_ROOM or not give():
            heart.beat()
            if stop.wait(EVERY_S):
                raise SystemExit(0)


@dataclass(slots=True)
class Role:
    """What a role gets at its start."""

    settings: Settings
    config_problem: str | None      # what is wrong with the present file, while the last good one is used
    folders: Folders
    runtime: Path
    clock: Clock
    heartbeat: Heartbeat
    stop: Stop
    lock: Lock | None = field(default=None, init=False)     # of the unit, as long as the role lives


def arguments(unit: str) -> argparse.ArgumentParser:
    """Returns the arguments of every role; a role may add its own."""
    parser = argparse.ArgumentParser(prog=f"taimat {unit}")
    parser.add_argument("--config", type=Path, default=Path(os.environ.get("TAIMAT_CONFIG", DEFAULT_PATH)))
    return parser


def start(role: str, unit: str, config: Path) -> Role:
    """Prepares everything that a role needs. Raises ConfigError, StoreError, AlreadyRunning, OSError."""
    _stay_with_this_version()
    settings, problem = load_or_last_good(config)
    log.set_up(unit, settings.log.level)
    log.know([camera.name for camera in settings.camera])
    store = Path(settings.store.folder)
    become(role, store)
    if problem is None:
        keep_as_good(config)
    else:
        _log.error("the last good configuration is in use, because of: %s", problem)
    folders, runtime = Folders(store, Volume(store, settings.store.volume)), Path(settings.store.runtime)
    try:
        make_ours(runtime)
    except OSError as error:
        raise StoreError(f"{runtime}: {error.strerror}; "
                         "choose a folder in memory that you may write under [store] runtime") from error
    damage.DOUBT.tell = partial(Outlet(runtime).send, Poke(what="database"), "keeper")
    clock, stop = SystemClock(), Stop().on_signals()
    heart = Heartbeat(role, unit, runtime, clock, stop)
    prepared = Role(settings, problem, folders, runtime, clock, heartbeat=heart, stop=stop)
    prepared.lock = once_there_is_room(heart, stop, store, lambda: claim(folders, unit))
    return prepared


def claim(folders: Folders, unit: str) -> Lock:
    """Takes the unit's lock on a store, creating the store if needed. Raises StoreError and AlreadyRunning."""
    path = folders.create().lock(unit)
    try:
        return Lock(path)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; look at the room on the card and at who may write there "
                         "(taimat doctor)") from error


def _stay_with_this_version() -> None:
    """Keeps importing and starting this version's files, even if `current` leads to another version already."""
    sys.path[:] = [os.path.realpath(place) if place else place for place in sys.path]
    if places := os.environ.get("PYTHONPATH"):
        os.environ["PYTHONPATH"] = os.pathsep.join(map(os.path.realpath, places.split(os.pathsep)))


def live(role: str, unit: str, config: Path, serve: Callable[[Role], None]) -> int:
    """Runs a role: start, serve until stopped, and one clear line if it fails. Returns the exit code."""
    try:
        parts = start(role, unit, config)
        serve(parts)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_CONFIG
    except StoreError as error:
        damage.meet(error)
        print(f"{unit}: {error}", file=sys.stderr)
        return EXIT_STORE
    except AlreadyRunning as error:
        print(f"{unit}: {error}", file=sys.stderr)
        return EXIT_ALREADY_RUNNING
    notify("STOPPING=1")
    return 0


def main(role: str, serve: Callable[[Role], None], argv: Sequence[str] | None = None) -> int:
    """The entry point of a role without arguments of its own."""
    return live(role, role, arguments(role).parse_args(argv).config, serve)
