"""Has packed what the household has released, by a process for each kind of file: agent/keeper/pack.py."""
import contextlib
import logging
import os
import sqlite3
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agent.host.clock import Clock
from agent.store import holds, requests
from agent.store.decisions import decided
from agent.store.folders import Folders
from agent.store.requests import RequestError, WardRequest

if TYPE_CHECKING:
    import subprocess

AGAIN_S = 30.0              # between two tries
FAULTS_MAX = 5              # of one request, then it has failed
DONE, AGAIN, FAULT = 0, 75, 70      # sysexits.h: EX_TEMPFAIL, EX_SOFTWARE
PICTURE_WITHIN_MS = 120_000         # after the approval: enough for a keeper that was killed

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Packager:
    """A part of the keeper's round, which it never delays: the work is a process of its own."""

    folders: Folders
    runtime: Path
    floor_pct: float
    clock: Clock
    own: sqlite3.Connection             # what the household has decided: agent/store/decisions
    _at_work: dict[str, tuple[str, "subprocess.Popen[bytes]"]] = field(default_factory=dict, init=False)  # by kind
    _not_before_mono_s: dict[str, float] = field(default_factory=dict, init=False)
    _faults_n: dict[str, int] = field(default_factory=dict, init=False)

    def look(self, db: sqlite3.Connection) -> None:
        """Packs what was approved, and removes files whose requests are over. Raises OSError and sqlite3.Error."""
        lie_there = list(self.folders.exports.iterdir())        # before reading the rows, which come first
        open_ones = {request.id: request for request in requests.open_ones(db) if self._is_released(request)}
        for kind in list(self._at_work):
            self._check_process(db, kind, open_ones)
        for memory in (self._not_before_mono_s, self._faults_n):
            for request_id in memory.keys() - open_ones.keys():
                del memory[request_id]
        for path in lie_there:
            if path.name.lstrip(".").partition(".")[0] not in open_ones:    # released for no other purpose
                path.unlink(missing_ok=True)
        holds.release_ended(db)
        for request in open_ones.values():
            if request.state == "packed" and not self.folders.export(request.id, request.kind).exists():
                _log.error("the file of request %d is gone; it is made again", request.n)
                requests.unpacked(db, request.id)
            elif request.state == "approved" and request.kind not in self._at_work:
                self._begin(db, request)

    def _is_released(self, request: WardRequest) -> bool:
        """Whether the household approved exactly these pictures, and recently enough."""
        known, now = decided.find(self.own, request.id), self.clock.now()
        return (known is not None and known.releases(request) and request.state in decided.UNDER_WAY
                and now.wall_ms - known.when.wall_ms <= decided.RELEASED_MS)

    def close(self) -> None:
        for _, process in self._at_work.values():
            process.kill()

    def _check_process(self, db: sqlite3.Connection, kind: str, open_ones: dict[str, WardRequest]) -> None:
        request_id, process = self._at_work[kind]
        request = open_ones.get(request_id)
        if process.poll() is None:
            if request is None:             # the request is over
                process.kill()
            return
        del self._at_work[kind]
        if request is not None and process.returncode != DONE:
            self._not_before_mono_s[request_id] = self.clock.mono_s() + AGAIN_S
            if process.returncode != AGAIN:
                self._count_fault(db, request)

    def _count_fault(self, db: sqlite3.Connection, request: WardRequest) -> None:
        faults_n = self._faults_n[request.id] = self._faults_n.get(request.id, 0) + 1
        _log.error("packing request %d failed (%d of %d times)", request.n, faults_n, FAULTS_MAX)
        if faults_n >= FAULTS_MAX:
            with contextlib.suppress(RequestError):
                requests.fail(db, request.id, "not_packed")

    def _begin(self, db: sqlite3.Connection, request: WardRequest) -> None:
        if self.clock.mono_s() < self._not_before_mono_s.get(request.id, 0.0):
            return
        if request.kind == "snapshot" and not self._is_of_this_moment(request.id):
            _log.warning("request %d: its picture was approved too long ago", request.n)
            with contextlib.suppress(RequestError):
                requests.fail(db, request.id, "no_picture")
            return
        import subprocess
        command = [sys.executable, "-m", "agent.keeper.pack", str(os.getpid()), str(self.folders.root),
                   str(self.runtime), str(self.floor_pct), request.id]
        self._at_work[request.kind] = request.id, subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def _is_of_this_moment(self, request_id: str) -> bool:
        """Whether a picture of now is the one that the household approved.

        Without this limit, an attacker who repeats the request or removes the last picture could watch the camera.
        """
        known, now = decided.find(self.own, request_id), self.clock.now()
        return (known is not None and known.when.boot == now.boot
                and now.mono_ms - known.when.mono_ms <= PICTURE_WITHIN_MS)
