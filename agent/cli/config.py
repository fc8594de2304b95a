"""`taimat config init | check | show`."""
import contextlib
import grp
import json
import os
import re
import sqlite3
import stat
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

from agent.cli.doctor import CheckVerdict, warn
from agent.cli.exits import denied, with_sudo
from agent.cli.options import Config, Force
from agent.cli.place import UserPlaces, config_path, user_places
from agent.cli.terminal import console, count
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
GROUP = "taimat"            # the group of all roles, if the package is installed
FOR_ALL, FOR_OWNER = 0o640, 0o600       # it may hold passwords; on a device its group is the roles'
HEADER = re.compile(r"^#?\[\[?([a-z_.]+)\]\]?")
KEY = re.compile(r"^#?([a-z_]+) = .*?(?:\s# (.*))?$")

app = typer.Typer(no_args_is_help=True)
NewFile = Annotated[Path | None, typer.Argument(
    metavar="[FILE]", show_default=False, help="The file to write. Default: where taimat looks for it.")]


def notes(template: Path = TEMPLATE) -> dict[str, str]:
    """Returns the comments of `template` by the key's dotted name: "camera.motion.fps"."""
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
    """Write a first configuration that explains every key, and say what to do next."""
    mine = user_places()
    target = (path or mine.config).absolute()
    try:
        if not force and os.path.lexists(target):
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


def _next(mine: UserPlaces, target: Path) -> str:
    """Says what to do with a new configuration. On a device the units follow it by themselves."""
    sudo = "sudo " if os.getuid() == 0 and os.environ.get("SUDO_USER") else ""
    named = "" if target == mine.config else f" --config {target}"
    steps = ["edit it: remove the '#' of a [[camera]] and give its source", f"{sudo}taimat config check{named}",
             f"{sudo}taimat doctor{named}"]
    if target != DEFAULT_PATH or roles_group() is None:
        steps.append(f"{sudo}taimat run{named}")
    numbered = [f"{number}. {step}" for number, step in enumerate(steps, 1)]
    return "next: " + "\n      ".join(numbered)


def _fitted(mine: UserPlaces) -> str:
    text = TEMPLATE.read_text(encoding="utf-8")
    folders = {"folder": mine.store, "runtime": mine.runtime}
    return re.sub(r'^(folder|runtime) = "[^"]*"', lambda key: f"{key[1]} = {toml(str(folders[key[1]]))}", text,
                  flags=re.MULTILINE)


@app.command()
def check(config: Config = None) -> None:
    """Check the configuration and the files that it names: each mistake with its line and its remedy.

    If it joins a ward, the command says what that means.
    """
    path = config_path(config)
    settings = load(path)
    found = positions(read_text(path))
    warnings = [f"{path}:{line_of(found, key) or 1}: {key_name(key)}: {text}" for key, text in _missing(settings)]
    warnings += [f"{warning.text}: {warning.remedy}" for warning in passwords(settings, path)]
    for warning in warnings:
        print(redact(warning), file=sys.stderr)
    verdict = "[yellow]valid, but see above[/yellow]" if warnings else "[green]ok[/green]"
    out, cameras_n = console(), sum(camera.enabled for camera in settings.camera)
    ward, web = settings.ward, settings.web
    short = (f"{count(cameras_n, 'camera') if cameras_n else 'no cameras'}, "
             f"{f'ward {ward.ward} at {ward.host}:{ward.port}' if ward.enabled else 'no ward'}, "
             f"{f'page on {web.listen}:{web.port}' if web.enabled else 'no page'}")
    out.print(f"{verdict}  {escape(f'{path}: {short}')}")
    if settings.ward.enabled:
        out.print(f"\n{escape(consent_text(settings.device.language))}", end="")
    if warnings:
        raise typer.Exit(EXIT_WARNINGS)


def _missing(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    """Yields named files that this user cannot use, with the remedy; and what records nothing, or costs too much."""
    if not any(camera.enabled for camera in settings.camera):
        yield ("camera",), "there is none (or none is enabled), so nothing is recorded: add a [[camera]]"
    for index, camera in enumerate(settings.camera):
        spec = parse_source(camera.source)
        if camera.enabled and spec.scheme in ("file", "v4l2") and (trouble := _trouble(spec.target)):
            yield ("camera", index, "source"), trouble
        if camera.enabled and camera.sub == camera.source:
            yield ("camera", index, "sub"), ("is the same stream as source, so each picture of it is decoded: take the "
                                             "camera's small one, or leave sub out")
    for table, keys in (("ward", ("ca", "cert", "key", "password_file")), ("home", ("ca", "password_file"))):
        values = getattr(settings, table)
        for key in keys if values.enabled else ():
            if (named := getattr(values, key)) and (trouble := _trouble(named)):
                yield (table, key), trouble
    for index, notify in enumerate(settings.notify):
        if trouble := _trouble(notify.url_file):
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


def roles_group() -> int | None:
    """Returns the id of the roles' group, if the package is installed."""
    try:
        return grp.getgrnam(GROUP).gr_gid
    except KeyError:
        return None


def passwords(settings: Settings, config: Path) -> Iterator[CheckVerdict]:
    """Warns of a configuration with cameras' passwords that others than its owner and the roles may read."""
    urls = [url for camera in settings.camera for url in (camera.source, camera.sub)]
    if urls == [redact(url) for url in urls]:
        return
    group, status = roles_group(), config.stat()
    by_all, by_group = status.st_mode & stat.S_IROTH, status.st_mode & stat.S_IRGRP and status.st_gid != group
    if by_all or by_group:
        sudo = "" if status.st_uid == os.geteuid() else "sudo "
        for_roles = group is not None and status.st_uid == 0
        chgrp = f"{sudo}chgrp {GROUP} {config} && " if for_roles and status.st_gid != group else ""
        yield warn(f"{config} holds cameras' passwords, and {'anybody' if by_all else _group(status.st_gid)} may "
                   "read it", f"{chgrp}{sudo}chmod {640 if for_roles else 600} {config}")


def _group(group: int) -> str:
    try:
        return f"group {grp.getgrgid(group).gr_name}"
    except KeyError:
        return f"group {group}"


@app.command()
def show(config: Config = None) -> None:
    """Show the settings in effect, with defaults and without passwords."""
    own = load(config_path(config))
    text = redact("\n".join(document(in_effect(own, _set_by_the_ward(own)), own)))
    if sys.stdout.isatty():
        Console().print(Syntax(text, "toml", theme="ansi_dark", background_color="default", word_wrap=True))
    else:
        print(text)


def _set_by_the_ward(own: Settings) -> dict[str, Any]:
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
    """Yields the lines of a configuration file with these settings, passwords and all, each key with its note.

    If the household's `own` settings differ, the ward has set the key, and the note says so.
    """
    yours = {key: toml(at(own)) for key in chain(*ACTS_ON.values())
             for at in [attrgetter(key)] if at(own) != at(settings)} if own else {}
    for section in settings.__struct_fields__:
        value = getattr(settings, section)
        for item in value if isinstance(value, list) else [value]:
            yield f"[[{section}]]" if isinstance(value, list) else f"[{section}]"
            yield from _table(item, section, yours)
            yield ""


def _table(values: msgspec.Struct, name: str, yours: Mapping[str, str]) -> Iterator[str]:
    """Yields the lines of one table; inner tables come last."""
    comments, inner = notes(), []
    for field in msgspec.structs.fields(type(values)):
        value = getattr(values, field.name)
        if _holds_tables(value):
            inner.append((value, f"{name}.{field.name}"))
            continue
        note = comments.get(f"{name}.{field.name}", "")
        default = field.default if field.default is not msgspec.NODEFAULT else []       # only lists come from a factory
        if not field.required and value != default:
            note += f" (default: {toml(default)})"
        if mine := yours.get(f"{name}.{field.name}"):
            note = f"set by the ward; yours: {mine}"
        yield f"{f'{field.name} = {toml(value)}':<{COMMENT_COLUMN}} # {note}".rstrip(" #")
    for value, inner_name in inner:
        for item in value if isinstance(value, list) else [value]:
            yield f"[[{inner_name}]]" if isinstance(value, list) else f"[{inner_name}]"
            yield from _table(item, inner_name, yours)


def _holds_tables(value: Any) -> bool:
    return isinstance(value, msgspec.Struct) or isinstance(value, list) and any(map(_holds_tables, value))


def toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(toml(item) for item in value)}]"
    return repr(value).removesuffix(".0")
