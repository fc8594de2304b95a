"""The household's privacy declarations, and the agent's version: noted for ledger and ward at each change."""
import hashlib
import sqlite3
from collections.abc import Mapping, Sequence

import msgspec

from agent.core.contract import wire
from agent.core.evidence.ledger.acts import MasksDeclared, Updated
from agent.host.clock import Instant
from agent.store import ledger, meta, outbox
from agent.store.database import transaction

SOFTWARE = "software"           # in meta: the version that was noted last
KEY = "masks_by_camera."
DECLARED, WITHDRAWN = "mask_by_camera", "mask_not_by_camera"
Areas = Sequence[Sequence[tuple[float, float]]]


def note_software(db: sqlite3.Connection, version: str, now: Instant) -> bool:
    """Notes the agent's version if it has changed. Raises sqlite3.Error."""
    with transaction(db):
        was = meta.get(db, SOFTWARE)
        if was == version:
            return False
        meta.put(db, SOFTWARE, version)
        ledger.note(db, now, Updated(version=version, was=was))
    return True


def mark(areas: Areas) -> str:
    return hashlib.sha256(msgspec.json.encode(areas)).hexdigest()[:16]


def declare(db: sqlite3.Connection, declared: Mapping[str, Areas], now: Instant) -> list[str]:
    """Notes the cameras that the household declares to hide areas; returns the changes as text."""
    known = {row["key"].removeprefix(KEY): row["value"] for row in
             db.execute("SELECT key, value FROM meta WHERE key GLOB ? AND value != ''", (KEY + "*",))}
    marks = {camera: mark(areas) for camera, areas in declared.items()}
    changes = [(camera, DECLARED, f"{len(declared[camera])} areas, by the household's word") for camera in marks
               if known.get(camera) != marks[camera]]
    changes += [(camera, WITHDRAWN, "the household's word no longer holds") for camera in known if camera not in marks]
    with transaction(db):
        for camera, code, detail in changes:
            meta.put(db, KEY + camera, marks.get(camera, ""))
            outbox.append(db, "security", camera, now, wire.encode(wire.SecurityData(code=code, detail=detail)))
            ledger.note(db, now, MasksDeclared(camera=camera, code=code, areas=marks.get(camera)))
    return [f"{camera}: {code} ({detail})" for camera, code, detail in changes]
