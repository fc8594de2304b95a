"""The keys of the days: made ahead of use, wrapped for the household, destroyed with the last file that they open.

What goes first is always the file: a cut leaves a key without a row, which is entered at the next start, or a row whose
key is gone already, which is told so at the next pass.
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
from agent.core.evidence.ledger import DayKeyChange
from agent.core.household.pause import TRUSTED
from agent.host.clock import Instant
from agent.host.files import destroy, sync_folder, write_durably
from agent.store import ledger
from agent.store.database import transaction
from agent.store.decisions import days
from agent.store.decisions.days import DayKey
from agent.store.encryption.clear_file import day_of
from agent.store.encryption.file_keys import FOLDER, private_file, publish
from agent.store.encryption.file_keys import living as public_days
from agent.store.folders import Folders
from agent.store.names import clip_files, highest

DAY_MS = 24 * 3600 * 1000
BEGUN_N = 100           # clips that may still be begun for a key while the next one is there already
FILE = re.compile(r"^(?P<day>[0-9]{6,})\.key\Z")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DayKeys:
    """The private halves are files that the keeper alone may read. `db` is the shared database, for the ledger."""

    folders: Folders

    def renew(self, own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
        """See that there is a key for today, and that the household could open every day's without us.

        Raises OSError and sqlite3.Error.
        """
        newest = days.newest(own)
        if newest is None:
            self._enter_lost(own, db, now)
            newest = days.newest(own)
        if newest is None or not _of_today(newest, now):
            self._make(own, db, now)
        self._wrap_for_household(own)
        self._publish(own)

    def retire(self, own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
        """Have another key for what is written from now on, if there is one at all. Raises OSError and sqlite3.Error.
        """
        if days.newest(own) is not None:
            self._make(own, db, now)
            self._wrap_for_household(own)
            self._publish(own)

    def destroy_unused(self, own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> int:
        """Destroy the keys of days of which nothing is left; returns how many.

        The caller has seen that every file of ours has its row. Raises OSError and sqlite3.Error.
        """
        used, living = days.in_use(db), days.living(own)
        unused = [key for key, following in pairwise(living)
                  if key.id not in used and not self._opens_any(key, following)]
        for key in unused:
            destroy(private_file(self.folders.keys, key.id))
            with transaction(own), transaction(db):
                days.bury(own, key.id)
                ledger.note(db, now, DayKeyChange(day=key.id, public=key.public.hex(), code="destroyed"))
            _log.info("the key of day %d is destroyed: nothing is left that it opens", key.id)
        if unused:
            self._publish(own)
        return len(unused)

    def _opens_any(self, key: DayKey, following: DayKey) -> bool:
        """Whether a clip on the card needs it, whatever the rows say, which other roles may have changed."""
        upto = None if following.first_seq is None else following.first_seq + BEGUN_N
        needs = next((path for path in clip_files(self.folders.clips, key.first_seq or 0, upto)
                      if _day_of(path) == key.id), None)
        if needs is not None:
            _log.error("%s needs the key of day %d, and no row in the database says so", needs, key.id)
        return needs is not None

    def _make(self, own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
        from agent.store.encryption.ciphers import new_private, public_of

        day = max(days.next_id(own), max(self._on_card(), default=0) + 1)
        path, private = private_file(self.folders.keys, day), new_private()
        if not path.parent.exists():
            path.parent.mkdir(mode=0o700)
            sync_folder(path.parent.parent)
        first_seq = highest(self.folders.clips)
        with transaction(own), transaction(db):     # first, because no file is made while another role holds a database
            write_durably(path, private, mode=0o600)
            _enter(own, db, day, public_of(private), first_seq, now)

    def _enter_lost(self, own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
        """A database that was lost knows none of the keys on the card; their footage is adopted by the sweep."""
        from agent.store.encryption.ciphers import public_of

        for day in sorted(self._on_card()):
            private = private_file(self.folders.keys, day).read_bytes()
            with transaction(own), transaction(db):
                _enter(own, db, day, public_of(private), None, now)

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
    """None also for a file that no key opens any more: its head is damaged."""
    with contextlib.suppress(DamagedError):
        return day_of(path)
    return None


def _of_today(key: DayKey, now: Instant) -> bool:
    """Whether the key is younger than a day. Of another start of the machine only right clocks can tell."""
    if key.boot == now.boot:
        return now.mono_ms - key.mono_ms < DAY_MS
    return key.clock in TRUSTED and now.clock in TRUSTED and 0 <= now.wall_ms - key.wall_ms < DAY_MS
