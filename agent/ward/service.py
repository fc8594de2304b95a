"""The frame of each service of a ward: its settings, its log, its end with one line and an exit code.

Uvicorn is not imported here: ingest and forwarder do without it.
"""
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from agent.config.load import EXIT_BAD_CONFIG, ConfigError
from agent.host import log
from agent.host.clock import Clock, SystemClock
from agent.host.stop import Stop
from agent.host.systemd import notify
from agent.ward import settings
from agent.ward.database import DatabaseFault

EXIT_CANNOT_SERVE = 69          # sysexits.h EX_UNAVAILABLE
EXIT_DATABASE = 73              # sysexits.h EX_CANTCREAT


class CannotServe(Exception):
    """The service can't listen or store; the text names the place and the remedy."""


def run(name: str, config: Path, serve: Callable[[settings.Settings, Clock, Stop], None],
        faults: Mapping[type[Exception], int] | None = None) -> int:
    """Runs `serve` until a signal comes, or until one of its `faults`, each with its exit code."""
    faults = {CannotServe: EXIT_CANNOT_SERVE, DatabaseFault: EXIT_DATABASE, **(faults or {})}
    try:
        own = settings.load(config)
        log.set_up(name, own.log.level)
        serve(own, SystemClock(), Stop().on_signals())
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_CONFIG
    except tuple(faults) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return next(code for kind, code in faults.items() if isinstance(error, kind))
    notify("STOPPING=1")
    return 0
