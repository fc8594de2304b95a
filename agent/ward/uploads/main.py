"""`taimat ward intake`: takes in what devices bring, checks it, keeps it, and signs for it.

`python -m agent.ward.uploads.main`
"""
import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.config.load import EXIT_BAD_CONFIG, ConfigError
from agent.host import log
from agent.host.clock import Clock, SystemClock
from agent.host.files import AlreadyRunning, Lock
from agent.host.notify import notify
from agent.host.stop import Stop
from agent.ward import settings
from agent.ward.command_signer import CommandKey, KeyProblem
from agent.ward.database import DatabaseFault, open_engine
from agent.ward.metrics import MetricsFault
from agent.ward.requests import Requests
from agent.ward.uploads.app import Application
from agent.ward.uploads.checker import Checker
from agent.ward.uploads.counter import Counter
from agent.ward.uploads.figures import Figures
from agent.ward.uploads.server import Server, listen
from agent.ward.uploads.spool import Spool
from agent.ward.uploads.tls import CannotServe, Door

NAME = "intake"
EXIT_CANNOT_SERVE = 69          # sysexits.h EX_UNAVAILABLE
EXIT_DATABASE = 73              # sysexits.h EX_CANTCREAT
EXIT_SECOND = 75                # sysexits.h EX_TEMPFAIL
TIDY_EVERY_S, WATCHDOG_EVERY_S = 600.0, 5.0
GB = 1_000_000_000

_log = logging.getLogger(__name__)


class Chores:
    """What is done beside answering: signs of life, and tidying up."""

    def __init__(self, counter: Counter, clock: Clock) -> None:
        self._counter, self._clock = counter, clock
        self._alive_mono_s = self._tidy_mono_s = float("-inf")
        self._tidying: asyncio.Task[None] | None = None

    def tick(self) -> None:
        """A few times a second, from the event loop."""
        now_mono_s = self._clock.mono_s()
        if now_mono_s >= self._alive_mono_s:
            self._alive_mono_s = now_mono_s + WATCHDOG_EVERY_S
            notify("WATCHDOG=1")
        if now_mono_s >= self._tidy_mono_s and (self._tidying is None or self._tidying.done()):
            self._tidy_mono_s = now_mono_s + TIDY_EVERY_S
            self._tidying = asyncio.create_task(self._tidy())

    async def _tidy(self) -> None:
        try:
            await self._counter.tidy()
        except (DatabaseFault, OSError) as error:
            _log.error("%s", error)


def serve(own: settings.Settings, clock: Clock, stop: Stop) -> None:
    """Take in until told to stop. Raises CannotServe, KeyProblem, DatabaseFault, MetricsFault, AlreadyRunning."""
    intake, figures = own.intake, Figures()
    door, key = Door(intake), CommandKey.load(intake.receipt_key, "[intake] receipt_key")
    spool, lock = _spool(Path(intake.folder))
    requests = Requests(open_engine(own.database.url))
    listener = listen(intake)
    if own.metrics.enabled:
        figures.serve(own.metrics.listen, intake.metrics_port)
    checker = Checker(requests, spool, key, clock, figures)
    counter = Counter(requests, spool, checker, clock, figures, int(intake.free_gb * GB))
    application = Application(counter, figures, int(intake.max_gb * GB))
    server = Server(application.app, door, figures, stop, Chores(counter, clock).tick)
    signal.signal(signal.SIGHUP, lambda *_: door.forget())
    notify("READY=1")
    _log.info("at https://%s:%d%s", intake.listen, intake.port, settings.UPLOADS_PATH)
    try:
        asyncio.run(_serve(server, counter, listener))
    finally:
        listener.close()
        lock.release()


def _spool(folder: Path) -> tuple[Spool, Lock]:
    """The folder, which is ours alone. Raises CannotServe, AlreadyRunning."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        lock = Lock(folder / "intake.lock")
        return Spool(folder), lock
    except OSError as error:
        raise CannotServe(f"[intake] folder: {error.filename or folder}: {error.strerror}; choose another place, or "
                          "let the intake's user write there") from error


async def _serve(server: Server, counter: Counter, listener: object) -> None:
    await server.serve([listener])      # type: ignore[list-item]
    await counter.close()


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the role. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="taimat ward intake")
    parser.add_argument("--config", type=Path, required=True)
    try:
        own = settings.load(parser.parse_args(argv).config)
        log.set_up(NAME, own.log.level)
        serve(own, SystemClock(), Stop().on_signals())
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_CONFIG
    except (CannotServe, KeyProblem, MetricsFault, DatabaseFault, AlreadyRunning) as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return EXITS.get(type(error), EXIT_CANNOT_SERVE)
    notify("STOPPING=1")
    return 0


EXITS: dict[type[Exception], int] = {DatabaseFault: EXIT_DATABASE, AlreadyRunning: EXIT_SECOND}

if __name__ == "__main__":
    sys.exit(main())
