"""Makes a household's change in the text of a configuration, or says why not. Pure.

Only what the contract's types allow comes in here. What goes out was parsed again, is what was wanted and nothing more,
and passes the checks of `taimat config check`.
"""
import copy
import tomllib
from typing import Any

from agent.cli.setup.refusal import SettingsRefused
from agent.config import toml_text
from agent.config.load import ConfigError, parse
from agent.config.source import NETWORK, is_on_board, parse_source
from agent.core.contract.setup import CAMERAS_MAX, AddCamera, ChangeCamera, RemoveCamera, TextChange, keys_set
from agent.core.household.camera_names import RESERVED

BOM = "\ufeff"

Toml = dict[str, Any]


def changed(text: str, change: TextChange, file: str, password_file: str | None = None) -> str:
    """The text with the change made; `file` names it in what is said. Raises SettingsRefused.

    `password_file` has the password of a SetHome, if that brings one; "": there is none from now on.
    """
    keys = keys_set(change) | ({} if password_file is None else {"password_file": password_file})
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
            del cameras[_place(table, name)]
            if not cameras:
                del wanted["camera"]
        case ChangeCamera(name=name):
            _merge(cameras[_place(table, name)], keys)
        case _:
            _merge(wanted.setdefault(change.TABLE, {}), keys)
    if isinstance(change, AddCamera | ChangeCamera):
        for key in ("source", "sub"):
            _demand_camera(keys.get(key, ""))
    return wanted


def _as_camera(change: AddCamera) -> Toml:
    return {"name": change.name, **keys_set(change)}


def _merge(into: Toml, values: Toml) -> None:
    for key, value in values.items():
        if isinstance(value, dict):
            _merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


def _place(table: Toml, name: str) -> int:
    """The camera's place in the file. Raises SettingsRefused."""
    for place, camera in enumerate(table.get("camera", [])):
        if camera["name"] == name:
            return place
    raise SettingsRefused("unknown_camera", f"no camera of the configuration is called {name}")


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
