"""Which events a notification reports, when, and in which words. Pure: the caller passes events, clock and texts.

Each wanted event is reported once. Events that come while nothing may or can be sent are summed up in the next
message, so that a phone never gets many late ones.
"""
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from msgspec import Struct

from agent.core.household.labels import PEOPLE, WORD_MS, WORDS, is_among
from agent.core.household.pause import WeekStretch, ends_in_min

LATE_MS = 3_600_000             # older events are reported as past; no event is waited for longer
PICTURE_MS = 20_000             # the longest wait for the end of an event, which brings its picture
WeekMinute = Callable[[int], int | None]        # of a wall time, since Monday 0:00; None if no clock is right
LocalTime = Callable[[int], datetime]       # of a wall time in milliseconds


@dataclass(frozen=True, slots=True)
class NotifyRule:
    """Which events one phone gets, and when. Empty sets mean all events; no hours mean always."""

    kinds: frozenset[str] = frozenset()         # kinds of events, or labels of motion
    cameras: frozenset[str] = frozenset()
    zones: frozenset[str] = frozenset()         # of motion: one matching zone is enough
    hours: tuple[WeekStretch, ...] = ()         # events must begin within them
    quiet: tuple[WeekStretch, ...] = ()         # nothing is sent within them
    every_ms: int = 300_000                     # between two messages
    pictures: bool = False


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """An event with the facts that notifications need."""

    id: int
    camera: str
    kind: str
    wall_ms: int                # of its start, as known now
    age_ms: int                 # since its start, on the monotonic clock if that goes back so far
    going_on: bool = False
    zones: tuple[str, ...] = ()
    code: str | None = None     # of kind "tamper"
    label: str | None = None    # its label; "": there will be none; None: not yet
    is_likely: bool = False     # the label is an early look's, and may change
    over_ms: int = 0            # since its end


class Progress(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far one phone is up to date."""

    after_id: int                   # all events up to this one are settled
    beyond: tuple[int, ...] = ()    # settled events after it, while an earlier one goes on
    sent_ms: int | None = None      # wall time of the last message


@dataclass(slots=True)
class Notification:
    """The newest event, and the number of others."""

    newest: SeenEvent
    since_ms: int                               # wall time of the earliest
    more: Counter[str] = field(default_factory=Counter)     # events except the newest, by camera

    @property
    def events_n(self) -> int:
        return 1 + self.more.total()

    @property
    def is_late(self) -> bool:
        return self.newest.age_ms >= LATE_MS


class Stand(Enum):
    """How a rule treats an event."""

    UNWANTED = "unwanted"
    UNDECIDED = "undecided"     # it goes on: its picture or a zone may still come
    DUE = "due"


def stand(rule: NotifyRule, event: SeenEvent, week_min: WeekMinute) -> Stand:
    """Applies the rule to an event. Without a right clock hours do not apply: too much is better than nothing."""
    week = week_min(event.wall_ms) if rule.hours else None
    if ((week is not None and ends_in_min(rule.hours, week) is None)
            or (rule.cameras and event.camera not in rule.cameras)):
        return Stand.UNWANTED
    is_over = not event.going_on or event.age_ms >= LATE_MS
    if (by_kind := _by_kind(rule, event)) is not Stand.DUE:
        return by_kind
    if rule.zones and event.kind == "motion" and rule.zones.isdisjoint(event.zones):
        return Stand.UNWANTED if is_over else Stand.UNDECIDED
    return Stand.DUE if is_over or not rule.pictures or event.age_ms >= PICTURE_MS else Stand.UNDECIDED


def _by_kind(rule: NotifyRule, event: SeenEvent) -> Stand:
    if not rule.kinds or event.kind in rule.kinds:
        return Stand.DUE
    if event.kind != "motion" or rule.kinds.isdisjoint(WORDS):
        return Stand.UNWANTED
    if event.label in rule.kinds:
        return Stand.DUE
    return {True: Stand.DUE, False: Stand.UNWANTED, None: Stand.UNDECIDED}[
        is_among(rule.kinds, _final(event), _may_be_named(event))]


def _final(event: SeenEvent) -> str | None:
    """Returns the label that will not change: a likely one holds nothing back."""
    return None if event.is_likely else event.label


def _may_be_named(event: SeenEvent) -> bool:
    return (event.going_on or event.over_ms < WORD_MS) and event.age_ms < LATE_MS


def of_people(events: Iterable[SeenEvent]) -> list[int] | None:
    """Returns the events for a ward that may know only of people and vehicles; None if a label may still come."""
    found = []
    for event in events:
        counts = event.kind != "motion" or is_among(PEOPLE, _final(event), _may_be_named(event))
        if counts is None:
            return None
        if counts:
            found.append(event.id)
    return found


def pause_ms(rule: NotifyRule, progress: Progress, now_wall_ms: int, week_min: int | None) -> int:
    """Returns how long nothing may be sent, in ms: quiet hours, or a message just went out. 0: send now."""
    quiet_min = ends_in_min(rule.quiet, week_min) if week_min is not None else None
    if quiet_min is not None:
        return max(1, quiet_min * 60_000 - now_wall_ms % 60_000)
    since_ms = now_wall_ms - progress.sent_ms if progress.sent_ms is not None else -1
    return rule.every_ms - since_ms if 0 <= since_ms < rule.every_ms else 0  # a clock that was set back delays nothing


def gather(rule: NotifyRule, progress: Progress, events: Iterable[SeenEvent],
           week_min: WeekMinute) -> tuple[Notification | None, Progress]:
    """Returns the message that is due, and the progress once it is sent. `events` are those after `after_id`, by id."""
    message: Notification | None = None
    after_id, beyond, settled = progress.after_id, list[int](), set(progress.beyond)
    held_up = False
    for event in events:
        found = Stand.UNWANTED if event.id in settled else stand(rule, event, week_min)
        if found is Stand.UNDECIDED:
            held_up = True
            continue
        if found is Stand.DUE:
            message = _with(message, event)
        if held_up:
            beyond.append(event.id)
        else:
            after_id = event.id
    return message, Progress(after_id=after_id, beyond=tuple(beyond), sent_ms=progress.sent_ms)


def _with(message: Notification | None, event: SeenEvent) -> Notification:
    if message is None:
        return Notification(event, event.wall_ms)
    message.more[message.newest.camera] += 1
    message.newest, message.since_ms = event, min(message.since_ms, event.wall_ms)
    return message


def told(message: Notification, words: Mapping[str, str], labels: Mapping[str, str], local: LocalTime,
         now_ms: int) -> tuple[str, str]:
    """Returns title and body, of the parts in `words`. `labels` has the cameras' titles. A time of another day gets its
    date."""
    newest = message.newest
    newest_told = words.get(newest.code or newest.label or "", words.get(newest.kind, words["other"])).format(
        camera=labels.get(newest.camera, newest.camera))
    time, since = (_time(local(ms), local(now_ms)) for ms in (newest.wall_ms, message.since_ms))
    counts = message.more.copy()
    if message.is_late and counts:
        counts[newest.camera] += 1
        title = words["late"].format(n=message.events_n, since=since, time=time)
        return title, words["where"].format(where=_where(counts, labels), newest=newest_told)
    body = words["in_zone" if newest.zones else "at"].format(time=time, zones=", ".join(newest.zones))
    if counts:
        body += " " + words["more"].format(n=counts.total(), since=since, where=_where(counts, labels))
    return newest_told, body


def trial(recorder: str, words: Mapping[str, str]) -> tuple[str, str]:
    """Returns title and body of a trial message. `recorder` is the recorder's title, or ""."""
    return words["trial"], words["trial_body"].format(recorder=recorder or words["recorder"])


def _where(counts: Mapping[str, int], labels: Mapping[str, str]) -> str:
    most_first = sorted(counts.items(), key=lambda each: -each[1])
    return ", ".join(f"{labels.get(camera, camera)} {n}" for camera, n in most_first)


def _time(moment: datetime, now: datetime) -> str:
    return moment.strftime("%H:%M" if moment.date() == now.date() else "%H:%M (%d/%m)")
