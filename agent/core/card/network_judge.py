"""Finds mistakes in a card's network-config. A recorder without a network cannot report them itself."""
import re
from collections.abc import Iterator, Mapping
from typing import Any

from agent.core.card.mistake import CardMistake, error, warning
from agent.core.card.yaml_file import YamlFile

FILE = "network-config"
NETWORK_NAME, PASSWORD = "TEN-WIFI", "MAT-KHAU-WIFI"        # placeholders in our template, which the household replaces
SSID_B_MAX = 32
PASSWORD_N = range(8, 64)
HEXADECIMAL = re.compile(r"[0-9a-fA-F]{64}")
COUNTRY = re.compile(r"[A-Z]{2}")
KINDS = ("ethernets", "wifis", "bridges", "bonds", "vlans", "modems", "tunnels", "dummy-devices",
         "virtual-ethernets", "vrfs")


def judge(file: YamlFile) -> list[CardMistake]:
    """Returns all mistakes of a parsed network-config. An empty file is right: the image keeps its own settings."""
    if file.value is None:
        return []
    top = ("network",) if file.at("network") is not None else ()
    if not isinstance(file.at(*top), Mapping):
        return [error(FILE, 1, "it says nothing about a network", "begin with network:, version: 2 and wifis:")]
    return [*_shape(file, top), *_wifis(file, top)]


def _shape(file: YamlFile, top: tuple[str, ...]) -> Iterator[CardMistake]:
    if file.at(*top, "version") != 2:
        yield error(FILE, file.line(*top, "version"), "version is not 2, the only one that a Raspberry Pi uses",
                    "write version: 2")
    for key in file.at(*top):
        if key not in (*KINDS, "version", "renderer", "openvswitch"):
            yield error(FILE, file.line(*top, key), f"there is no kind of network called {key}",
                        "write ethernets: or wifis:, and what belongs to it two spaces further right")
    for kind in KINDS:
        devices = file.at(*top, kind)
        for name, key in ((name, key) for name in devices or () for key in ("dhcp4", "dhcp6", "optional")):
            if not isinstance(file.at(*top, kind, name, key), bool | None):
                yield error(FILE, file.line(*top, kind, name, key), f"{key} is neither true nor false",
                            f"write {key}: true")


def _wifis(file: YamlFile, top: tuple[str, ...]) -> Iterator[CardMistake]:
    wifis = file.at(*top, "wifis")
    for name, device in wifis.items() if isinstance(wifis, Mapping) else ():
        here = (*top, "wifis", name)
        if not isinstance(device, Mapping):
            yield error(FILE, file.line(*here), f"{name}: has nothing below it",
                        "put dhcp4:, regulatory-domain: and access-points: two spaces further right")
            continue
        country = device.get("regulatory-domain")
        if country is None:
            yield error(FILE, file.line(*here), "the country is missing: the radio stays off until it is known",
                        "add below it: regulatory-domain: VN")
        elif not (isinstance(country, str) and COUNTRY.fullmatch(country)):
            yield error(FILE, file.line(*here, "regulatory-domain"), f"{country!r} is no country",
                        "write its two capital letters, as VN; NO for Norway needs quotes")
        points = device.get("access-points")
        if not isinstance(points, Mapping) or not points:
            yield error(FILE, file.line(*here), "no Wi-Fi network is named", 'add access-points: and below it "NAME":')
            continue
        for point, given in points.items():
            yield from _point(file, (*here, "access-points", point), point, given)


def _point(file: YamlFile, here: tuple[Any, ...], name: Any, given: Any) -> Iterator[CardMistake]:
    line = file.line(*here)
    if not isinstance(name, str):
        yield error(FILE, line, f"the Wi-Fi's name {name!r} is read as a number or as yes and no", "put it into quotes")
    elif name == NETWORK_NAME:
        yield error(FILE, line, f"{name} is not your Wi-Fi's name yet", "write its name between the quotes")
    elif len(name.encode()) > SSID_B_MAX:
        yield error(FILE, line, f"a Wi-Fi's name has {SSID_B_MAX} bytes at most; letters with accents take up to three",
                    "write it as the phone shows it")
    if not isinstance(given, Mapping):
        yield error(FILE, line, "the Wi-Fi has no password, not even an empty line {}",
                    'add below it, two spaces further right: password: "…"; of an open network: {}')
    elif "password" in given:
        yield from _password(file.line(*here, "password"), given["password"])


def _password(line: int, password: Any) -> Iterator[CardMistake]:
    if password == PASSWORD:
        yield error(FILE, line, "the password is not your Wi-Fi's yet", "write it between the quotes")
    elif not isinstance(password, str):
        yield error(FILE, line, "the password has no quotes and is read as a number, a date, or as yes and no",
                    'put it into quotes: password: "…"')
    elif HEXADECIMAL.fullmatch(password):
        return
    elif len(password.encode()) not in PASSWORD_N:
        yield error(FILE, line, f"a Wi-Fi's password has 8 to 63 characters, and this one {len(password)}",
                    "type it as it stands on the router")
    elif not password.isascii():
        yield warning(FILE, line, "the password has letters with accents, which some routers refuse",
                      "look whether they are really in it")
