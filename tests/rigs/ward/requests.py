"""Requests of a ward as they lie in a device's store."""
import contextlib
import os
from collections.abc import Iterator
from typing import Any

from agent.core.contract import ulid
from agent.core.household.sharing_rules import Decision
from agent.host.clock import Instant, SystemClock
from agent.keeper.ledger_writer import LedgerWriter
from agent.store import requests
from agent.store.database import StoreConnection, transaction
from agent.store.decisions import database as decisions
from agent.store.decisions import decided
from agent.store.decisions.decided import RequestDecision
from agent.store.folders import Folders
from agent.store.requests import WardRequest

HOUR_MS = 3_600_000


@contextlib.contextmanager
def as_keeper(db: StoreConnection) -> Iterator[Any]:
    """The keeper's own database, while `db` signs what is noted."""
    before, folders = db.signer, Folders(db.path.parents[1])
    with contextlib.closing(decisions.connect(folders)) as own:
        db.signer = LedgerWriter(folders, SystemClock(), own)
        try:
            yield own
        finally:
            db.signer = before


def insert(db: StoreConnection, *, now: Instant | None = None, **given: Any) -> str:
    """A row as the link writes it; a clip of the last hour unless something else is `given`. Returns the id."""
    now = now or SystemClock().now()
    wish: dict[str, Any] = {
        "id": ulid.make(now.wall_ms, os.urandom(ulid.CHANCE_B)), "kind": "clip", "camera": "gate",
        "begin_ms": now.wall_ms - HOUR_MS, "end_ms": now.wall_ms, "case_no": "W07-2026-0093", "purpose": "theft",
        "officer": "Trần Văn B", "basis": "BLTTHS 2015, điều 107",
        "upload": "https://ward07.example.invalid:8443/exports", "receipt_key": 64 * "0"} | given
    with transaction(db):
        requests.add(db, WardRequest(**wish), now)
    return str(wish["id"])


def ask(db: StoreConnection, *, now: Instant | None = None, approved: bool = False, **given: Any) -> WardRequest:
    """One more request, which the keeper has taken up, as if the ward had signed it; by a rule `approved`, or not."""
    now = now or SystemClock().now()
    found = requests.find(db, insert(db, now=now, **given))
    assert found
    with as_keeper(db) as own:
        decided.take_up(own, db, RequestDecision(
            found.id, found.digest, now.wall_ms + HOUR_MS, now.wall_ms + 24 * HOUR_MS,
            "approved" if approved else "waiting", "rule" if approved else None, now, told=False))
    return requests.find(db, found.id) or found


def decide(db: StoreConnection, request_id: str, code: Decision, by: str, now: Instant | None = None) -> WardRequest:
    """The household's word on what is in the row, by this door. Raises RequestError."""
    row = requests.find(db, request_id)
    with as_keeper(db) as own:
        return decided.decide(own, db, request_id, row.digest if row else "", code, by, now or SystemClock().now())
