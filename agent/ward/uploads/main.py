"""`taimat ward intake`: takes in what devices bring, checks it, keeps it, and signs for it.

It listens on a Unix socket, to nobody but the proxy in front of it.
"""
import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from agent.host.clock import Clock
from agent.host.files import AlreadyRunning, Lock
from agent.host.stop import Stop
from agent.ward import settings
from agent.ward.command_signer import CommandKey, SigningKeyFault
from agent.ward.database import DatabaseFault, open_engine
from agent.ward.metrics import IntakeMetrics
from agent.ward.proxied import answer_at, life
from agent.ward.requests import PictureRequests
from agent.ward.service import EXIT_CANNOT_SERVE, CannotServe, run
from agent.ward.uploads.app import Application
from agent.ward.uploads.checker import Checker
from agent.ward.uploads.service import UploadService
from agent.ward.uploads.spool import Spool

NAME = "intake"
EXIT_SECOND = 75                # sysexits.h EX_TEMPFAIL
TIDY_EVERY_S = 600.0
GB = 1_000_000_000
FAULTS = {AlreadyRunning: EXIT_SECOND, SigningKeyFault: EXIT_CANNOT_SERVE}

_log = logging.getLogger(__name__)


def serve(own: settings.Settings, clock: Clock, stop: Stop) -> None:
    """Take in until told to stop. Raises CannotServe, SigningKeyFault, DatabaseFault, AlreadyRunning."""
    intake, metrics = own.intake, IntakeMetrics(own.intake.crl)
    key = CommandKey.load(intake.receipt_key, "[intake] receipt_key")
    spool, lock = _spool(Path(intake.folder))
    requests = PictureRequests(open_engine(own.database.url))
    if own.metrics.enabled:
        metrics.serve(own.metrics.listen, intake.metrics_port, "[intake] metrics_port")
    checker = Checker(requests, spool, key, clock, metrics)
    max_b = int(intake.max_gb * GB)
    service = UploadService(requests, spool, checker, clock, metrics, int(intake.free_gb * GB), max_b)
    application = Application(service, metrics, max_b, lambda _: _life(service, stop))
    try:
        answer_at(intake.socket, "[intake] socket", application.app)
    finally:
        lock.release()


@contextlib.asynccontextmanager
async def _life(service: UploadService, stop: Stop) -> AsyncIterator[None]:
    async with life(stop, [lambda: _tidy(service)]):
        try:
            yield
        finally:
            await service.close()


async def _tidy(service: UploadService) -> None:
    while True:
        try:
            await service.tidy()
        except (DatabaseFault, OSError) as error:
            _log.error("%s", error)
        await asyncio.sleep(TIDY_EVERY_S)


def _spool(folder: Path) -> tuple[Spool, Lock]:
    """The folder, which is ours alone. Raises CannotServe, AlreadyRunning."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        lock = Lock(folder / "intake.lock")
        return Spool(folder), lock
    except OSError as error:
        raise CannotServe(f"[intake] folder: {error.filename or folder}: {error.strerror}; choose another place, or "
                          "let the intake's user write there") from error


def main(config: Path) -> int:
    """The entry of the service. Returns the exit code."""
    return run(NAME, config, serve, FAULTS)
