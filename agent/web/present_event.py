"""An event as the page shows it: when, where, how long, and whether its time is to be believed."""
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from agent.host.clock import Instant
from agent.store import boots
from agent.store.events import Event
from agent.web.words import Words

KINDS = {"motion": "event.motion", "tamper": "event.tamper"}


@dataclass(frozen=True, slots=True)
class Sighting:
    """An event in words. `note` says what is unusual about it: going on, interrupted."""

    id: int
    camera: str
    kind: str
    zones: str                  # names, "" without any
    day: str
    clock: str
    clock_s: str                # with seconds
    unsure: bool                # the clock was not right then nor later in the boot, or told two times for right
    lasted: str                 # in words
    length: str                 # as players show it
    note: str
    going_on: bool
    thumb: bool
    clip: str | None
    starts_s: float             # where in the clip it begins
    file_name: str              # for a download


def unsure(db: sqlite3.Connection, events: Sequence[Event]) -> frozenset[int]:
    """Ids of those events whose time may be wrong."""
    return frozenset(event.id for event in events if not boots.is_sure(db, event.boot, event.clock))


def sighting(event: Event, is_unsure: bool, now: Instant, words: Words) -> Sighting:
    """The event in the words of one language."""
    note = {"open": words("event.going_on"), "cut": words("event.cut")}.get(event.state, "")
    return Sighting(
        id=event.id, camera=event.camera, kind=_kind(event, words),
        zones=words("event.zones", zones=", ".join(event.zones)) if event.zones else "",
        day=words.day(event.wall_ms, now.wall_ms), clock=words.clock(event.wall_ms),
        clock_s=words.clock(event.wall_ms, seconds=True), unsure=is_unsure,
        lasted=words.span(event.dur_ms) if event.dur_ms is not None else "",
        length=words.length(event.dur_ms) if event.dur_ms is not None else "", note=note,
        going_on=event.state == "open", thumb=event.thumb is not None, clip=event.clip,
        starts_s=(event.clip_offset_ms or 0) / 1000, file_name=f"{event.camera}-{words.stamp(event.wall_ms)}.mp4")


def _kind(event: Event, words: Words) -> str:
    """What happened; of tampering, what was done if there is a word for it."""
    done = f"tamper.{event.code}"
    return words(done if done in words.texts else KINDS.get(event.kind, "event.other"))
