"""The daily sweep of the card, and the days' keys: made in advance, wrapped for the household, and destroyed.

A key is destroyed with the last file that it opens, and only after the sweep has found a row for every file. The key's
file goes first: a cut leaves a key without a row, which the next start enters, or a row without a key, which the next
pass notes. The sweep also removes what the household has erased.
"""
import contextlib
import logging
import os
import re
import sqlite3
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from agent.core.evidence.encrypted import DamagedError
from agent.core.evidence.ledger.acts import DayKeyChange
from agent.core.household.pause import TRUSTED
from agent.host.clock import Clock, Instant
from agent.host.files import destroy, sync_folder, write_durably
from agent.host.stop import Stop
from agent.keeper.deletion import finish_deletion
from agent.store import erase, ledger
from agent.store.database import transaction
from agent.store.decisions import condemned, days
from agent.store.decisions.days import DayKey
from agent.store.encryption.clear_file import day_of
from agent.store.encryption.file_keys import FOLDER, Keyring, private_file, publish
from agent.store.encryption.file_keys import living as public_days
from agent.store.folders import Folders
from agent.store.names import clip_files, highest
from agent.store.sweep import Sweep

DAY_MS = 24 * 3600 * 1000
BEGUN_N = 100           # clips that may still begin with a key after the next one exists
FILE = re.compile(r"^(?P<day>[0-9]{6,})\.key\Z")
EVERY_S = 24 * 3600.0
AGAIN_S = 15.0              # if a clip was still being written when its database was lost
AT_A_TIME_S = 2.0           # between heartbeats; a clip of a lost database takes 15 ms or more

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DayKeys:
    """The private halves are files that only the keeper can read. The ledger is in `db`, the shared database."""

    folders: Folders

    def renew(self, own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
        """Makes sure of a key for today, wrapped for the household as all are. Raises OSError and sqlite3.Error."""
        newest = days.newest(own)
        if newest is None:
            self._enter_lost(own, db, now)
            newest = days.newest(own)
        if newest is None or not _of_today(newest, now):
            self._make(own, db, now)
        self._wrap_for_household(own)
        self._publish(own)

    def retire(self, own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
        """Makes another key for new files, if there are keys at all. Raises OSError and sqlite3.Error."""
        if days.newest(own) is not None:
            self._make(own, db, now)
            self._wrap_for_household(own)
            self._publish(own)

    def destroy_unused(self, own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> int:
        """Destroys the keys of days without files; returns how many. Raises OSError and sqlite3.Error.

        The caller has seen that every file of ours has its row.
        """
        used, living = days.in_use(db), days.living(own)
        unused = [key for key, following in pairwise(living)
                  if key.id not in used and not self._opens_any(key, following)]
        for key in unused:
            destroy(private_file(self.folders.keys, key.id))
            with transaction(own), transaction(db):
                days.bury(own, key.id)
                ledger.note(db, now, DayKeyChange(day=key.id, public=key.public.hex(), code="destroyed"))
            _log.info("the key of day %d is destroyed: no file needs it", key.id)
        if unused:
            self._publish(own)
        return len(unused)

    def _opens_any(self, key: DayKey, following: DayKey) -> bool:
        """Whether a clip on the card needs the key, regardless of the rows, which other roles may have changed."""
        upto = None if following.first_seq is None else following.first_seq + BEGUN_N
        needs = next((path for path in clip_files(self.folders.clips, key.first_seq or 0, upto)
                      if _day_of(path) == key.id), None)
        if needs is not None:
            _log.error("%s needs the key of day %d, but no row in the database says so", needs, key.id)
        return needs is not None

    def _make(self, own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
        from agent.store.encryption.ciphers import new_private, public_of

        day = max(days.next_id(own), max(self._on_card(), default=0) + 1)
        path, private = private_file(self.folders.keys, day), new_private()
        if not path.parent.exists():
            path.parent.mkdir(mode=0o700)
            sync_folder(path.parent.parent)
        first_seq = highest(self.folders.clips)
        with transaction(own), transaction(db):     # first, so no file is made while another role holds a database
            write_durably(path, private, mode=0o600)
            _enter(own, db, day, public_of(private), first_seq, now=now)

    def _enter_lost(self, own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
        """Enters the keys on the card into a new database after the old one was lost. The sweep adopts their clips."""
        from agent.store.encryption.ciphers import public_of

        for day in sorted(self._on_card()):
            private = private_file(self.folders.keys, day).read_bytes()
            with transaction(own), transaction(db):
                _enter(own, db, day, public_of(private), None, now=now)

    def _on_card(self) -> list[int]:
        folder = self.folders.keys / FOLDER
        names = os.listdir(folder) if folder.is_dir() else []
        return [int(match["day"]) for name in names if (match := FILE.match(name))]

    def _wrap_for_household(self, own: sqlite3.Connection) -> None:
        household = days.household(own)
        for key in days.living(own) if household else []:
            if key.for_household is None and household:
                from agent.store.encryption.ciphers import wrap

                private = private_file(self.folders.keys, key.id).read_bytes()
                days.put_for_household(own, key.id, b"".join(wrap(private, household, f"day {key.id}")))

    def _publish(self, own: sqlite3.Connection) -> None:
        living = days.public(own)
        if living != public_days(self.folders):
            publish(self.folders, living)


def _enter(own: sqlite3.Connection, db: sqlite3.Connection, day: int, public: bytes, first_seq: int | None,
           now: Instant) -> None:
    days.add(own, day, public, first_seq, now)
    ledger.note(db, now, DayKeyChange(day=day, public=public.hex(), code="made"))


def _day_of(path: Path) -> int | None:
    """None also for a file that no key can open, because its head is damaged."""
    with contextlib.suppress(DamagedError):
        return day_of(path)
    return None


def _of_today(key: DayKey, now: Instant) -> bool:
    """Whether the key is younger than a day. For a key of another boot, both clocks must be right."""
    if key.boot == now.boot:
        return now.mono_ms - key.mono_ms < DAY_MS
    return key.clock in TRUSTED and now.clock in TRUSTED and 0 <= now.wall_ms - key.wall_ms < DAY_MS


@dataclass(slots=True)
class Sweeper:
    """Sweeps when it is due; `encrypts` says whether there must be a key for today."""

    folders: Folders
    encrypts: bool
    clock: Clock
    stop: Stop
    next_mono_s: float = 0.0
    has_seen_all: bool = False              # every file of ours has its row
    _walk: Sweep | None = None              # the present sweep

    @property
    def at_work(self) -> bool:
        return self._walk is not None

    def look(self, own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
        """Sweeps for a while if it is time, and renews the keys. Raises OSError and sqlite3.Error."""
        if now.mono_ms / 1000 >= self.next_mono_s:
            self._go_on(own, db, now)
        if self.encrypts:
            self._keys.renew(own, db, now)

    def start_again(self) -> None:
        """Compares rows with files again before a key may go, because the database was replaced."""
        self.next_mono_s, self._walk, self.has_seen_all = 0.0, None, False

    def _go_on(self, own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
        walk, self._walk = self._walk or Sweep(db, self.folders, Keyring(self.folders).file_key), None
        until_mono_s = self.clock.mono_s() + AT_A_TIME_S
        if walk.go_on(now, lambda: self.stop.is_set() or self.clock.mono_s() > until_mono_s):
            self.has_seen_all = not walk.being_written_n
            self.next_mono_s = now.mono_ms / 1000 + (EVERY_S if self.has_seen_all else AGAIN_S)
            if self.has_seen_all:
                self._keys.destroy_unused(own, db, now)
        else:
            self._walk = walk

    def finish_erasure(self, own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
        """Removes the files of all condemned clips, including those that an earlier process has left.

        It first retires today's key, which could otherwise open the erased files until tomorrow. If the sweep has seen
        a row for every file, unused keys go at once. Clips that have merely expired lose their key at the daily sweep,
        because checking all clips each minute would be too much work. Raises OSError and sqlite3.Error.
        """
        erased = condemned.erasing(own, erase.WHY)
        if erased:
            self._keys.retire(own, db, now)
        finish_deletion(own, db, self.folders, now)
        if erased and self.has_seen_all:
            self._keys.destroy_unused(own, db, now)

    @property
    def _keys(self) -> DayKeys:
        return DayKeys(self.folders)
