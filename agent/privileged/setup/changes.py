"""Makes a household's change in the text of a configuration, or says why not. Pure.

Only what the contract's types allow comes in here. What goes out was parsed again, is what was wanted and nothing more,
and passes the checks of `taimat config check`.
"""
import copy
import tomllib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from agent.config import toml_text
from agent.config.defaults import TABLE
from agent.config.load import ConfigError, parse
from agent.config.source import NETWORK, is_on_board, parse_source
from agent.core.contract.setup import (
    CAMERAS_MAX,
    AddCamera,
    ChangeCamera,
    RemoveCamera,
    RemoveNotify,
    SetNotify,
    TextChange,
    keys_set,
)
from agent.core.household.camera_names import RESERVED
from agent.privileged.setup.kept import SettingsRefused

BOM = "\ufeff"

Toml = dict[str, Any]


def changed(text: str, change: TextChange, file: str, secret: Mapping[str, str] = MappingProxyType({})) -> str:
    """The text with the change made; `file` names it in what is said. Raises SettingsRefused.

    `secret` is the key of the file where root has put the change's secret, if that brings one: "" for none from now on.
    """
    keys = keys_set(change) | secret
    mark, crlf = text.startswith(BOM), "\r\n" in text
    plain = text.removeprefix(BOM).replace("\r\n", "\n")
    try:
        parse(plain, file)
    except ConfigError as error:
        raise SettingsRefused("broken_file", str(error)) from error
    table = tomllib.loads(plain)
    step = _step(table, change)
    wanted = _altered(table, step, change, keys)
    new = plain if wanted == table else _edited(plain, step, change, keys)
    if not _says(new, wanted):
        raise SettingsRefused("broken_file", f"{file}: only a person can change what is written like this: see "
                            "taimat config init for the usual way")
    try:
        parse(new, file)
    except ConfigError as error:
        raise SettingsRefused("not_valid", str(error)) from error
    return (BOM if mark else "") + (new.replace("\n", "\r\n") if crlf else new)


def _says(text: str, wanted: Toml) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False


def _step(table: Toml, change: TextChange) -> tuple[str, str, int]:
    """What becomes of which table: add, remove or set; its name, and its place in its array, -1 for none.

    Raises SettingsRefused.
    """
    match change:
        case AddCamera(name=name):
            _demand_new(table.get("camera", []), name)
            return "add", "camera", -1
        case RemoveCamera(name=name):
            _demand_unnotified(table, name)
            return "remove", "camera", _place(table, "camera", name)
        case ChangeCamera(name=name):
            return "set", "camera", _place(table, "camera", name)
        case RemoveNotify(name=name):
            return "remove", "notify", _place(table, "notify", name)
        case SetNotify(name=name) if all(each["name"] != name for each in table.get("notify", [])):
            return "add", "notify", -1
        case SetNotify(name=name):
            return "set", "notify", _place(table, "notify", name)
    return "set", change.TABLE, -1


def _edited(text: str, step: tuple[str, str, int], change: TextChange, keys: Toml) -> str:
    """The new text. It is not believed yet."""
    verb, name, place = step
    path = (name,) if place < 0 else (name, place)
    try:
        if verb == "add":
            return toml_text.add_to_array(text, name, {"name": change.name, **keys})
        return toml_text.remove_table(text, path) if verb == "remove" else toml_text.set_key(text, path, keys)
    except (LookupError, TypeError, ValueError) as error:
        raise SettingsRefused("broken_file", f"only a person can change what is written like this: {error}") from error


def _altered(table: Toml, step: tuple[str, str, int], change: TextChange, keys: Toml) -> Toml:
    """What the file is to say. Raises SettingsRefused."""
    wanted, (verb, name, place) = copy.deepcopy(table), step
    if verb == "add":
        wanted[name] = [*wanted.get(name, []), {"name": change.name, **keys}]
    elif verb == "remove":
        del wanted[name][place]
        if not wanted[name]:
            del wanted[name]
    else:
        _merge(wanted.setdefault(name, {}) if place < 0 else wanted[name][place], keys)
    if isinstance(change, AddCamera | ChangeCamera):
        for key in ("source", "sub"):
            _demand_camera(keys.get(key, ""))
    _demand_zones(table, wanted)
    return wanted


def _merge(into: Toml, values: Toml) -> None:
    for key, value in values.items():
        if isinstance(value, dict):
            _merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


def _place(table: Toml, array: str, name: str) -> int:
    """The place in the file of the [[array]]'s table of that name. Raises SettingsRefused."""
    for place, each in enumerate(table.get(array, [])):
        if each["name"] == name:
            return place
    raise SettingsRefused("unknown_camera" if array == "camera" else "unknown_notify",
                          f"no {array} of the configuration is called {name}")


def _demand_unnotified(table: Toml, name: str) -> None:
    """That no notification is about this camera: without its name one could be about all. Raises SettingsRefused."""
    for each in table.get("notify", []):
        if name in each.get("cameras", []):
            raise SettingsRefused("camera_notified", f"[[notify]] {each['name']} names {name}: change that first")


def _demand_zones(table: Toml, wanted: Toml) -> None:
    """That no notification waits for a zone that goes, and would never come again. Raises SettingsRefused."""
    gone = _zones(table) - _zones(wanted)
    for each in wanted.get("notify", []):
        if named := gone.intersection(each.get("zones", [])):
            raise SettingsRefused("zone_notified", f"[[notify]] {each['name']} names the zone {min(named)}: "
                                  "change that first")


def _zones(table: Toml) -> set[str]:
    return {zone["name"] for camera in (table.get(TABLE, {}), *table.get("camera", []))
            for zone in camera.get("zone", [])}


def _demand_new(cameras: list[Toml], name: str) -> None:
    if len(cameras) >= CAMERAS_MAX:
        raise SettingsRefused("too_many_cameras", f"there are {CAMERAS_MAX} cameras already")
    if name in RESERVED or any(camera["name"] == name for camera in cameras):
        raise SettingsRefused("name_taken", f"{name} is taken")


def _demand_camera(source: str) -> None:
    """That a page may have that recorded: a camera, and no file of this machine. Raises SettingsRefused."""
    if not source or is_on_board(source):
        return
    try:
        if parse_source(source).scheme in NETWORK:
            return
    except ValueError as error:
        raise SettingsRefused("not_valid", str(error)) from error
    raise SettingsRefused("not_allowed", f"{source} is nothing that a page may have recorded")
