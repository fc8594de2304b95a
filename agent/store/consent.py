"""What the household has agreed to, and which software did it: a row in the ledger each time that changes."""
import hashlib
import sqlite3

from agent.core.ledger import Agreed, Updated, canonical
from agent.host.clock import Instant
from agent.store import ledger, meta
from agent.store.database import transaction

AGREED, SOFTWARE = "agreed", "software"         # in meta: the digest of what was noted last, and the version


def note(db: sqlite3.Connection, agreed: Agreed, now: Instant) -> bool:
    """Note what holds by the settings if it is something else than before. Raises sqlite3.Error."""
    digest = hashlib.sha256(canonical(agreed)).hexdigest()
    with transaction(db):
        if meta.get(db, AGREED) == digest:
            return False
        meta.put(db, AGREED, digest)
        ledger.note(db, now, agreed)
    return True


def note_software(db: sqlite3.Connection, version: str, now: Instant) -> bool:
    """Note the version of the agent if another one was here before. Raises sqlite3.Error."""
    with transaction(db):
        was = meta.get(db, SOFTWARE)
        if was == version:
            return False
        meta.put(db, SOFTWARE, version)
        ledger.note(db, now, Updated(version=version, was=was))
    return True
