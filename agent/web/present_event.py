"""An event as the page shows it: when, where, how long, and whether its time may be wrong."""
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.household.labels import LabelWord
from agent.host.clock import Instant
from agent.look.words import PageWords
from agent.store import boots
from agent.store.events import StoredEvent

KINDS = {"motion": "event.motion", "tamper": "event.tamper"}
NAMED: tuple[LabelWord, ...] = ("person", "vehicle", "animal")      # a word for motion that tells a household something


@dataclass(frozen=True, slots=True)
class EventView:
    """An event in words. `note` says if it is going on or was interrupted."""

    id: int
    camera: str
    kind: str
    sign: str                   # the icon of what moved; "" where nobody can tell
    zones: str                  # names, "" without any
    day: str
    clock: str
    clock_s: str                # with seconds
    unsure: bool                # the clock was not set in that boot, or two times were both told as right
    lasted: str                 # in words
    length: str                 # as players show it
    note: str
    going_on: bool
    thumb: bool
    small: str                  # address of a small picture, of now while it goes on; "" without one


def unsure(db: sqlite3.Connection, events: Sequence[StoredEvent]) -> frozenset[int]:
    """The ids of those events whose time may be wrong."""
    return frozenset(event.id for event in events if not boots.is_sure(db, event.boot, event.clock))


def event_view(event: StoredEvent, is_unsure: bool, now: Instant, words: PageWords) -> EventView:
    """The event in the words of one language."""
    note = {"open": words("event.going_on"), "cut": words("event.cut")}.get(event.state, "")
    return EventView(
        id=event.id, camera=event.camera, kind=kind_of(event.kind, event.code, event.label, words),
        sign=sign_of(event.label),
        zones=words("event.zones", zones=", ".join(event.zones)) if event.zones else "",
        day=words.day(event.wall_ms, now.wall_ms), clock=words.clock(event.wall_ms),
        clock_s=words.clock(event.wall_ms, seconds=True), unsure=is_unsure,
        lasted=words.span(event.dur_ms) if event.dur_ms is not None else "",
        length=words.length(event.dur_ms) if event.dur_ms is not None else "", note=note,
        going_on=event.state == "open", thumb=event.thumb is not None, small=_small(event, now))


def _small(event: StoredEvent, now: Instant) -> str:
    if event.state == "open" and event.kind == "motion":
        return f"/thumbs/{event.id}-small.jpg?{now.mono_ms // 1000}"        # each time another one
    return f"/thumbs/{event.id}-small.jpg" if event.thumb else ""


def kind_of(kind: str, code: str | None, label: str | None, words: PageWords) -> str:
    """What happened; for tampering, its kind if there is a word for it, and for motion what moved."""
    done = f"tamper.{code}"
    moved = f"event.{label}" if label in NAMED else KINDS.get(kind, "event.other")
    return words(done if done in words.texts else moved)


def sign_of(label: str | None) -> str:
    """The icon of what moved; "" where nobody can tell."""
    return label if label in NAMED else ""
