"""What the desk knows of all devices. It reads database and enrolment book at intervals, however many officers look."""
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from agent.host.clock import Clock
from agent.ward.authority import findings
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.desk.rows import DeskRow, Known, rows
from agent.ward.device_cache import read_devices
from agent.ward.enrolment.book import EnrolmentBook
from agent.ward.quota import read_excesses
from agent.ward.settings import Settings, read_roster

GOOD_FOR_S = 1.5
REST_N = 10                     # a look is followed by a rest of so many times its length, at a city's size


class DeskBoard:
    """The rows of all devices. Its methods raise DatabaseFault and ConfigError."""

    def __init__(self, own: Settings, engine: sql.Engine, clock: Clock) -> None:
        self._roster, self._engine, self._clock = own.ward.devices_file, engine, clock
        self._book = EnrolmentBook(Path(own.authority.folder))
        self._lock = threading.Lock()
        self._rows: list[DeskRow] = []
        self._named: dict[str, DeskRow] = {}
        self._due_mono_s = float("-inf")
        self.book_fault = ""            # why the book says nothing
        self.is_unwell = False          # by the doctor's last look, or for want of one

    def rows(self) -> list[DeskRow]:
        """Returns a row for each device, up to some seconds old."""
        with self._lock:
            if (began_mono_s := self._clock.mono_s()) >= self._due_mono_s:
                self._rows = self._look()
                self._named = {key: row for row in self._rows for key in (row.dev, row.serial) if key}
                now_mono_s = self._clock.mono_s()
                self._due_mono_s = now_mono_s + max(GOOD_FOR_S, REST_N * (now_mono_s - began_mono_s))
            return self._rows

    def row(self, key: str) -> DeskRow | None:
        self.rows()
        return self._named.get(key)

    def _look(self) -> list[DeskRow]:
        now_ms, roster = self._clock.now().wall_ms, read_roster(self._roster)
        examined = findings.last(self._book.path.parent)
        self.is_unwell = examined is not None and (bool(examined.bad) or examined.is_old(now_ms))
        self.book_fault, book = "", {}
        try:
            book = self._read_book()
        except AuthorityFault as fault:
            self.book_fault = str(fault)
        return rows(Known(now_ms=now_ms, devices=read_devices(self._engine),
                          overs=read_excesses(self._engine, now_ms),
                          expected=roster.devices, maintained=roster.maintained, **book))

    def _read_book(self) -> dict[str, Any]:
        with self._book.look() as entries:
            ends_ms = {each.dev: each.until_ms for each in entries.certificates() if each.revoked_ms is None}
            alarms: defaultdict[str, dict[str, None]] = defaultdict(dict)
            for alarm in entries.alarms():
                alarms[alarm.serial][alarm.code] = None
            return {"places": entries.states(), "ends_ms": ends_ms,
                    "alarms": {serial: list(codes) for serial, codes in alarms.items()}}
