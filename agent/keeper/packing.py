"""Sees to it that approved requests are packed, one at a time, and that nothing of a request outlives it."""
import contextlib
import logging
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from agent.host.clock import Clock
from agent.keeper import pack
from agent.store import pins, requests
from agent.store.folders import Folders
from agent.store.requests import Request, RequestError

AGAIN_S = 30.0              # between two tries
FAULTS_MAX = 5              # of one request, then it has failed

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Packing:
    """A part of the keeper's round, which it never holds up: the work is a process of its own."""

    folders: Folders
    runtime: Path
    floor_pct: float
    clock: Clock
    _at_work: tuple[str, subprocess.Popen[bytes]] | None = field(default=None, init=False)     # whose, and the process
    _not_before_mono_s: dict[str, float] = field(default_factory=dict, init=False)
    _faults_n: dict[str, int] = field(default_factory=dict, init=False)

    def look(self, db: sqlite3.Connection) -> None:
        """Take up what was approved, and remove what is over. Raises OSError and sqlite3.Error."""
        lie_there = list(self.folders.exports.iterdir())        # before their rows are read, which were there first
        open_ones = {request.id: request for request in requests.open_ones(db)}
        self._see_to_process(db, open_ones)
        self._forget_all_but(open_ones)
        for path in lie_there:
            if path.name.partition(".")[0] not in open_ones:    # nothing released for one purpose stays for another
                path.unlink(missing_ok=True)
        pins.release_ended(db)
        for request in open_ones.values():
            if request.state == "packed" and not self.folders.export(request.id, request.kind).exists():
                _log.error("the file of request %d is gone; it is made anew", request.n)
                requests.unpacked(db, request.id)
            elif request.state == "approved" and request.kind == "clip" and self._at_work is None:
                self._begin(request)

    def close(self) -> None:
        """End the process that is at work; the next life begins it again."""
        if self._at_work is not None:
            self._at_work[1].kill()

    def _see_to_process(self, db: sqlite3.Connection, open_ones: dict[str, Request]) -> None:
        if self._at_work is None:
            return
        request_id, process = self._at_work
        request = open_ones.get(request_id)
        if process.poll() is None:
            if request is None:             # nobody wants it any more
                process.kill()
            return
        self._at_work = None
        if request is not None and process.returncode != pack.DONE:
            self._not_before_mono_s[request_id] = self.clock.mono_s() + AGAIN_S
            if process.returncode != pack.AGAIN:
                self._count_fault(db, request)

    def _count_fault(self, db: sqlite3.Connection, request: Request) -> None:
        faults_n = self._faults_n[request.id] = self._faults_n.get(request.id, 0) + 1
        _log.error("packing request %d went wrong (%d of %d times)", request.n, faults_n, FAULTS_MAX)
        if faults_n >= FAULTS_MAX:
            with contextlib.suppress(RequestError):
                requests.fail(db, request.id, "not_packed")

    def _begin(self, request: Request) -> None:
        if self.clock.mono_s() < self._not_before_mono_s.get(request.id, 0.0):
            return
        command = [sys.executable, "-m", "agent.keeper.pack", str(os.getpid()), str(self.folders.root),
                   str(self.runtime), str(self.floor_pct), request.id]
        self._at_work = request.id, subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def _forget_all_but(self, open_ones: dict[str, Request]) -> None:
        for memory in (self._not_before_mono_s, self._faults_n):
            for request_id in memory.keys() - open_ones.keys():
                del memory[request_id]
