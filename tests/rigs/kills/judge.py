"""What came of a campaign of kills: everything that was announced or committed, looked for."""
import contextlib
import json
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av

from agent.store import outbox
from agent.store.database import FILE, connect
from agent.store.folders import Folders
from tests.rigs.kills.witness import Seen
from tests.rigs.wait import HANG_S


@dataclass(slots=True)
class Judged:
    """What is wrong, in words; and what there was in all."""

    lost_clips: list[str] = field(default_factory=list)
    lost_messages: list[str] = field(default_factory=list)
    told_twice: list[str] = field(default_factory=list)
    losses_s: list[float] = field(default_factory=list)     # of each clip that was open at a kill
    clips_n: int = 0
    events_n: int = 0
    messages_n: int = 0
    arrivals_n: int = 0


def open_clips(store: Path) -> list[int]:
    """Numbers of the clips that are being written."""
    with contextlib.closing(sqlite3.connect(store / FILE, timeout=HANG_S)) as db:
        return [seq for seq, in db.execute("SELECT seq FROM clip WHERE state = 'open'")]


def judge(store: Path, seen: Seen, torn: dict[int, float]) -> Judged:
    """Look at a store after its processes have ended; `torn` tells when the open clips' recorder was killed."""
    found, folders = Judged(arrivals_n=seen.arrivals_n, messages_n=len(seen.committed)), Folders(store)
    with contextlib.closing(connect(store)) as db:
        rows = {row["name"]: dict(row) for row in db.execute("SELECT * FROM clip")}
        waiting = {row["seq"]: {"kind": row["kind"], **json.loads(row["data"])}
                   for row in outbox.after(db, 0, 1_000_000)}
        events = dict(db.execute("SELECT id, state FROM event"))
    arrived = [data for _, data in sorted({**waiting, **seen.arrived}.items())]
    told = [data["id"] for data in arrived if data["kind"] == "clip"]
    found.clips_n, found.events_n = len(set(told)), len(events)
    found.lost_clips = [f"{name}: {why}" for name in set(told) if (why := _lost(folders, rows.get(name)))]
    found.lost_messages = [f"message {seq} ({kind})" for seq, kind in seen.committed.items()
                           if seq not in seen.arrived and seq not in waiting]
    found.lost_messages += _unfinished(arrived, seen.events, events)
    found.told_twice = [f"told {times_n} times: {subject}" for subject, times_n in
                        Counter(filter(None, map(_subject, arrived))).items() if times_n > 1]
    by_seq = {row["seq"]: row for row in rows.values()}
    found.losses_s = [max(0.0, at_mono_s - (by_seq[seq]["mono_ms"] + (by_seq[seq]["dur_ms"] or 0)) / 1000)
                      for seq, at_mono_s in torn.items() if by_seq[seq]["state"] != "done"]
    return found


def _subject(data: dict[str, Any]) -> tuple[object, ...] | None:
    """What may be told only once."""
    if data["kind"] == "clip":
        return "clip", data["id"]
    return (data["kind"], data["event"], data["phase"]) if "event" in data else None


def _unfinished(arrived: list[dict[str, Any]], seen: dict[int, str], events: dict[int, str]) -> list[str]:
    """Events that were committed and are gone, or of whose beginning or end nobody was told."""
    told = {(data["event"], data["phase"]) for data in arrived if "event" in data}
    lost = [f"event {number}" for number in seen if number not in events]
    return lost + [f"event {number}: no word of its {phase}" for number, state in events.items()
                   for phase in ("start", "end") if (number, phase) not in told and (phase, state) != ("end", "open")]


def _lost(folders: Folders, row: dict[str, Any] | None) -> str:
    """What is wrong with an announced clip; "" if nothing is."""
    if row is None or row["state"] not in ("done", "recovered"):
        return f"its row is {row and row['state']}"
    path = folders.clip(row["seq"], row["name"])
    if not path.exists() or path.stat().st_size != row["bytes"]:
        return "its file is gone, or of another size"
    with av.open(str(path)) as container:
        frames_n = sum(1 for _ in container.decode(video=0))
    return "" if frames_n == row["frames"] else f"{frames_n} frames of {row['frames']} decode"
