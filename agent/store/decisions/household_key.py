"""The household's key as the device has it: its public half, and what is told when there is another one.

It stands alone because whoever may set it can open all that is recorded from then on, and all of the past.
"""
import sqlite3

from agent.core.contract import wire
from agent.core.evidence.ledger import HouseholdKeySet
from agent.host.clock import Instant
from agent.store import ledger, outbox
from agent.store.database import transaction
from agent.store.decisions import days


def install(own: sqlite3.Connection, db: sqlite3.Connection, public: bytes, now: Instant) -> None:
    """Have the device wrap all its days' keys for this one from now on, and for no other. Raises sqlite3.Error.

    The ledger and the ward are told first: a cut in between tells of a key that opens nothing yet.
    """
    was = days.household(own)
    with transaction(own):
        days.put_household(own, public)
        with transaction(db):
            ledger.note(db, now, HouseholdKeySet(public=public.hex(), was=was.hex() if was else None))
            outbox.append(db, "security", None, now, wire.encode(wire.SecurityData(code="household_key")))
