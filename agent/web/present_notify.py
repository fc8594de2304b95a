"""Notifications in words, and what their forms ask for. Pure."""
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.config.settings import Camera, Notify
from agent.host.clock import Instant
from agent.look.words import PageWords
from agent.store.notify import NotifyTrial, PlaceState
from agent.web.present_camera import hours_text

DAILY = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d)\Z")
TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d\Z")
ADDRESS = re.compile(r"[a-z][a-z0-9+]{0,15}://\S{1,980}\Z", re.IGNORECASE)
TRIAL_MS = 120_000          # Apprise takes a Zero some seconds, and a silent service as many
NAME_N_MAX, ADDRESS_N_MAX = 40, 1000
PAUSES_MIN = (1, 5, 15, 30, 60)
KINDS = {"motion": ["motion"], "known": ["person", "vehicle"], "tamper": ["tamper"]}     # what a form can choose
SERVICES = {"ntfy": "ntfy", "ntfys": "ntfy", "mailto": "mail", "mailtos": "mail", "json": "webhook", "jsons": "webhook"}
HOURS = ("hours", "quiet")


class BadForm(Exception):
    """What is wrong with what somebody typed: the key of a sentence below `problem`."""


@dataclass(frozen=True, slots=True)
class PlaceLine:
    """A place that gets notifications, as the list shows it."""

    n: int                      # its place in the configuration, from 1 on
    name: str
    service: str                # what its address says of itself
    told: str                   # of what it hears
    fault: str = ""             # why the last message did not arrive
    arrived: str = ""           # when one did


@dataclass(frozen=True, slots=True)
class TrialView:
    """How a trial fares: waits, arrived or failed."""

    state: str
    to: str
    told: str


def trial_view(ordered: NotifyTrial, state: PlaceState | None, now: Instant, words: PageWords) -> TrialView:
    """The newest trial in words."""
    if state and state.trial == ordered.id:
        if not state.trial_fault:
            return TrialView("arrived", ordered.to, words("notify.trial_arrived"))
        return TrialView("failed", ordered.to, words(f"notify.fault.{state.trial_fault}") + _code(state.trial_status))
    if ordered.boot != now.boot or now.mono_ms - ordered.mono_ms > TRIAL_MS:
        return TrialView("failed", ordered.to, words("notify.trial_late"))
    return TrialView("waits", ordered.to, words("notify.trial_waits"))


def place_line(n: int, place: Notify, service: str, state: PlaceState | None, cameras: Sequence[Camera],
               now_ms: int, words: PageWords) -> PlaceLine:
    """The place in words."""
    labels = {camera.name: camera.label for camera in cameras}
    told = [words(f"notify.kind.{kind_of(place)}"),
            ", ".join(labels.get(name, name) for name in place.cameras) or words("notify.all_cameras")]
    if place.zones:
        told.append(words("event.zones", zones=", ".join(place.zones)))
    told += [words(f"notify.{key}_told", hours=hours_text(lines, words))
             for key in HOURS if (lines := getattr(place, key))]
    told.append(words("notify.with_picture" if place.pictures else "notify.without_picture"))
    why = words(f"notify.fault.{state.fault}") if state and state.fault else ""
    fault = words("notify.waits", why=why) + _code(state.status) if state and why else ""
    sent_ms = state.progress.sent_ms if state else None
    arrived = words("notify.arrived", when=words.moment(sent_ms, now_ms)) if sent_ms and not fault else ""
    kind = SERVICES.get(service, "")
    return PlaceLine(n, place.name, words(f"notify.way.{kind}") if kind else service, " · ".join(told), fault, arrived)


def _code(status: int | None) -> str:
    """For a technician: with what HTTP or SMTP has refused it."""
    return f" ({status})" if status else ""


def kind_of(place: Notify) -> str:
    """The form's choice that the place's kinds are; "chosen" for those of the configuration's own."""
    if not place.kinds or {"motion", "tamper"} <= {*place.kinds}:
        return "both"
    return next((kind for kind, its in KINDS.items() if {*its} == {*place.kinds}), "chosen")


def values_of(place: Notify | None, cameras: Sequence[Camera]) -> dict[str, str]:
    """The form of a place; of a new one for None."""
    if place is None:
        place = Notify(name="-", url_file="")
    values = {"at_most_every_min": str(place.at_most_every_min),
              "kind": kind_of(place)}
    values |= {f"camera-{each.name}": "on" for each in cameras if not place.cameras or each.name in place.cameras}
    values |= {f"zone-{zone}": "on" for zone in place.zones}
    for key in HOURS:
        if daily := _daily(getattr(place, key)):
            values |= {f"{key}_begin": daily[0], f"{key}_end": daily[1]}
    return values | ({"pictures": "on"} if place.pictures else {})


def other_hours(place: Notify | None, words: PageWords) -> dict[str, str]:
    """Hours that are more than the form can show, in words: they stay unless others are typed."""
    return {key: hours_text(lines, words) for key in HOURS
            if place and (lines := getattr(place, key)) and not _daily(lines)}


def keys_from(form: Mapping[str, str], place: Notify | None, cameras: Sequence[Camera]) -> dict[str, Any]:
    """The keys that a form sets, but name and address. Raises BadForm."""
    chosen = [each.name for each in cameras if f"camera-{each.name}" in form]
    if cameras and not chosen:
        raise BadForm("no_camera_chosen")
    minutes, kind = form.get("at_most_every_min", ""), form.get("kind", "")
    if not (minutes.isascii() and minutes.isdecimal() and 0 < int(minutes[:5]) <= 1440):
        raise BadForm("not_valid")
    keys: dict[str, Any] = {
        "kinds": place.kinds if place and kind == "chosen" else KINDS.get(kind, []),
        "cameras": chosen if len(chosen) < len(cameras) else [],
        "zones": [zone for zone in zones_of(cameras) if f"zone-{zone}" in form],
        "at_most_every_min": int(minutes), "pictures": "pictures" in form}
    for key in HOURS:
        keys[key] = _hours_from(form, key, getattr(place, key) if place else [])
    return keys


def zones_of(cameras: Sequence[Camera]) -> list[str]:
    """The names of all zones that make events."""
    return list(dict.fromkeys(zone.name for camera in cameras for zone in camera.zone if zone.rule != "ignore"))


def _daily(lines: Sequence[str]) -> tuple[str, str] | None:
    found = DAILY.match(lines[0]) if len(lines) == 1 else None
    return (found[1], found[2]) if found else None


def _hours_from(form: Mapping[str, str], key: str, before: Sequence[str]) -> list[str]:
    begin, end = (form.get(f"{key}_{each}", "").strip() for each in ("begin", "end"))
    if not begin and not end:
        return [] if _daily(before) else list(before)
    if not (TIME.match(begin) and TIME.match(end)) or begin == end:
        raise BadForm("bad_times")
    return [f"{begin}-{end}"]
