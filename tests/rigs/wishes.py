"""Requests of a ward as they lie in a device's store."""
import os
import sqlite3
from typing import Any

from agent.core.contract import ulid
from agent.host.clock import Instant, SystemClock
from agent.store import requests
from agent.store.database import transaction
from agent.store.requests import WardRequest

HOUR_MS = 3_600_000


def ask(db: sqlite3.Connection, *, now: Instant | None = None, approved: bool = False, **given: Any) -> WardRequest:
    """One more request; a clip of the last hour unless something else is `given`."""
    now = now or SystemClock().now()
    wish: dict[str, Any] = {
        "id": ulid.make(now.wall_ms, os.urandom(ulid.CHANCE_B)), "kind": "clip", "camera": "gate",
        "begin_ms": now.wall_ms - HOUR_MS, "end_ms": now.wall_ms, "case_no": "W07-2026-0093", "purpose": "theft",
        "officer": "Trần Văn B", "basis": "BLTTHS 2015, điều 107",
        "upload": "https://ward07.example.invalid:8443/exports",
        "receipt_key": 64 * "0", "until_ms": now.wall_ms + 24 * HOUR_MS}
    with transaction(db):
        return requests.add(db, WardRequest(**(wish | given)), now, approved)
