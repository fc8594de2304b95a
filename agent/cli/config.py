"""`taimat config init | check | show`: the configuration as a technician meets it."""
import contextlib
import json
import os
import re
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax

from agent.cli.doctor import rights
from agent.cli.exits import denied, with_sudo
from agent.cli.options import Config, Force
from agent.cli.place import UserPlaces, config_path, user_places
from agent.cli.terminal import console
from agent.config.check import key_name
from agent.config.derived import ACTS_ON, in_effect
from agent.config.load import DEFAULT_PATH, TEMPLATE, load, read_text
from agent.config.positions import Path as KeyPath
from agent.config.positions import line_of, positions
from agent.config.settings import Settings
from agent.config.source import parse_source
from agent.core.passwords import redact
from agent.host.files import write_durably
from agent.host.users import as_owner
from agent.look.device_words import consent_text
from agent.store import ward_settings
from agent.store.database import FILE, StoreError, connect

EXIT_WARNINGS = 1
COMMENT_COLUMN = 40
FOR_ALL, FOR_OWNER = 0o640, 0o600       # the file may hold cameras' passwords; on a device its group are the roles
HEADER = re.compile(r"^#?\[\[?([a-z_.]+)\]\]?")
KEY = re.compile(r"^#?([a-z_]+) = .*?(?:\s# (.*))?$")


app = typer.Typer(no_args_is_help=True)
NewFile = Annotated[Path | None, typer.Argument(
    metavar="[FILE]", show_default=False, help="Where to; without it, where taimat looks for it.")]


def notes(template: Path = TEMPLATE) -> dict[str, str]:
    """The comment of every key that has one in `template`, by its dotted name: "camera.motion.fps"."""
    found: dict[str, str] = {}
    table = ""
    for line in template.read_text(encoding="utf-8").splitlines():
        if header := HEADER.match(line):
            table = header[1]
        elif (key := KEY.match(line)) and key[2]:
            found[f"{table}.{key[1]}"] = key[2]
    return found


@app.command()
def init(path: NewFile = None, force: Force = False) -> None:
    """Write a first configuration with every key explained, and say what to do next."""
    mine = user_places()
    target = (path or mine.config).absolute()
    try:
        if not force and _is_there(target):
            raise StoreError(f"{target}: is already there and was left as it is; use --force to replace it, or edit it")
        target.parent.mkdir(parents=True, exist_ok=True)
        write_durably(target, _fitted(mine).encode(), FOR_ALL if os.getuid() == 0 else FOR_OWNER)
        if os.getuid() == 0:
            os.chown(target, -1, target.parent.stat().st_gid)
    except OSError as error:
        remedy = "" if denied(error) else "; choose another place: taimat config init FILE"
        raise StoreError(f"{target}: {error.strerror}{remedy}") from error
    out = console()
    out.print(f"[green]wrote[/green] {escape(str(target))}")
    out.print(escape(_next(mine, target)))


def _is_there(path: Path) -> bool:
    """Raises PermissionError where nobody but root may look."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _next(mine: UserPlaces, target: Path) -> str:
    """What to do with a new configuration; on a device the units follow it by themselves."""
    sudo = "sudo " if os.getuid() == 0 and os.environ.get("SUDO_USER") else ""
    named = "" if target == mine.config else f" --config {target}"
    steps = ["edit it: remove the '#' of a [[camera]] and give its source", f"{sudo}taimat config check{named}",
             f"{sudo}taimat doctor{named}"]
    if target != DEFAULT_PATH or rights.roles_group() is None:
        steps.append(f"{sudo}taimat run{named}")
    numbered = [f"{number}. {step}" for number, step in enumerate(steps, 1)]
    return "next: " + "\n      ".join(numbered)


def _fitted(mine: UserPlaces) -> str:
    """The template with this user's folders."""
    text = TEMPLATE.read_text(encoding="utf-8")
    folders = {"folder": mine.store, "runtime": mine.runtime}
    return re.sub(r'^(folder|runtime) = "[^"]*"', lambda key: f"{key[1]} = {toml(str(folders[key[1]]))}", text,
                  flags=re.MULTILINE)


@app.command()
def check(config: Config = None) -> None:
    """Check the configuration and the files that it names; every mistake with its line and what would be right.

    Where it joins a ward, it says what that means.
    """
    path = config_path(config)
    settings = load(path)
    found = positions(read_text(path))
    warnings = [f"{path}:{line_of(found, key) or 1}: {key_name(key)}: {text}" for key, text in _missing(settings)]
    warnings += [f"{told.text}: {told.remedy}" for told in rights.passwords(settings, path)]
    for warning in warnings:
        print(redact(warning), file=sys.stderr)
    verdict = "[yellow]valid, but see above[/yellow]" if warnings else "[green]ok[/green]"
    out = console()
    out.print(f"{verdict}  {escape(f'{path}: {_in_short(settings)}')}")
    if settings.ward.enabled:
        out.print(f"\n{escape(consent_text(settings.device.language))}", end="")
    if warnings:
        raise typer.Exit(EXIT_WARNINGS)


def _in_short(settings: Settings) -> str:
    cameras_n, ward, web = sum(camera.enabled for camera in settings.camera), settings.ward, settings.web
    return ", ".join((f"{cameras_n or 'no'} camera{'s' if cameras_n != 1 else ''}",
                      f"ward {ward.ward} at {ward.host}:{ward.port}" if ward.enabled else "no ward",
                      f"page on {web.listen}:{web.port}" if web.enabled else "no page"))


def _missing(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    """Files that the settings name and this user can't use, each with the remedy; and that nothing is recorded."""
    if not any(camera.enabled for camera in settings.camera):
        yield ("camera",), "there is none (or none is enabled), so nothing is recorded: add a [[camera]]"
    for index, camera in enumerate(settings.camera):
        spec = parse_source(camera.source)
        if camera.enabled and spec.scheme in ("file", "v4l2") and (trouble := _trouble(spec.target)):
            yield ("camera", index, "source"), trouble
    for table, keys in (("ward", ("ca", "cert", "key", "password_file")), ("home", ("ca", "password_file"))):
        values = getattr(settings, table)
        for key in keys if values.enabled else ():
            if (named := getattr(values, key)) and (trouble := _trouble(named)):
                yield (table, key), trouble
    for index, each in enumerate(settings.notify):
        if trouble := _trouble(each.url_file):
            yield ("notify", index, "url_file"), trouble
    if settings.update.release_key and (trouble := _trouble(settings.update.release_key)):
        yield ("update", "release_key"), trouble


def _trouble(name: str) -> str | None:
    path = Path(name)
    try:
        exists = path.exists()
    except OSError as error:
        return f"{name}: {error.strerror}"
    if not exists:
        return f"{name}: there is no such file; correct the path, or put it there"
    if os.access(path, os.R_OK):
        return None
    return f"{name}: this user may not read it; check it by: {with_sudo()}"


@app.command()
def show(config: Config = None) -> None:
    """Show the settings in effect, defaults included, without passwords."""
    own = load(config_path(config))
    text = redact("\n".join(document(in_effect(own, _set_by_the_ward(own)), own)))
    if sys.stdout.isatty():
        Console().print(Syntax(text, "toml", theme="ansi_dark", background_color="default", word_wrap=True))
    else:
        print(text)


def _set_by_the_ward(own: Settings) -> dict[str, Any]:
    """The ward's configuration, as the store has it; nothing where there is no store yet."""
    store = Path(own.store.folder)
    try:
        if not (store / FILE).exists():
            return {}
        with as_owner(store), contextlib.closing(connect(store)) as db:
            return ward_settings.read(db).cfg
    except (OSError, StoreError, sqlite3.Error) as error:
        remedy = f"; type: {with_sudo()}" if denied(error) else ""
        print(f"what the ward has set can't be read: {error}{remedy}", file=sys.stderr)
        return {}


def document(settings: Settings, own: Settings | None = None) -> Iterator[str]:
    """The lines of a configuration file with these settings, each key with its note; passwords are still in them.

    Where the household's `own` settings differ, the ward has set the key, and the note says so.
    """
    yours = {key: toml(_at(own, key)) for key in chain(*ACTS_ON.values())
             if _at(own, key) != _at(settings, key)} if own else {}
    for section in settings.__struct_fields__:
        for header, item in _headed(getattr(settings, section), section):
            yield header
            yield from _table(item, section, yours)
            yield ""


def _at(settings: Settings, key: str) -> Any:
    return attrgetter(key)(settings)


def _table(values: msgspec.Struct, name: str, yours: Mapping[str, str]) -> Iterator[str]:
    """The lines of one table; tables inside it come last."""
    told, inner = notes(), []
    for field in msgspec.structs.fields(type(values)):
        value = getattr(values, field.name)
        if _holds_tables(value):
            inner.append((value, f"{name}.{field.name}"))
            continue
        note = told.get(f"{name}.{field.name}", "")
        default = field.default if field.default is not msgspec.NODEFAULT else []       # only lists come from a factory
        if not field.required and value != default:
            note += f" (default: {toml(default)})"
        if mine := yours.get(f"{name}.{field.name}"):
            note = f"set by the ward; yours: {mine}"
        yield f"{f'{field.name} = {toml(value)}':<{COMMENT_COLUMN}} # {note}".rstrip(" #")
    for value, inner_name in inner:
        for header, item in _headed(value, inner_name):
            yield header
            yield from _table(item, inner_name, yours)


def _holds_tables(value: Any) -> bool:
    return isinstance(value, msgspec.Struct) or isinstance(value, list) and any(map(_holds_tables, value))


def _headed(value: Any, name: str) -> Iterator[tuple[str, msgspec.Struct]]:
    """A table with its header, or each of several."""
    if isinstance(value, list):
        yield from ((f"[[{name}]]", item) for item in value)
    else:
        yield f"[{name}]", value


def toml(value: Any) -> str:
    """A value of the settings as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(toml(each) for each in value)}]"
    return repr(value).removesuffix(".0")
