"""The ward's own settings: one small TOML file, checked like a recorder's, every mistake with its line and remedy."""
import tomllib
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from agent.config.check import Problem, check_table, key_name
from agent.config.load import ConfigError
from agent.config.positions import line_of, positions
from agent.config.settings import Log, Name

TEMPLATE = Path(__file__).with_name("default.toml")
DATABASES = ("sqlite", "postgresql")


class Ward(Struct, kw_only=True, forbid_unknown_fields=True):
    """The ward, its broker, and who the ingest is to it."""

    ward: Name = "w00"
    host: str = "localhost"
    port: Annotated[int, Meta(ge=1, le=65535)] = 8883
    tls: bool = True
    ca: str = ""
    cert: str = ""
    key: str = ""
    user: str = ""
    password_file: str = ""
    keepalive_s: Annotated[int, Meta(ge=5, le=600)] = 60
    devices_file: str = ""


class Database(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where what devices tell is kept."""

    url: str = "sqlite:////var/lib/taimat-ward/ward.db"
    health_days: Annotated[int, Meta(ge=1, le=3650)] = 30


class Metrics(Struct, kw_only=True, forbid_unknown_fields=True):
    """Figures for Prometheus."""

    enabled: bool = True
    listen: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 9464


class Settings(Struct, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    ward: Ward = field(default_factory=Ward)
    database: Database = field(default_factory=Database)
    metrics: Metrics = field(default_factory=Metrics)
    log: Log = field(default_factory=Log)


def parse(text: str, file: str) -> Settings:
    """The settings in a TOML text; `file` names it in errors. Raises ConfigError with every problem found."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: {error}") from error
    problems = list(check_table(table, Settings))
    if not problems:
        settings = msgspec.convert(table, Settings)
        problems = list(_check_whole(settings))
        if not problems:
            return settings
    found = positions(text)
    lines = sorted((line_of(found, each.path) or 1, f"{key_name(each.path)}: {each.text}") for each in problems)
    raise ConfigError("\n".join(f"{file}:{number}: {line}" for number, line in lines))


def load(path: Path) -> Settings:
    """The settings in the file at `path`. Raises ConfigError."""
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; make one with: taimat ward init --config {path}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not a UTF-8 text (byte {error.start})") from error


def _check_whole(settings: Settings) -> Iterator[Problem]:
    """What no single value shows."""
    ward = settings.ward
    if bool(ward.cert) != bool(ward.key):
        yield Problem(("ward", "cert"), "cert and key go together: give both files or neither")
    if ward.user and not ward.password_file:
        yield Problem(("ward", "user"), "needs password_file: a file that holds the password alone")
    parts = urllib.parse.urlsplit(settings.database.url)
    if parts.scheme not in DATABASES:
        yield Problem(("database", "url"), 'takes "sqlite:////path/to/ward.db" or "postgresql://user@host/name"')
    elif parts.scheme == "sqlite" and not parts.path.startswith("//"):
        yield Problem(("database", "url"), "takes the whole path, so four slashes: sqlite:////path/to/ward.db")
