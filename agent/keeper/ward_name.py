"""By which name and key the ward knows this recorder: its certificate's, written into the ledger when they change.

The ledger calls the recorder by a name of its own, from before there was a certificate. Without such a row nobody could
say that the recorder that signed an export is the one whose certificate brought it.
"""
import logging
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from agent.core.delivery import certificate
from agent.core.evidence.ledger.acts import WardIdentity
from agent.host.clock import Instant
from agent.store import identity, ledger
from agent.store.database import transaction

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class WardName:
    """What the certificate at `path` says; "" for a recorder that has none."""

    path: str
    told: WardIdentity | None = None            # None: there is none, or it can't be read
    _stamp: tuple[int, int, int] | None = field(default=None, init=False)     # of the file that was read

    def look(self, db: sqlite3.Connection, now: Instant) -> bool:
        """Note another certificate than before in the ledger; returns whether it takes the place of one.

        Raises sqlite3.Error.
        """
        if not self._read():
            return False
        before = identity.at_ward(db)
        if self.told == before:
            return False
        with transaction(db):
            if self.told:
                ledger.note(db, now, self.told)
            identity.put_at_ward(db, self.told)
        return before is not None and self.told is not None

    def _read(self) -> bool:
        """Read the certificate, if it is another file than at the last look; returns whether it was read."""
        try:
            found = Path(self.path).stat() if self.path else None
            stamp = (found.st_dev, found.st_ino, found.st_mtime_ns) if found else (0, 0, 0)
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            leaf = certificate.of_pem(Path(self.path).read_text(encoding="ascii")) if found else None
        except (OSError, ValueError, certificate.NotACertificate) as error:
            if self.told is not None or self._stamp is None:
                _log.error("[ward] cert: %s: %s; exports do not say by which certificate the ward knows us", self.path,
                           error)
            self._stamp, leaf = (0, 0, 0), None
        self.told = WardIdentity(name=leaf.common_name, key=leaf.key_sha256) if leaf else None
        return True
