"""A household that is in a ward, so that messages are kept for it."""
import contextlib
from pathlib import Path

from agent.config.settings import Ward
from agent.core.household import consent
from agent.store import membership
from agent.store.database import StoreConnection, connect
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from agent.store.membership import Membership

WARD = Ward(enabled=True, ward="w07")           # a keeper with these settings leaves it so
# The same, for a configuration without a broker.
NOWHERE = '[ward]\nenabled = true\nward = "w07"\nport = 9\ntls = false\n'


def join(db: StoreConnection, ward: str = WARD.ward) -> StoreConnection:
    """As if the household had always been in the ward; returns the connection."""
    with contextlib.closing(decisions.connect(Folders(db.path.parent.parent).create())) as own:
        for each in (own, db):
            membership.put(each, Membership(ward=ward, told=list(consent.TOLD)))
    return db


def join_in(store: Path, ward: str = WARD.ward) -> None:
    """The same in a store that nobody has open."""
    with contextlib.closing(connect(Folders(store).create().root)) as db:
        join(db, ward)
