"""What the household agrees to by its settings: noted for the ledger once each time it changes, and followed.

The membership of a ward is kept here; the shared database has a copy, by which the other roles keep messages or not.
"""
import hashlib
import sqlite3

from msgspec.structs import replace

from agent.core.evidence.ledger import Agreed, canonical
from agent.host.clock import Instant
from agent.store import boots, ledger, membership, meta, outbox, ward_settings
from agent.store.database import transaction
from agent.store.decisions import decided
from agent.store.membership import Membership

AGREED = "agreed"               # in meta: the digest of what was noted last
LEAVING = "leaving"             # by which requests are refused whose ward the household has left


def agree(own: sqlite3.Connection, db: sqlite3.Connection, agreed: Agreed, now: Instant) -> bool:
    """Note what holds by the settings if it is something else than before; another ward is joined, or none, by it.

    A ward that was joined under an earlier text stays joined under that: an update of ours is no consent to the later.
    `db` is the shared database: its ledger is told first, and a cut in between has it told twice.
    Raises sqlite3.Error.
    """
    known = membership.read(own)
    stays = (known.ward if known else None) == agreed.ward
    if known and stays:
        agreed = replace(agreed, text=known.text, told=known.told, by=known.by)
    digest = hashlib.sha256(canonical(agreed)).hexdigest()
    if meta.get(own, AGREED) == digest:
        return False
    if not stays:
        decided.refuse_all(own, db, LEAVING, now)
    with transaction(own):
        meta.put(own, AGREED, digest)
        if not stays:
            membership.put(own, _membership(agreed, now))
        with transaction(db):
            ledger.note(db, now, agreed)
            if not stays:
                _clear(db)
    return True


def follow(own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> bool:
    """Have the shared database's copy say the same, whatever became of it; True where it did not.

    What was kept for a ward that is none of ours goes. Raises sqlite3.Error.
    """
    wanted, found = membership.read(own), membership.read(db)
    if wanted == found:
        return False
    with transaction(db):
        if found and found.ward != (wanted and wanted.ward):
            _clear(db)
        if wanted:
            boots.remember(db, wanted.boot)
        membership.put(db, wanted)
    return True


def _membership(agreed: Agreed, now: Instant) -> Membership | None:
    if agreed.ward is None:
        return None
    return Membership(ward=agreed.ward, text=agreed.text or 0, told=agreed.told, by=agreed.by or "", boot=now.boot,
                      mono_ms=now.mono_ms)


def _clear(db: sqlite3.Connection) -> None:
    """Forget what waits for a ward, and what it has set; in the caller's transaction."""
    ward_settings.put(db, ward_settings.NOTHING)
    outbox.empty(db)
