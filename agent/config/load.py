"""Loads the configuration, or reports all problems with their lines."""
import contextlib
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from agent.config import check, defaults, grammar
from agent.config.positions import line_of, positions
from agent.config.settings import Settings
from agent.config.source import parse_source
from agent.core.passwords import KEY, MASK, redact
from agent.host.files import is_own, read_plain, write_durably

DEFAULT_PATH = Path("/etc/taimat/taimat.toml")
STATE = Path("/var/lib/taimat")
TEMPLATE = Path(__file__).with_name("default.toml")
WRITTEN_URL = re.compile(r"""(?x) "(rtsps?:(?:\\.|[^"\\])*) | '(rtsps?:[^']*) | (rtsps?:[^\s"']+)""")
WANTS_PASSWORD = re.compile(rf"(?i)(?<=://)[^/]*:{re.escape(MASK)}@|{KEY}{re.escape(MASK)}&?")
UTF16 = (b"\xff\xfe", b"\xfe\xff")
EXIT_BAD_CONFIG = 78        # sysexits.h EX_CONFIG: systemd does not restart such a unit


class ConfigError(Exception):
    """The configuration cannot be used; each line is "file:line: key: what is wrong and how to fix it"."""


def read_tables(text: str, file: str, root: type[msgspec.Struct]) -> dict[str, Any]:
    """Returns the tables of a plain TOML text; `root` has the known keys. Raises ConfigError with all bad places."""
    try:
        return grammar.read(text, root)
    except grammar.GrammarError as error:
        faults = (f"{file}:{each.line}:{each.column}: {each.text}" for each in error.faults)
        raise ConfigError("\n".join(faults)) from error


def read_text(path: Path) -> str:
    """Returns the plain text of a configuration file. Raises ConfigError if it is not UTF-8, and OSError."""
    data = path.read_bytes()
    try:
        return grammar.plain(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        before = data[:error.start].decode("utf-8").split("\n")
        place = f"{path}:{len(before)}:{len(before[-1]) + 1}"
        kind = "UTF-16" if data.startswith(UTF16) else "another encoding"
        raise ConfigError(f"{place}: is written in {kind}: save the file as UTF-8 in your editor") from error


def parse(text: str, file: str) -> Settings:
    """Returns the settings in a TOML text; `file` names it in errors. Raises ConfigError with every problem."""
    text = grammar.plain(text)
    table = read_tables(text, file, Settings)
    own, common = defaults.apart(table)
    problems = [*defaults.check_common(common), *check.check_table(own, Settings)]
    if not problems:
        settings = msgspec.convert(defaults.merged(own, common), Settings)
        problems = [defaults.placed(problem, own, common) for problem in check.check_whole(settings)]
        if not problems:
            return settings
    found = positions(text)
    lines = sorted((line_of(found, p.path) or 0, f"{check.key_name(p.path)}: {p.text}") for p in problems)
    raise ConfigError("\n".join(f"{file}:{number}: {line}" if number else f"{file}: {line}" for number, line in lines))


def load(path: Path) -> Settings:
    """Returns the settings in the file at `path`. Raises ConfigError."""
    try:
        return parse(read_text(path), str(path))
    except PermissionError as error:
        raise ConfigError(f"{path}: this user may not read it") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{path} is a folder: name the file in it, as in {path / DEFAULT_PATH.name}") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; make one with: taimat config init {path}") from error


def _good_copy(path: Path) -> Path:
    """Beside the file; in STATE for a device, whose roles cannot write to /etc. Each user only trusts its own copy."""
    folder = STATE if path == DEFAULT_PATH else path.parent
    return folder / f"{path.name}.last-good.{os.geteuid()}"


def keep_as_good(path: Path) -> None:
    """Stores a valid file's settings, without passwords, as the last good ones, if the folder can be written."""
    with contextlib.suppress(OSError, ConfigError):
        settings, copy = load(path), _good_copy(path)
        for camera in settings.camera:
            camera.source, camera.sub = redact(camera.source), redact(camera.sub)
        data = msgspec.json.encode(settings)
        if not is_own(copy) or copy.read_bytes() != data:
            write_durably(copy, data, 0o600)


def last_good(path: Path) -> Settings:
    """Returns the last good settings, with the passwords of the present file. Raises OSError, MsgspecError."""
    settings = msgspec.json.decode(read_plain(_good_copy(path), owner=os.geteuid()), type=Settings)
    present: dict[str, list[str]] = {}
    with contextlib.suppress(OSError):
        for url in _urls(path.read_text(encoding="utf-8", errors="replace")):
            present.setdefault(redact(url), []).append(url)
    for camera in settings.camera:
        camera.source, camera.sub = (_with_password(url, present.get(url, [])) for url in (camera.source, camera.sub))
    return settings


def _urls(text: str) -> Iterator[str]:
    """All valid network addresses in a text that may be invalid TOML, quoted or not; those in comments last."""
    for line in sorted(text.splitlines(), key=lambda line: line.lstrip().startswith("#")):
        for found in WRITTEN_URL.finditer(line):
            with contextlib.suppress(ValueError):
                url = tomllib.loads(f'url = "{found[1]}"')["url"] if found[1] else found[2] or found[3]
                parse_source(url)
                yield url


def _with_password(url: str, present: list[str]) -> str:
    """The next present address with the password, or the address without a password."""
    if MASK not in url:
        return url
    if not present:
        return WANTS_PASSWORD.sub("", url)
    return present.pop(0) if len(present) > 1 else present[0]


def load_or_last_good(path: Path) -> tuple[Settings, str | None]:
    """Returns the settings, or the last good ones and the problems of the present file. A camera must not stop because
    of a typo. Raises ConfigError if there are no last good ones either."""
    try:
        return load(path), None
    except ConfigError as error:
        try:
            return last_good(path), str(error)
        except (OSError, msgspec.MsgspecError):
            raise error from None
