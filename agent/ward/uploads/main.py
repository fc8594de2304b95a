"""`taimat ward intake`: takes in what devices bring, checks it, keeps it, and signs for it.

`python -m agent.ward.uploads.main`. It listens on a Unix socket, to nobody but the proxy in front of it.
"""
import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import uvicorn

from agent.config.load import EXIT_BAD_CONFIG, ConfigError
from agent.host import log
from agent.host.clock import Clock, SystemClock
from agent.host.files import AlreadyRunning, Lock
from agent.host.notify import notify
from agent.host.sockets import listen
from agent.host.stop import Stop
from agent.ward import settings
from agent.ward.command_signer import CommandKey, SigningKeyFault
from agent.ward.database import DatabaseFault, open_engine
from agent.ward.metrics import MetricsFault
from agent.ward.requests import PictureRequests
from agent.ward.uploads.app import Application
from agent.ward.uploads.checker import Checker
from agent.ward.uploads.metrics import IntakeMetrics
from agent.ward.uploads.service import UploadService
from agent.ward.uploads.spool import Spool

NAME = "intake"
EXIT_CANNOT_SERVE = 69          # sysexits.h EX_UNAVAILABLE
EXIT_DATABASE = 73              # sysexits.h EX_CANTCREAT
EXIT_SECOND = 75                # sysexits.h EX_TEMPFAIL
TIDY_EVERY_S, WATCHDOG_EVERY_S = 600.0, 5.0
END_WITHIN_S = 3
WAITING_N_MAX = 100
FIRST_FD = 3                    # of the sockets that systemd hands on, sd_listen_fds(3)
GB = 1_000_000_000

_log = logging.getLogger(__name__)


class CannotServe(Exception):
    """There is no listening or no storing; the text names the place and the remedy."""


def serve(own: settings.Settings, clock: Clock, stop: Stop) -> None:
    """Take in until told to stop. Raises CannotServe, SigningKeyFault, DatabaseFault, MetricsFault, AlreadyRunning."""
    intake, metrics = own.intake, IntakeMetrics(own.intake.crl)
    key = CommandKey.load(intake.receipt_key, "[intake] receipt_key")
    spool, lock = _spool(Path(intake.folder))
    requests = PictureRequests(open_engine(own.database.url))
    listener = _listen(Path(intake.socket))
    if own.metrics.enabled:
        metrics.serve(own.metrics.listen, intake.metrics_port)
    checker = Checker(requests, spool, key, clock, metrics)
    max_b = int(intake.max_gb * GB)
    service = UploadService(requests, spool, checker, clock, metrics, int(intake.free_gb * GB), max_b)
    application = Application(service, metrics, max_b, lambda _: _life(service, stop))
    server = uvicorn.Server(uvicorn.Config(
        application.app, loop="asyncio", http="h11", ws="none", lifespan="on", log_config=None, log_level="warning",
        access_log=False, proxy_headers=False, server_header=False, timeout_graceful_shutdown=END_WITHIN_S))
    _log.info("listens at %s", listener.getsockname())
    try:
        server.run(sockets=[listener])      # it hands a signal on to `stop` when it has ended
    finally:
        listener.close()
        lock.release()


@contextlib.asynccontextmanager
async def _life(service: UploadService, stop: Stop) -> AsyncIterator[None]:
    """What goes on beside answering, for as long as that does."""
    if stop.is_set():                       # before the server could hear of it
        signal.raise_signal(signal.SIGTERM)
    chores = [asyncio.create_task(_beat()), asyncio.create_task(_tidy(service))]
    notify("READY=1")
    try:
        yield
    finally:
        for chore in chores:
            chore.cancel()
        await service.close()


async def _beat() -> None:
    """Signs of life: of the event loop, which waits for neither disk nor database."""
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(WATCHDOG_EVERY_S)


async def _tidy(service: UploadService) -> None:
    while True:
        try:
            await service.tidy()
        except (DatabaseFault, OSError) as error:
            _log.error("%s", error)
        await asyncio.sleep(TIDY_EVERY_S)


def _listen(path: Path) -> socket.socket:
    """systemd's socket, where it has made one for us; else one at `path`. Raises CannotServe."""
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        return socket.socket(fileno=FIRST_FD)
    try:
        return listen(path, WAITING_N_MAX)
    except OSError as error:
        raise CannotServe(f"[intake] socket: {path}: {error.strerror}; choose another place, or let the intake's user "
                          "write there") from error


def _spool(folder: Path) -> tuple[Spool, Lock]:
    """The folder, which is ours alone. Raises CannotServe, AlreadyRunning."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        lock = Lock(folder / "intake.lock")
        return Spool(folder), lock
    except OSError as error:
        raise CannotServe(f"[intake] folder: {error.filename or folder}: {error.strerror}; choose another place, or "
                          "let the intake's user write there") from error


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
    except (CannotServe, SigningKeyFault, MetricsFault, DatabaseFault, AlreadyRunning) as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return EXITS.get(type(error), EXIT_CANNOT_SERVE)
    notify("STOPPING=1")
    return 0


EXITS: dict[type[Exception], int] = {DatabaseFault: EXIT_DATABASE, AlreadyRunning: EXIT_SECOND}

if __name__ == "__main__":
    sys.exit(main())
