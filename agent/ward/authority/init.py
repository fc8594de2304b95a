"""`taimat ward init`: makes keys, certificates and configuration of a ward, and starts it.

It keeps what exists, so it may be run again: after a cut it goes on, and it replaces a file that was deleted. It writes
the settings last, because services start with them.
"""
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from agent.look import words
from agent.ward import keys, settings
from agent.ward.authority import accounts, probe
from agent.ward.authority.cas import Cas
from agent.ward.authority.issuer import AuthorityFault, RootCa, new_root_key, root_key
from agent.ward.authority.places import (
    AUTHORITY_USER,
    HERE,
    TARGET,
    WARD_USER,
    Places,
    folder,
    has_systemd,
    put_own,
    start_services,
    template,
)
from agent.ward.exits import by_root
from agent.ward.settings import NAME, TEMPLATE, Settings

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?")
CONFIG = "ward.toml"
TEMPLATES = (("acl.in", "mosquitto.acl"), ("nginx.conf", "nginx.conf"))
LOCAL_TIME = Path("/etc/localtime")
BROKER_CONFIG = ("mosquitto.conf", "taimat-ward.conf")


@dataclass(frozen=True, slots=True)
class InitWishes:
    """The options of `taimat ward init`; "" for one that was not given."""

    name: str
    ward: str
    host: str
    token: str
    passphrase_file: Path | None


def make(places: Places, wishes: InitWishes, now: datetime) -> Settings:
    """Makes what is missing; returns the settings. Raises AuthorityFault, ConfigError, SigningKeyFault and OSError."""
    text = _settings_text(places, wishes)
    own = settings.parse(text, str(places.etc / CONFIG))
    folder(places.etc, 0o755)
    folder(places.public, 0o755)
    folder(places.keys, 0o755)
    folder(places.authority, 0o2750, AUTHORITY_USER, WARD_USER)
    folder(places.state, 0o750, WARD_USER, WARD_USER)
    folder(places.backups, 0o700)
    cas = Cas(places)
    with places.locked():
        _ensure_cas(cas, places, own.authority.name, wishes, now)
        made = accounts.ensure_all(places, cas, own.authority.host or own.ward.host, now)
    for each in accounts.own_certificates(places):
        _say(each.path, each.name in made, f"certificate of {each.name}")
    if own.ops.command_key:
        keys.ensure(own.ops.command_key, "[ops] command_key")
        keys.ensure_next(own.ops.command_key)
    if own.intake.receipt_key:
        keys.ensure(own.intake.receipt_key, "[intake] receipt_key")
    for source, name in TEMPLATES:
        _place(places, source, places.etc / name, own.ward.ward)
    if places.broker.is_dir():
        _place(places, BROKER_CONFIG[0], places.broker / BROKER_CONFIG[1], own.ward.ward)
    _write(places, places.etc / CONFIG, text, "settings: every key is explained there")
    zone = own.ward.zone
    print(f"times  are those of {zone}, {words.zone_of(now.astimezone(ZoneInfo(zone)))}; another one: [ward] zone in "
          f"{places.etc / CONFIG}")
    return own


def _ensure_cas(cas: Cas, places: Places, ward_name: str, wishes: InitWishes, now: datetime) -> None:
    had_root, had_issuer = bool(cas.roots()), bool(cas.issuers(now))
    if not had_root:
        key, kept = new_root_key(wishes.token, wishes.passphrase_file)
        root = RootCa.make(ward_name, key, now)
        cas.add_root(root, kept, now)
    elif not had_issuer:
        root = RootCa(cas.roots()[0], root_key(cas.root_key(), wishes.passphrase_file))
    _say(cas.root_key(), not had_root, "root CA's key")
    if not had_issuer:
        cas.add_issuer(root.issuer(ward_name, cas.next_moment(now)), now)
    cas.settle(now)
    _say(places.authority / "issuing.pem", not had_issuer, "issuing CA")
    probe.ensure_canary(places, cas, now)
    _say(places.ca, not had_issuer, "CAs that count")
    _say(places.crl, not had_issuer, "lists of the revoked")


def _settings_text(places: Places, wishes: InitWishes) -> str:
    """Returns the existing file, which must agree with the wishes, or the filled template. Raises as `make`."""
    path = places.etc / CONFIG
    if path.exists():
        own = settings.load(path)
        present = {"--ward": own.ward.ward, "--host": own.authority.host, "--name": own.authority.name}
        for option, wish in (("--ward", wishes.ward), ("--host", wishes.host), ("--name", wishes.name)):
            if wish and wish != present[option]:
                raise AuthorityFault(f"{path}: exists and says {present[option]!r}, not {wish!r}; leave {option} "
                                     "out, or edit the file first")
        return path.read_text(encoding="utf-8")
    _check(wishes)
    host = f"[{wishes.host}]" if ":" in wishes.host else wishes.host
    own_key = {name: str(places.keys / name) for name in ("ingest", "ops", "desk")}
    state = places.state
    return filled(TEMPLATE.read_text(encoding="utf-8"), {
        ("ward", "ward"): wishes.ward, ("ward", "zone"): _zone(), ("ward", "ca"): str(places.ca),
        ("ward", "cert"): own_key["ingest"] + ".pem", ("ward", "key"): own_key["ingest"] + ".key",
        ("ops", "cert"): own_key["ops"] + ".pem", ("ops", "key"): own_key["ops"] + ".key",
        ("desk", "cert"): own_key["desk"] + ".pem", ("desk", "key"): own_key["desk"] + ".key",
        ("ops", "command_key"): str(places.etc / "command.pem"),
        ("intake", "url"): f"https://{host}:8443{settings.UPLOADS_PATH}", ("intake", "crl"): str(places.crl),
        ("intake", "receipt_key"): str(places.etc / "receipt.pem"), ("intake", "folder"): f"{state}/exports",
        ("authority", "folder"): str(places.authority), ("authority", "ca"): str(places.ca),
        ("authority", "name"): wishes.name, ("authority", "host"): wishes.host,
        ("backup", "folder"): str(places.backups), ("database", "url"): f"sqlite:///{state}/ward.db"})


def _zone() -> str:
    """Returns this machine's zone. A server that has UTC was never told where it is, and keeps the template's."""
    own = str(LOCAL_TIME.resolve()).rpartition("/zoneinfo/")[2]
    return own if "/" in own and not own.startswith(("/", "Etc/")) else Settings().ward.zone


def _check(wishes: InitWishes) -> None:
    if not (wishes.name and wishes.ward and wishes.host):
        raise AuthorityFault('a new ward needs all three: --name "Phường …" for people, --ward w07 for topics, --host '
                             "ward.example, by which devices find this machine")
    if not NAME.fullmatch(wishes.ward):
        raise AuthorityFault(f"--ward {wishes.ward!r}: takes a short name of a-z, 0-9 and '-', as in w07")
    if not HOST.fullmatch(wishes.host):
        raise AuthorityFault(f"--host {wishes.host!r}: takes only a name or an address, without https:// and port")
    if len(wishes.name) > 80 or not wishes.name.isprintable() or '"' in wishes.name or "\\" in wishes.name:
        raise AuthorityFault(f"--name {wishes.name!r}: takes up to 80 letters, without quotes and line breaks")


def filled(text: str, values: dict[tuple[str, str], str]) -> str:
    table, lines = "", []
    for line in text.splitlines():
        if header := re.match(r"\[([a-z]+)\]", line):
            table = header[1]
        key = line.partition(" = ")[0]
        if (table, key) in values:
            line = re.sub(r' = (?:"[^"]*"|\S+)', lambda _, to=values[table, key]: f' = "{to}"', line, count=1)
        lines.append(line)
    return "\n".join([*lines, ""])


def _place(places: Places, source: str, target: Path, ward: str) -> None:
    text = template(source, ward)
    _write(places, target, text.replace("/etc/taimat-ward/", f"{places.etc}/"), "configuration")


def _write(places: Places, path: Path, text: str, what: str) -> None:
    if is_new := not path.exists():
        put_own(places, path, text)
    _say(path, is_new, what)


def _say(path: Path, is_new: bool, what: str) -> None:
    print(f"{'made  ' if is_new else 'there '} {path}  {what}")


def _backup_words(own: Settings, cas: Cas) -> str:
    return (f"\nBack it up now:\n"
            f"  1. the root's key onto a stick that goes into a safe, and off this machine; the passphrase elsewhere:\n"
            f"     cp {cas.root_key()} /media/STICK/ && shred -u {cas.root_key()}\n"
            f"     It is needed again for taimat ward rotate ca, and for nothing else.\n"
            f"  2. the next command key, too: mv {own.ops.command_key}{keys.NEXT} /media/STICK/\n"
            f"  3. a timer writes the rest each day to {own.backup.folder or 'no folder: see [backup] in ward.toml'};\n"
            f"     copy it to another machine. It holds the ward's keys, not encrypted.\n"
            f"Then see whether all is well: sudo taimat ward doctor")


@by_root
def run(wishes: InitWishes, prefix: Path) -> int:
    """Makes everything below `prefix`, and starts the services if that is the root."""
    places = Places.below(prefix.absolute())
    own = make(places, wishes, datetime.now(UTC))
    if prefix == HERE and has_systemd():
        start_services()
        print(f"started  mosquitto, {TARGET}")
    print(_backup_words(own, Cas(places)))
    return 0
