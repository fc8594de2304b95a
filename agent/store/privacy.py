"""The household's privacy declarations, and the agent's version: noted for ledger and ward at each change."""
import hashlib
import sqlite3
from collections.abc import Mapping, Sequence

import msgspec

from agent.core.contract import wire
from agent.core.evidence.ledger import MasksDeclared, Updated
from agent.host.clock import Instant
from agent.store import ledger, meta, outbox
from agent.store.database import transaction

SOFTWARE = "software"           # in meta: the version that was noted last
KEY = "masks_by_camera."
DECLARED, WITHDRAWN = "mask_by_camera", "mask_not_by_camera"


def note_software(db: sqlite3.Connection, version: str, now: Instant) -> bool:
    """Notes the agent's version if it has changed. Raises sqlite3.Error."""
    with transaction(db):
        was = meta.get(db, SOFTWARE)
        if was == version:
            return False
        meta.put(db, SOFTWARE, version)
        ledger.note(db, now, Updated(version=version, was=was))
    return True


Areas = Sequence[Sequence[tuple[float, float]]]


def mark(areas: Areas) -> str:
    return hashlib.sha256(msgspec.json.encode(areas)).hexdigest()[:16]


def declare(db: sqlite3.Connection, declared: Mapping[str, Areas], now: Instant) -> list[str]:
    """Notes the cameras that the household declares to hide areas; returns the changes as text."""
    known = {row["key"].removeprefix(KEY): row["value"] for row in
             db.execute("SELECT key, value FROM meta WHERE key GLOB ? AND value != ''", (KEY + "*",))}
    changed = []
    with transaction(db):
        for camera, areas in declared.items():
            hashed = mark(areas)
            if known.pop(camera, "") != hashed:
                meta.put(db, KEY + camera, hashed)
                changed.append(_tell(db, camera, DECLARED, f"{len(areas)} areas, by the household's word", now))
                ledger.note(db, now, MasksDeclared(camera=camera, code=DECLARED, areas=hashed))
        for camera in known:
            meta.put(db, KEY + camera, "")
            changed.append(_tell(db, camera, WITHDRAWN, "the household's word no longer holds", now))
            ledger.note(db, now, MasksDeclared(camera=camera, code=WITHDRAWN))
    return changed


def _tell(db: sqlite3.Connection, camera: str, code: str, detail: str, now: Instant) -> str:
    outbox.append(db, "security", camera, now, wire.encode(wire.SecurityData(code=code, detail=detail)))
    return f"{camera}: {code} ({detail})"
