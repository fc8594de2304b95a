"""The store's part of the home sink: what moves now, and what it has left at which broker of the household."""
import sqlite3
from dataclasses import dataclass

import msgspec

from agent.host.clock import Instant
from agent.store import meta

JUST_MS = 300_000
LATELY_N = 200              # newest events that are searched for labels every second


class RetainedTopics(msgspec.Struct, kw_only=True, frozen=True):
    """Topics that are retained at a broker of the household until they are emptied there."""

    host: str
    port: int
    topics: list[str]                   # the device's discovery message first
    components: dict[str, str]          # key -> platform

    @property
    def where(self) -> tuple[str, int]:
        return self.host, self.port


@dataclass(frozen=True, slots=True)
class Motions:
    going_on: frozenset[str]
    over: frozenset[str]
    last_id: int


def last_event(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT IFNULL(MAX(id), 0) FROM event").fetchone()[0])


def motions(db: sqlite3.Connection, boot: str, after_id: int) -> Motions:
    rows = db.execute("SELECT id, camera, state FROM event "
                      "WHERE (state = 'open' OR id > ?) AND kind = 'motion' AND boot = ?", (after_id, boot)).fetchall()
    return Motions(frozenset(row["camera"] for row in rows if row["state"] == "open"),
                   frozenset(row["camera"] for row in rows if row["state"] != "open"),
                   max((row["id"] for row in rows), default=after_id))


def moved(db: sqlite3.Connection, boot: str) -> dict[str, str]:
    """Returns the label of each camera's newest labelled event of this boot, among the newest events."""
    rows = db.execute("SELECT camera, label, MAX(id) FROM event WHERE id > (SELECT MAX(id) FROM event) - ? "
                      "AND boot = ? AND label != '' GROUP BY camera", (LATELY_N, boot))
    return {row["camera"]: row["label"] for row in rows}


def just_over(db: sqlite3.Connection, camera: str, now: Instant) -> int | None:
    row = db.execute("SELECT id FROM event WHERE camera = ? AND kind = 'motion' AND state != 'open' AND boot = ? "
                     "AND mono_ms + dur_ms >= ? ORDER BY id DESC LIMIT 1",
                     (camera, now.boot, now.mono_ms - JUST_MS)).fetchone()
    return row["id"] if row else None


# What was left, or is about to be left, at a broker.
shown, remember = meta.stored("home.shown", RetainedTopics)
