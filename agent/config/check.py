"""Checks a configuration against the typed settings, and reports all problems at once."""
import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from agent.config import notifications, places, zones
from agent.config.positions import Path
from agent.config.settings import Camera, Polygon, Sensor, Settings, Sharing
from agent.config.source import RAW, parse_source
from agent.core.household.pause import all_hours
from agent.core.household.sharing_rules import STRICTEST_FIRST
from agent.core.passwords import redact

UNITS = {"_ms": "milliseconds", "_s": "seconds", "_m": "metres", "_ev": "stops", "_pct": "percent",
         "_gb": "gigabytes", "_tb": "terabytes", "_kbps": "kilobits a second", "_days": "days", "_h": "hours",
         "fps": "pictures a second"}
PURPOSE = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")       # of a ward's request
NO_PASSWORD = "needs password_file: a file with only the password in it, readable by the link role only"
TYPES = {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One problem in the configuration, and how to fix it."""

    path: Path
    text: str


def key_name(path: Path) -> str:
    """Returns a path as a person writes it: camera[0].motion.fps; tables of an array count from 1."""
    name = ""
    for part in path:
        name += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if name else part
    return name


def _header(path: Path) -> str:
    """A path as in a table's header, without numbers: camera.motion."""
    return ".".join(part for part in path if isinstance(part, str))


def _stem(key: str) -> str:
    return next((key.removesuffix(unit) for unit in UNITS if unit.startswith("_") and key.endswith(unit)), key)


def nearest(key: str, known: list[str]) -> str | None:
    """Returns the known key that was most likely meant: first the same word with another unit, then close spelling."""
    import difflib  # imported here, because a running process does not need it

    same = [name for name in known if _stem(name) == _stem(key)]
    close = same or difflib.get_close_matches(key, known, 1, 0.6)
    return close[0] if close else None


def _split(kind: Any) -> tuple[Any, list[msgspec.Meta]]:
    if get_origin(kind) is Annotated:
        return get_args(kind)[0], [m for m in get_args(kind)[1:] if isinstance(m, msgspec.Meta)]
    return kind, []


def expects(key: str, kind: Any) -> str:
    """Describes the values of a key in words: "a number of seconds from 0 to 30"."""
    kind, metas = _split(kind)
    if get_origin(kind) is Literal:
        return " or ".join(f'"{choice}"' for choice in get_args(kind))
    if kind == list[str]:
        return "a list of texts in quotes"
    if get_origin(kind) is list and get_origin(get_args(kind)[0]) is Literal:
        return f"a list of {expects(key, get_args(kind)[0])}"
    if kind == Polygon:
        return "a list of [x, y] corners with 0 <= x, y <= 1"
    if get_origin(kind) is list:
        return "a list of areas, each a list of [x, y] corners with 0 <= x, y <= 1"
    text = TYPES.get(kind, str(kind))
    units = (name for suffix, name in UNITS.items() if key.endswith(suffix))
    unit = next(units, None) if kind in (int, float) else None
    text += f" of {unit}" if unit else ""
    for meta in metas:
        low = meta.ge if meta.ge is not None else meta.gt
        high = meta.le if meta.le is not None else meta.lt
        if low is not None and high is not None:
            text += f" above {low:g}, at most {high:g}" if meta.ge is None else f" from {low:g} to {high:g}"
        elif low is not None:
            text += f", at least {low:g}"
        if meta.max_length is not None:
            text += f" of at most {meta.max_length} characters"
        text += f": {meta.description}" if meta.description else ""
    return text


def check_table(table: Any, kind: type[msgspec.Struct], path: Path = ()) -> Iterator[ConfigProblem]:
    """Yields unknown keys and wrong values of `table` (parsed TOML) and the tables in it."""
    if not isinstance(table, dict):
        yield ConfigProblem(path, f"must be a table: write [{_header(path)}]")
        return
    hints = typing.get_type_hints(kind, include_extras=True)
    for key, value in table.items():
        here = (*path, key)
        if key not in hints:
            yield ConfigProblem(here, f"unknown key; {_meant(key, hints, path)}")
        else:
            yield from _check_value(value, hints[key], here)
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in table:
            yield ConfigProblem((*path, field.name), f"is missing: it takes {expects(field.name, hints[field.name])}")


def _meant(key: str, hints: dict[str, Any], path: Path) -> str:
    name = nearest(key, list(hints))
    if not path and (table := _table_of(key, hints)):
        return f"it stands below the line {table}, and not before the first of these lines"
    if name is None:
        return "known here: " + ", ".join(hints)
    return f"did you mean {name}?" if _is_table(hints[name]) else f"did you mean {name}, {expects(name, hints[name])}?"


def _table_of(key: str, hints: dict[str, Any]) -> str | None:
    """The header of the first table that has this key."""
    for name, kind in hints.items():
        inner = get_args(kind)[0] if get_origin(kind) is list else kind
        if key in typing.get_type_hints(inner):
            return f"[{name}]" if inner is kind else f"[[{name}]]"
    return None


def _is_table(kind: Any) -> bool:
    kind = get_args(kind)[0] if get_origin(kind) is list else kind
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _check_value(value: Any, kind: Any, here: Path) -> Iterator[ConfigProblem]:
    bare, _ = _split(kind)
    if get_origin(bare) is list and _is_table(bare):
        if not isinstance(value, list):
            yield ConfigProblem(here, f"is one of several: write [[{_header(here)}]]")
            return
        for index, item in enumerate(value):
            yield from check_table(item, get_args(bare)[0], (*here, index))
    elif _is_table(bare):
        yield from check_table(value, bare, here)
    else:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            yield ConfigProblem(here, f"takes {expects(str(here[-1]), kind)}; it is {redact(repr(value))}")


def check_whole(settings: Settings) -> Iterator[ConfigProblem]:
    """Yields problems between values: names used twice, keys that do not fit together."""
    own = [*((("sharing", key), text) for key, text in sharing_faults(settings.sharing)),
           *((("home", key), text) for key, text in home_faults(settings))]
    for path, text in (*_cameras(settings), *_ward(settings), *places.faults(settings), *notifications.faults(settings),
                       *own):
        yield ConfigProblem(path, text)


def _cameras(settings: Settings) -> Iterator[tuple[Path, str]]:
    seen: set[str] = set()
    labels: set[str] = set()
    for index, camera in enumerate(settings.camera):
        path: Path = ("camera", index)
        if camera.label.casefold() in labels and camera.name not in seen:
            yield (*path, "title"), f'"{camera.label}" is the title of another camera, too: they look alike'
        if camera.name in seen:
            yield (*path, "name"), f'"{camera.name}" is taken by another camera: each needs a name of its own'
        seen.add(camera.name)
        labels.add(camera.label.casefold())
        yield from (((*path, *key), text) for key, text in _camera(camera))


def _ward(settings: Settings) -> Iterator[tuple[Path, str]]:
    if bool(settings.ward.cert) != bool(settings.ward.key):
        yield ("ward", "cert"), "cert and key go together: give both files or neither"
    if settings.ward.user and not settings.ward.password_file:
        yield ("ward", "user"), NO_PASSWORD
    if len(settings.store.runtime) > 65:
        yield ("store", "runtime"), "is too long for a socket's name: at most 65 characters"


def _camera(camera: Camera) -> Iterator[tuple[Path, str]]:
    try:
        spec = parse_source(camera.source)
    except ValueError as error:
        yield ("source",), str(error)
        return
    raw = spec.scheme in RAW
    if camera.sub:
        try:
            if parse_source(camera.sub).scheme != spec.scheme:
                raise ValueError(f"must be of the same kind as source ({spec.scheme})")
        except ValueError as error:
            yield ("sub",), str(error)
        if raw:
            yield ("sub",), f"is for network cameras: a {spec.scheme} camera makes its own small picture"
    if camera.loop and spec.scheme != "file":
        yield ("loop",), "is for file sources: a camera has no end to start over from"
    if camera.masks and not raw and camera.privacy_mask == "paint":
        yield ("masks",), ("can't be painted into video that arrives encoded, and what you mask must never be stored. "
                           'Either set privacy_mask = "transcode": we decode, paint and encode it (taimat doctor '
                           "shows the cost); or set the mask in the camera's own menu, and say so by privacy_mask = "
                           '"camera"')
    if raw and camera.privacy_mask != "paint":
        yield ("privacy_mask",), (f"is for video that arrives encoded: the masks of a {spec.scheme} camera are painted "
                                  'before encoding; leave it at "paint"')
    try:
        all_hours(camera.off)
    except ValueError as error:
        yield ("off",), str(error)
    if spec.scheme != "picamera" and camera.sensor != Sensor():
        yield ("sensor",), f"is for Raspberry Pi cameras: a {spec.scheme} camera is set in its own menu"
    if camera.sensor.night_fps > camera.fps:
        yield ("sensor", "night_fps"), f"is for the dark: at most fps, which is {camera.fps}"
    if camera.sensor.focus_m and camera.sensor.focus != "fixed":
        yield ("sensor", "focus_m"), 'needs focus = "fixed": else the lens looks for itself'
    if camera.audio and raw:
        yield ("audio",), f"is for network cameras and files: a {spec.scheme} camera brings no sound"
    yield from ((fault.path, fault.text) for fault in zones.faults(camera))


def sharing_faults(sharing: Sharing) -> Iterator[tuple[str, str]]:
    seen: dict[str, str] = {}
    for rule in STRICTEST_FIRST:
        for purpose in getattr(sharing, rule):
            if not PURPOSE.match(purpose):
                yield rule, f'"{purpose}" is not a purpose: write words such as "theft" or "missing-person"'
            elif seen.setdefault(purpose, rule) != rule:
                yield rule, f'"{purpose}" is under {seen[purpose]} already: a purpose has one rule'


def home_faults(settings: Settings) -> Iterator[tuple[str, str]]:
    home, ward = settings.home, settings.ward
    if home.enabled and ward.enabled and places.same_place((home.host, home.port), (ward.host, ward.port)):
        yield "host", ("is the ward's broker ([ward] host and port), which must not get what is for the household: "
                       "name the household's own broker")
    if home.user and not home.password_file:
        yield "user", NO_PASSWORD
