"""Makes a household's change in the text of a configuration, or says why not. Pure.

Only what the contract's types allow comes in here. What goes out was parsed again, is what was wanted and nothing more,
and passes the checks of `taimat config check`.
"""
import copy
import tomllib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from agent.cli.setup.refusal import SettingsRefused
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
    wanted = _altered(table, change, keys)
    new = plain if wanted == table else _edited(plain, table, change, keys)
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


def _edited(text: str, table: Toml, change: TextChange, keys: Toml) -> str:
    """The new text. It is not believed yet."""
    try:
        match change:
            case AddCamera():
                return toml_text.add_to_array(text, "camera", _as_camera(change))
            case RemoveCamera(name=name):
                return toml_text.remove_table(text, ("camera", _place(table, name)))
            case ChangeCamera(name=name):
                return toml_text.set_key(text, ("camera", _place(table, name)), keys)
            case RemoveNotify(name=name):
                return toml_text.remove_table(text, ("notify", _place(table, name, "notify")))
            case SetNotify(name=name) if _has(table, name):
                return toml_text.set_key(text, ("notify", _place(table, name, "notify")), keys)
            case SetNotify(name=name):
                return toml_text.add_to_array(text, "notify", {"name": name, **keys})
        return toml_text.set_key(text, (change.TABLE,), keys)
    except (LookupError, TypeError, ValueError) as error:
        raise SettingsRefused("broken_file", f"only a person can change what is written like this: {error}") from error


def _altered(table: Toml, change: TextChange, keys: Toml) -> Toml:
    """What the file is to say. Raises SettingsRefused."""
    wanted = copy.deepcopy(table)
    cameras: list[Toml] = wanted.get("camera", [])
    match change:
        case AddCamera(name=name):
            _demand_new(cameras, name)
            wanted["camera"] = [*cameras, _as_camera(change)]
        case RemoveCamera(name=name):
            _demand_unnotified(table, name)
            del cameras[_place(table, name)]
            if not cameras:
                del wanted["camera"]
        case RemoveNotify(name=name):
            there = _place(table, name, "notify")
            del wanted["notify"][there]
            if not wanted["notify"]:
                del wanted["notify"]
        case SetNotify(name=name) if _has(table, name):
            _merge(wanted["notify"][_place(table, name, "notify")], keys)
        case SetNotify(name=name):
            wanted["notify"] = [*wanted.get("notify", []), {"name": name, **keys}]
        case ChangeCamera(name=name):
            _merge(cameras[_place(table, name)], keys)
        case _:
            _merge(wanted.setdefault(change.TABLE, {}), keys)
    if isinstance(change, AddCamera | ChangeCamera):
        for key in ("source", "sub"):
            _demand_camera(keys.get(key, ""))
    _demand_zones(table, wanted)
    return wanted


def _as_camera(change: AddCamera) -> Toml:
    return {"name": change.name, **keys_set(change)}


def _merge(into: Toml, values: Toml) -> None:
    for key, value in values.items():
        if isinstance(value, dict):
            _merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


def _place(table: Toml, name: str, array: str = "camera") -> int:
    """The place in the file of the [[array]]'s table of that name. Raises SettingsRefused."""
    for place, each in enumerate(table.get(array, [])):
        if each["name"] == name:
            return place
    raise SettingsRefused("unknown_camera" if array == "camera" else "unknown_notify",
                          f"no {array} of the configuration is called {name}")


def _has(table: Toml, name: str) -> bool:
    return any(each["name"] == name for each in table.get("notify", []))


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
    """The names of all zones of all cameras."""
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
