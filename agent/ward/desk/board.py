"""What the desk knows of all devices. It reads database and enrolment book at intervals, however many officers look."""
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sql

from agent.host.clock import Clock
from agent.ward.authority import findings
from agent.ward.desk.rows import DeskRow, Known, rows
from agent.ward.device_cache import read_devices
from agent.ward.enrolment.book import BookFault, EnrolmentBook, PlaceEntry
from agent.ward.quota import read_excesses
from agent.ward.settings import Settings, read_roster

GOOD_FOR_S = 1.5
REST_N = 10                     # a look is followed by a rest of so many times its length, at a city's size


@dataclass(frozen=True, slots=True)
class BookView:
    """The enrolment book at a moment; `fault` says why it is empty."""

    places: Sequence[PlaceEntry] = ()
    ends_ms: dict[str, int] | None = None
    alarms: dict[str, list[str]] | None = None
    fault: str = ""


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
        now_ms, roster, book = self._clock.now().wall_ms, read_roster(self._roster), self._read_book()
        self.book_fault = book.fault
        examined = findings.last(self._book.path.parent)
        self.is_unwell = examined is not None and (bool(examined.bad) or examined.is_old(now_ms))
        return rows(Known(now_ms=now_ms, devices=read_devices(self._engine), overs=read_excesses(self._engine, now_ms),
                          expected=roster.devices, maintained=roster.maintained, places=book.places,
                          ends_ms=book.ends_ms or {}, alarms=book.alarms or {}))

    def _read_book(self) -> BookView:
        if not self._book.path.exists():
            return BookView(fault=f"{self._book.path}: is not there")
        try:
            with self._book.look() as entries:
                ends_ms = {each.dev: each.until_ms for each in entries.certificates() if each.revoked_ms is None}
                alarms: defaultdict[str, list[str]] = defaultdict(list)
                for alarm in entries.alarms():
                    if alarm.code not in alarms[alarm.serial]:
                        alarms[alarm.serial].append(alarm.code)
                return BookView(entries.states(), ends_ms, alarms)
        except BookFault as fault:
            return BookView(fault=str(fault))
