"""Checks addresses, ports and paths in the settings for values that are wrong on any machine."""
import ipaddress
import re
from collections.abc import Iterator

from agent.config.positions import Path
from agent.config.settings import Settings
from agent.config.source import SourceSpec, parse_source

THIS_MACHINE = ("localhost", "127.0.0.1", "::1", "ip6-localhost")
LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
HOST = re.compile(rf"(?=.{{1,253}}\Z){LABEL}(\.{LABEL})*\.?\Z", re.I)
NUMBERS = re.compile(r"[\d.]+\Z")
ADDRESSED = re.compile(r"(?:[a-z]+://)?([^/\s:\[\]]+|\[[0-9a-f:.]+\])(?::(\d+))?/?\Z", re.I)
# shortest prefixes of a VPN: Tailscale has 100.64.0.0/10 and fd7a:115c:a1e0::/48
WIDEST_V4, WIDEST_V6 = 10, 48
FILES = (("ward", ("ca", "cert", "key", "password_file", "command_key")), ("home", ("ca", "password_file")),
         ("update", ("release_key",)))


def faults(settings: Settings) -> Iterator[tuple[Path, str]]:
    yield from _listen(settings)
    yield from _afar(settings)
    yield from _metrics(settings)
    yield from _paths(settings)
    for table in ("ward", "home"):
        account = getattr(settings, table)
        if (account.enabled or account.host) and (fault := host_fault(account.host)):
            yield (table, "host"), fault
    if settings.ward.enabled and settings.ward.tls and not (settings.ward.cert or settings.ward.user):
        yield ("ward", "enabled"), ("needs what the ward knows this recorder by: cert and key from enrolment, or user "
                                    "and password_file")


def host_fault(host: str) -> str | None:
    """Returns what is wrong with the name or address of another machine; None if nothing is."""
    if not host:
        return 'is missing: it takes a name or an address, as in "192.168.1.20"'
    if _is_address(host) or HOST.match(host) and not NUMBERS.match(host):
        return None
    if NUMBERS.match(host):
        return f'takes a whole address of four numbers, as in "192.168.1.20"; it is "{host}"'
    if found := ADDRESSED.match(host):
        port = f", and the port in its own key: port = {found[2]}" if found[2] else ""
        return f'takes only the name or address: "{found[1].strip("[]")}"{port}'
    return 'takes a name or an address, as in "broker.example.vn" or "192.168.1.20"'


def same_place(one: tuple[str, int], other: tuple[str, int]) -> bool:
    """Whether two pairs of host and port are the same place, as far as that is known without DNS."""
    return (_plain(one[0]), one[1]) == (_plain(other[0]), other[1])


def _plain(host: str) -> str:
    plain = host.lower().rstrip(".")
    return "localhost" if plain in THIS_MACHINE else plain


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _listen(settings: Settings) -> Iterator[tuple[Path, str]]:
    web = settings.web
    if not _is_address(web.listen) and (NUMBERS.match(web.listen) or not HOST.match(web.listen)):
        yield ("web", "listen"), ('takes an address of this machine: "127.0.0.1" for this machine only, "0.0.0.0" for '
                                  f'phones, too; it is "{web.listen}"')
    for table in ("ward", "home"):
        broker = getattr(settings, table)
        if web.enabled and broker.enabled and same_place(("localhost", web.port), (broker.host, broker.port)):
            yield (table, "port"), "is the page's, too ([web] port): on one machine only one of them can have it"


def _metrics(settings: Settings) -> Iterator[tuple[Path, str]]:
    port = settings.metrics.port
    if 0 < port < 1024:
        yield ("metrics", "port"), f"takes a port from 1024 to 65535, as in 9467: only root may listen on {port}"
    for table, host in (("web", "localhost"), ("ward", settings.ward.host), ("home", settings.home.host)):
        other = getattr(settings, table)
        if port and other.enabled and same_place(("localhost", port), (host, other.port)):
            yield ("metrics", "port"), f"is taken by [{table}] port: choose another, as in 9467"


def _afar(settings: Settings) -> Iterator[tuple[Path, str]]:
    """A VPN's networks are small, compared with the Internet."""
    for text in settings.web.afar:
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            yield ("web", "afar"), f'takes networks, as in "100.64.0.0/10" or "fd7a:115c:a1e0::/48"; one is "{text}"'
            continue
        if network.prefixlen < (WIDEST_V4 if network.version == 4 else WIDEST_V6):
            yield ("web", "afar"), f"{text} is larger than a VPN: every machine in it could try the pairing code"


def _spec(source: str) -> SourceSpec | None:
    try:
        return parse_source(source)
    except ValueError:
        return None


def _paths(settings: Settings) -> Iterator[tuple[Path, str]]:
    store = settings.store
    named = {("store", key): getattr(store, key) for key in ("folder", "runtime")}
    named |= {(table, key): value for table, keys in FILES for key in keys
              if (value := getattr(getattr(settings, table), key))}
    named |= {("notify", index, "url_file"): each.url_file for index, each in enumerate(settings.notify)}
    named |= {("camera", index, "source"): spec.target for index, camera in enumerate(settings.camera)
              if (spec := _spec(camera.source)) and spec.scheme == "file"}
    for path, value in named.items():
        if not value.startswith("/"):
            yield path, f'takes a whole path, from the first / on; "{value}" would mean another place for each program'
    if store.folder.rstrip("/") == store.runtime.rstrip("/"):
        yield ("store", "runtime"), "is folder, too: recordings need a card, sockets a place in memory"
