"""The link's store thread with the keeper's desk for it, in one process: what the link asks is written for real."""
import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.config.settings import Settings
from agent.host.clock import Clock
from agent.host.sockets import SocketServer
from agent.keeper.link_desk import LinkDesk
from agent.keeper.ward_signature import WardSignature
from agent.link.store_thread import StoreThread
from agent.store.database import connect
from agent.store.folders import Folders
from agent.store.link_questions import got_answer
from tests.rigs.wait import HANG_S


def link_desk(folder: Path, runtime: Path, clock: Clock, settings: Settings | None = None) -> SocketServer:
    """The keeper's desk for the link of the store in `folder`."""
    folders = Folders(folder).create()
    connect(folder).close()
    return LinkDesk(folders, clock, WardSignature(settings or Settings(), folders)).open(runtime)


class KeptStore(StoreThread):
    """A store thread whose keeper is there until it is closed."""

    def __init__(self, folder: Path, clock: Clock, settings: Settings | None = None) -> None:
        self.runtime = Path(tempfile.mkdtemp(prefix="taimat-"))         # a socket's name must be short
        self._desk = link_desk(folder, self.runtime, clock, settings)
        super().__init__(folder, self.runtime)

    def write(self, job: Callable[[sqlite3.Connection], Any]) -> Any:
        """Have done what another role would do."""
        with contextlib.closing(connect(self._folder)) as db:
            return job(db)

    def settle(self) -> None:
        """Let both threads do all that they were asked for, and hand it on."""
        self.wait_for(lambda _: None, HANG_S)
        self.wait_for(got_answer(""), HANG_S)
        self.turn()

    def close(self) -> None:
        super().close()
        self._desk.close()
        shutil.rmtree(self.runtime, ignore_errors=True)
