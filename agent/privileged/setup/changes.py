"""Makes a household's change in the text of a configuration, or says why not. Pure.

The contract's types limit what comes in. The new text is parsed again, differs only by the change, and passes the
checks of `taimat config check`.
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
from agent.core.contract import setup as contract
from agent.core.contract.setup import TextChange
from agent.core.household.camera_names import RESERVED
from agent.privileged.setup.kept import SettingsRefused

BOM = "\ufeff"

Toml = dict[str, Any]


def changed(text: str, change: TextChange, file: str, secret: Mapping[str, str] = MappingProxyType({})) -> str:
    """Returns the text with the change; errors name `file`. Raises SettingsRefused.

    `secret` has the key and path of the file with the change's secret, if it has one; the path is "" if it removes it.
    """
    keys = contract.keys_set(change) | secret
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
    """Returns the verb (add, remove or set), the table's name and its place in its array, or -1."""
    match change:
        case contract.AddCamera(name=name):
            _demand_new(table.get("camera", []), name)
            return "add", "camera", -1
        case contract.RemoveCamera(name=name):
            _demand_unnotified(table, name)
            return "remove", "camera", _place(table, "camera", name)
        case contract.ChangeCamera(name=name):
            return "set", "camera", _place(table, "camera", name)
        case contract.RemoveNotify(name=name):
            return "remove", "notify", _place(table, "notify", name)
        case contract.SetNotify(name=name) if all(notify["name"] != name for notify in table.get("notify", [])):
            return "add", "notify", -1
        case contract.SetNotify(name=name):
            return "set", "notify", _place(table, "notify", name)
    return "set", change.__struct_config__.tag, -1


def _edited(text: str, step: tuple[str, str, int], change: TextChange, keys: Toml) -> str:
    verb, name, place = step
    path = (name,) if place < 0 else (name, place)
    try:
        if verb == "add":
            return toml_text.add_to_array(text, name, {"name": change.name, **keys})
        return toml_text.remove_table(text, path) if verb == "remove" else toml_text.set_key(text, path, keys)
    except (LookupError, TypeError, ValueError) as error:
        raise SettingsRefused("broken_file", f"only a person can change what is written like this: {error}") from error


def _altered(table: Toml, step: tuple[str, str, int], change: TextChange, keys: Toml) -> Toml:
    wanted, (verb, name, place) = copy.deepcopy(table), step
    if verb == "add":
        wanted[name] = [*wanted.get(name, []), {"name": change.name, **keys}]
    elif verb == "remove":
        del wanted[name][place]
        if not wanted[name]:
            del wanted[name]
    else:
        _merge(wanted.setdefault(name, {}) if place < 0 else wanted[name][place], keys)
    if isinstance(change, contract.AddCamera | contract.ChangeCamera):
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
    for place, entry in enumerate(table.get(array, [])):
        if entry["name"] == name:
            return place
    raise SettingsRefused("unknown_camera" if array == "camera" else "unknown_notify",
                          f"no {array} of the configuration is called {name}")


def _demand_unnotified(table: Toml, name: str) -> None:
    """Refuses if a notification names the camera, because without the name it would be about all cameras."""
    for notify in table.get("notify", []):
        if name in notify.get("cameras", []):
            raise SettingsRefused("camera_notified", f"[[notify]] {notify['name']} names {name}: change that first")


def _demand_zones(table: Toml, wanted: Toml) -> None:
    """Refuses if a notification names a zone that goes, because it would never be sent again."""
    gone = _zones(table) - _zones(wanted)
    for notify in wanted.get("notify", []):
        if named := gone.intersection(notify.get("zones", [])):
            raise SettingsRefused("zone_notified", f"[[notify]] {notify['name']} names the zone {min(named)}: "
                                  "change that first")


def _zones(table: Toml) -> set[str]:
    return {zone["name"] for camera in (table.get(TABLE, {}), *table.get("camera", []))
            for zone in camera.get("zone", [])}


def _demand_new(cameras: list[Toml], name: str) -> None:
    if len(cameras) >= contract.CAMERAS_MAX:
        raise SettingsRefused("too_many_cameras", f"there are {contract.CAMERAS_MAX} cameras already")
    if name in RESERVED or any(camera["name"] == name for camera in cameras):
        raise SettingsRefused("name_taken", f"{name} is taken")


def _demand_camera(source: str) -> None:
    """Refuses everything but cameras: a page must not record a file of this machine."""
    if not source or is_on_board(source):
        return
    try:
        if parse_source(source).scheme in NETWORK:
            return
    except ValueError as error:
        raise SettingsRefused("not_valid", str(error)) from error
    raise SettingsRefused("not_allowed", f"{source} is no camera, and the page may add only cameras")
