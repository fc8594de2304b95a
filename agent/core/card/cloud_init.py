"""Finds mistakes in what cloud-init reads on a card: user-data, meta-data and network-config.

It runs once and reports nothing, and a recorder without a network cannot report a mistake itself. A caller parses the
files, so core needs no YAML parser.
"""
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent.core.card.mistake import CardMistake, closest, error, warning

YamlPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class YamlFile:
    """The values of a file. `lines` has the line of each key and list item, by its path from the top."""

    value: Any
    lines: Mapping[YamlPath, int]

    def at(self, *path: str | int) -> Any:
        here = self.value
        for step in path:
            if isinstance(here, Mapping):
                here = here.get(step)
            elif isinstance(here, list) and isinstance(step, int) and step < len(here):
                here = here[step]
            else:
                return None
        return here

    def line(self, *path: str | int) -> int:
        """Returns the line of the key at this path, or of the nearest key above it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


USER, META_FILE = "user-data", "meta-data"
HEADER = "#cloud-config"
HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
TIME_ZONE = re.compile(r"[A-Z][\w+-]+(/[A-Z][\w+-]+)*")


def begins_right(text: str) -> list[CardMistake]:
    """Checks that cloud-init accepts the file at all, before it is parsed."""
    if text.split("\n", 1)[0].rstrip() == HEADER:
        return []
    why = "it begins with an invisible mark (BOM)" if text.startswith("\ufeff") else f"its first line is not {HEADER}"
    return [error(USER, 1, f"{why}, so cloud-init ignores the whole file",
                  f"make {HEADER} the first line, and save the file as UTF-8 without BOM")]


def judge_user(file: YamlFile, known: Collection[str]) -> list[CardMistake]:
    """Returns all mistakes of a parsed user-data; `known` has all names at its top."""
    if not isinstance(file.value, Mapping):
        return [error(USER, 1, "there is nothing in it that cloud-init could do",
                      "write NAME: VALUE lines below the first")]
    return [*_keys(file, known), *_host(file), *_access(file), *_commands(file)]


def judge_meta(file: YamlFile) -> list[CardMistake]:
    if file.at("instance-id") is None and file.at("instance_id") is None:
        return [warning(META_FILE, 1, "instance-id is missing: a card that is corrected after its first start is "
                        "not read again", "add a line, with a new number for each correction: instance-id: taimat-1")]
    return []


def _keys(file: YamlFile, known: Collection[str]) -> Iterator[CardMistake]:
    for key in file.value:
        if key not in known:
            close = closest(str(key), known)
            yield warning(USER, file.line(key), f"cloud-init does not know {key} and ignores it",
                          f"is {close} meant?" if close else "correct it, or take it out")


def _host(file: YamlFile) -> Iterator[CardMistake]:
    name, zone = file.at("hostname"), file.at("timezone")
    if name is not None and not (isinstance(name, str) and HOST_NAME.fullmatch(name)):
        yield error(USER, file.line("hostname"), f"{name!r} can't be a computer's name",
                    "use letters without accents, digits and - only, 63 at most, and put a number into quotes")
    if name is None:
        yield warning(USER, 1, "no hostname: the recorder is called as the image has it, and not taimat.local",
                      "add a line: hostname: taimat")
    if zone is not None and not (isinstance(zone, str) and TIME_ZONE.fullmatch(zone)):
        yield error(USER, file.line("timezone"), f"{zone!r} is not a time zone", "write it as Asia/Ho_Chi_Minh")


def _access(file: YamlFile) -> Iterator[CardMistake]:
    if file.at("ssh_pwauth") not in (None, False):
        yield warning(USER, file.line("ssh_pwauth"), "every device in the network may try passwords (ssh_pwauth)",
                      "write ssh_pwauth: false, and log in by a key")
    for key in ("password", "chpasswd"):
        if file.at(key):
            yield warning(USER, file.line(key), f"{key}: the password is readable for everyone who has the card",
                          "take it out, and log in by a key (ssh_authorized_keys)")
    users = file.at("users")
    for number, user in enumerate(users if isinstance(users, list) else ()):
        if not isinstance(user, Mapping):
            continue
        if any(user.get(key) for key in ("plain_text_passwd", "passwd", "hashed_passwd")):
            yield warning(USER, file.line("users", number), f"{user.get('name')}: a password, or its hash, is "
                          "on the card", "use ssh_authorized_keys and lock_passwd: true")
        elif user.get("lock_passwd") is False:
            yield warning(USER, file.line("users", number, "lock_passwd"),
                          f"{user.get('name')} may log in without a password", "write lock_passwd: true")


def _commands(file: YamlFile) -> Iterator[CardMistake]:
    for key in ("runcmd", "bootcmd", "packages", "write_files", "users"):
        if (given := file.at(key)) is not None and not isinstance(given, list):
            yield error(USER, file.line(key), f"{key} must be a list", "begin each of its lines with a - and a space")
    for number, command in enumerate(file.at("bootcmd") or ()):
        words = command if isinstance(command, list) else str(command).split()
        if "systemctl" in words and ("--now" in words or "start" in words) and "--no-block" not in words:
            yield error(USER, file.line("bootcmd", number),
                        "the boot waits for this command, and the command for the boot", "add --no-block")


NETWORK = "network-config"
NETWORK_NAME, PASSWORD = "TEN-WIFI", "MAT-KHAU-WIFI"        # placeholders in our template, which the household replaces
SSID_B_MAX = 32
PASSWORD_N = range(8, 64)
HEXADECIMAL = re.compile(r"[0-9a-fA-F]{64}")
COUNTRY = re.compile(r"[A-Z]{2}")
KINDS = ("ethernets", "wifis", "bridges", "bonds", "vlans", "modems", "tunnels", "dummy-devices",
         "virtual-ethernets", "vrfs")


def wifi_faults(name: str, password: str) -> Iterator[tuple[str, str]]:
    """Yields problems of a Wi-Fi's name and password, each after "wifi" or "wifi_password", without the password."""
    if password and not name:
        yield "wifi", "is missing, and there is a password for it"
    if len(name.encode()) > SSID_B_MAX:
        yield "wifi", f"has more than {SSID_B_MAX} bytes; letters with accents take up to three"
    if password and not HEXADECIMAL.fullmatch(password) and (
            len(password.encode()) not in PASSWORD_N or not password.isprintable()):
        yield "wifi_password", "has 8 to 63 characters; write it as it stands on the router"


def judge_network(file: YamlFile) -> list[CardMistake]:
    """Returns all mistakes of a parsed network-config. An empty file is right: the image keeps its own settings."""
    if file.value is None:
        return []
    top = ("network",) if file.at("network") is not None else ()
    if not isinstance(file.at(*top), Mapping):
        return [error(NETWORK, 1, "it says nothing about a network", "begin with network:, version: 2 and wifis:")]
    return [*_shape(file, top), *_wifis(file, top)]


def _shape(file: YamlFile, top: tuple[str, ...]) -> Iterator[CardMistake]:
    if file.at(*top, "version") != 2:
        yield error(NETWORK, file.line(*top, "version"), "version is not 2, the only one that a Raspberry Pi uses",
                    "write version: 2")
    for key in file.at(*top):
        if key not in (*KINDS, "version", "renderer", "openvswitch"):
            yield error(NETWORK, file.line(*top, key), f"there is no kind of network called {key}",
                        "write ethernets: or wifis:, and what belongs to it two spaces further right")
    for kind in KINDS:
        devices = file.at(*top, kind)
        for name, key in ((name, key) for name in devices or () for key in ("dhcp4", "dhcp6", "optional")):
            if not isinstance(file.at(*top, kind, name, key), bool | None):
                yield error(NETWORK, file.line(*top, kind, name, key), f"{key} is neither true nor false",
                            f"write {key}: true")


def _wifis(file: YamlFile, top: tuple[str, ...]) -> Iterator[CardMistake]:
    wifis = file.at(*top, "wifis")
    for name, device in wifis.items() if isinstance(wifis, Mapping) else ():
        here = (*top, "wifis", name)
        if not isinstance(device, Mapping):
            yield error(NETWORK, file.line(*here), f"{name}: has nothing below it",
                        "put dhcp4:, regulatory-domain: and access-points: two spaces further right")
            continue
        country = device.get("regulatory-domain")
        if country is None:
            yield error(NETWORK, file.line(*here), "the country is missing: the radio stays off until it is known",
                        "add below it: regulatory-domain: VN")
        elif not (isinstance(country, str) and COUNTRY.fullmatch(country)):
            yield error(NETWORK, file.line(*here, "regulatory-domain"), f"{country!r} is not a country",
                        "write its two capital letters, as VN; NO for Norway needs quotes")
        points = device.get("access-points")
        if not isinstance(points, Mapping) or not points:
            yield error(NETWORK, file.line(*here),
                        "no Wi-Fi network is named", 'add access-points: and below it "NAME":')
            continue
        for point, given in points.items():
            yield from _point(file, (*here, "access-points", point), point, given)


def _point(file: YamlFile, here: tuple[Any, ...], name: Any, given: Any) -> Iterator[CardMistake]:
    line = file.line(*here)
    if not isinstance(name, str):
        yield error(NETWORK, line, f"the Wi-Fi's name {name!r} is read as a number or as yes and no",
                    "put it into quotes")
    elif name == NETWORK_NAME:
        yield error(NETWORK, line, f"{name} is not your Wi-Fi's name yet", "write its name between the quotes")
    elif len(name.encode()) > SSID_B_MAX:
        yield error(NETWORK, line,
                    f"a Wi-Fi's name has {SSID_B_MAX} bytes at most; letters with accents take up to three",
                    "write it as the phone shows it")
    if not isinstance(given, Mapping):
        yield error(NETWORK, line, "the Wi-Fi has no password, not even an empty line {}",
                    'add below it, two spaces further right: password: "…"; of an open network: {}')
    elif "password" in given:
        yield from _password(file.line(*here, "password"), given["password"])


def _password(line: int, password: Any) -> Iterator[CardMistake]:
    if password == PASSWORD:
        yield error(NETWORK, line, "the password is not your Wi-Fi's yet", "write it between the quotes")
    elif not isinstance(password, str):
        yield error(NETWORK, line, "the password has no quotes and is read as a number, a date, or as yes and no",
                    'put it into quotes: password: "…"')
    elif HEXADECIMAL.fullmatch(password):
        return
    elif len(password.encode()) not in PASSWORD_N:
        yield error(NETWORK, line, f"a Wi-Fi's password has 8 to 63 characters, and this one {len(password)}",
                    "type it as it stands on the router")
    elif not password.isascii():
        yield warning(NETWORK, line, "the password has letters with accents, which some routers refuse",
                      "look whether they are really in it")
