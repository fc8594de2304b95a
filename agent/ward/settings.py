"""The settings of a ward's end: one TOML file; every mistake is reported with its line and a remedy."""
import os
import re
import time
import urllib.parse
import zoneinfo
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct, field

from agent.config.check import ConfigProblem, check_table, key_name
from agent.config.grammar import plain
from agent.config.load import ConfigError, read_tables, read_text
from agent.config.positions import line_of, positions
from agent.config.settings import Log, Name

ID = re.compile(r"([a-z0-9-]{1,24}/)?[a-z0-9-]{1,64}")
MAINTENANCE = "maintenance"


class Roster(NamedTuple):
    devices: tuple[str, ...] = ()
    maintained: frozenset[str] = frozenset()


def read_roster(file: str) -> Roster:
    """Reads the devices in `file`; "" lists none. Raises ConfigError."""
    if not file:
        return Roster()
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "is not a UTF-8 text"
        raise ConfigError(f"[ward] devices_file: {file}: {cause}; correct the path, or put the file there") from error
    found: dict[str, bool] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].replace(",", " ").split()
        if words and not ID.fullmatch(words[0]):
            raise ConfigError(f"{file}:{number}: a device's id is made of a-z, 0-9 and '-', as in c-7f3a9c21b04d")
        found |= {word: words[1:2] == [MAINTENANCE] for word in words[:1]}
    return Roster(tuple(found), frozenset(dev for dev, maintained in found.items() if maintained))


TEMPLATE = Path(__file__).with_name("default.toml")
DATABASES = ("sqlite", "postgresql")
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,23}")
UPLOADS_PATH = "/exports"
UPLOADS = re.compile(rf"https://[!-~]{{1,280}}(?<!/){UPLOADS_PATH}")
ALL = "all"                     # of the city's wards
SECRETS = (("ward", "key"), ("ops", "key"), ("ops", "command_key"), ("desk", "key"), ("intake", "receipt_key"),
           ("city", "key"))


class _Account(Struct, kw_only=True, forbid_unknown_fields=True):
    cert: str = ""
    key: str = ""
    user: str = ""
    password_file: str = ""


class _Broker(Struct, kw_only=True, forbid_unknown_fields=True):
    host: str = ""
    port: Annotated[int, Meta(ge=1, le=65535)] = 8883
    tls: bool = True
    ca: str = ""
    cert: str = ""
    key: str = ""
    user: str = ""
    password_file: str = ""
    keepalive_s: Annotated[int, Meta(ge=5, le=600)] = 60


class Ward(_Broker, kw_only=True, forbid_unknown_fields=True):
    """The ward, its broker, and the ingest's account there."""

    ward: Name = "w00"
    zone: str = "Asia/Ho_Chi_Minh"
    wards: list[str] = field(default_factory=list)
    shared: bool = False
    name: Name = "ingest"
    host: str = "localhost"
    devices_file: str = ""


class Ops(_Account, kw_only=True, forbid_unknown_fields=True):
    """The account for orders at the ward's broker, and the key that signs them."""

    command_key: str = ""


class Desk(_Account, kw_only=True, forbid_unknown_fields=True):
    """The page for officers, and its account at the ward's broker."""

    socket: str = "/run/ward-taimat-desk.sock"
    language: Literal["vi", "en"] = "vi"


class Intake(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where devices upload, and where the uploads are kept."""

    socket: str = "/run/ward-taimat-intake.sock"
    url: str = ""
    crl: str = ""
    receipt_key: str = ""
    folder: str = "/var/lib/taimat-ward/exports"
    max_gb: Annotated[float, Meta(gt=0, le=1000)] = 8
    free_gb: Annotated[float, Meta(ge=0)] = 5
    metrics_port: Annotated[int, Meta(ge=1, le=65535)] = 9466


class Authority(Struct, kw_only=True, forbid_unknown_fields=True):
    """The ward's authority, and the doors by which devices come to belong to it."""

    folder: str = "/var/lib/taimat-ward-authority"
    ca: str = "/etc/taimat-ward/public/ca.pem"
    name: Annotated[str, Meta(max_length=80)] = ""
    phone: Annotated[str, Meta(max_length=40)] = ""
    host: Annotated[str, Meta(pattern=r"^([A-Za-z0-9.:-]{1,253})?\Z", description="a name or an address")] = ""
    enrol_port: Annotated[int, Meta(ge=1, le=65535)] = 8444
    door_port: Annotated[int, Meta(ge=1, le=65535)] = 8443
    claim_days: Annotated[int, Meta(ge=1, le=365)] = 30
    socket: str = "/run/ward-taimat-serve.sock"
    metrics_port: Annotated[int, Meta(ge=1, le=65535)] = 9468


class Database(Struct, kw_only=True, forbid_unknown_fields=True):
    """The database, and how long it keeps health and events."""

    url: str = "sqlite:////var/lib/taimat-ward/ward.db"
    health_days: Annotated[int, Meta(ge=1, le=3650)] = 30
    event_days: Annotated[int, Meta(ge=0, le=36500)] = 365
    device_mb: Annotated[int, Meta(ge=1, le=100_000)] = 100
    devices_n: Annotated[int, Meta(ge=1, le=1_000_000)] = 20_000


class Backup(Struct, kw_only=True, forbid_unknown_fields=True):
    """The daily backup."""

    folder: str = "/var/backups/taimat-ward"
    kept_n: Annotated[int, Meta(ge=1, le=1000)] = 14


class City(_Broker, kw_only=True, forbid_unknown_fields=True):
    """The city's broker, and the forwarder's account there."""

    events_per_s: Annotated[float, Meta(ge=1, le=1000)] = 100.0
    metrics_port: Annotated[int, Meta(ge=1, le=65535)] = 9465


class Metrics(Struct, kw_only=True, forbid_unknown_fields=True):
    """Figures for Prometheus."""

    enabled: bool = True
    listen: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 9464


class Settings(Struct, kw_only=True, forbid_unknown_fields=True):
    """All tables."""

    ward: Ward = field(default_factory=Ward)
    ops: Ops = field(default_factory=Ops)
    desk: Desk = field(default_factory=Desk)
    intake: Intake = field(default_factory=Intake)
    authority: Authority = field(default_factory=Authority)
    database: Database = field(default_factory=Database)
    backup: Backup = field(default_factory=Backup)
    city: City = field(default_factory=City)
    metrics: Metrics = field(default_factory=Metrics)
    log: Log = field(default_factory=Log)


def parse(text: str, file: str) -> Settings:
    """Reads settings from TOML; errors name `file`. Raises ConfigError with every problem."""
    text = plain(text)
    table = read_tables(text, file, Settings)
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
    """Reads the file. From now on, local times of this process are those of the ward's zone. Raises ConfigError."""
    try:
        own = _handed(parse(read_text(path), str(path)))
        os.environ["TZ"] = own.ward.zone
        time.tzset()
        return own
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; make one with: taimat ward init") from error


def _handed(settings: Settings) -> Settings:
    """Uses systemd's copies of keys (systemd.exec(5), LoadCredential=): only root may read the originals."""
    if folder := os.environ.get("CREDENTIALS_DIRECTORY"):
        for table, key in SECRETS:
            account = getattr(settings, table)
            handed = Path(folder, Path(getattr(account, key)).name)
            if handed.is_file():
                setattr(account, key, str(handed))
    return settings


def _check_whole(settings: Settings) -> Iterator[ConfigProblem]:
    for table, account in (("ward", settings.ward), ("ops", settings.ops), ("desk", settings.desk),
                           ("city", settings.city)):
        if bool(account.cert) != bool(account.key):
            yield ConfigProblem((table, "cert"), "cert and key go together: give both files or neither")
        if account.user and not account.password_file:
            yield ConfigProblem((table, "user"), "needs password_file: a file that holds only the password")
    if settings.ward.zone not in zoneinfo.available_timezones():
        yield ConfigProblem(("ward", "zone"), 'takes a name as in "Asia/Ho_Chi_Minh", which timedatectl list-timezones '
                            f"prints; it is {settings.ward.zone!r}. (The zones are in the package tzdata.)")
    yield from _check_city(settings)
    url = settings.intake.url
    if url and not UPLOADS.fullmatch(url):
        yield ConfigProblem(("intake", "url"), f'takes "https://ward.example:8443{UPLOADS_PATH}"; it is {url!r}')
    parts = urllib.parse.urlsplit(settings.database.url)
    if parts.scheme not in DATABASES:
        yield ConfigProblem(("database", "url"), 'takes "sqlite:////path/to/ward.db" or "postgresql://user@host/name"')
    elif parts.scheme == "sqlite" and not parts.path.startswith("//"):
        yield ConfigProblem(("database", "url"), "takes the whole path, so four slashes: sqlite:////path/to/ward.db")


def _check_city(settings: Settings) -> Iterator[ConfigProblem]:
    ward = settings.ward
    if not all(map(NAME.fullmatch, ward.wards)) or ALL in ward.wards and len(ward.wards) > 1:
        yield ConfigProblem(("ward", "wards"), f'takes the names of wards, as in ["w01", "w02"], or only ["{ALL}"]')
    if ward.shared and not (ward.wards and settings.database.url.startswith("postgresql:")):
        yield ConfigProblem(("ward", "shared"), "is for a city: it needs wards, and a PostgreSQL under [database] url")
    if ward.wards and settings.city.host:
        yield ConfigProblem(("city", "host"),
                            "is for a ward's forwarder, wards for a city's ingest: leave one of them empty")
