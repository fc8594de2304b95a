"""The ward's own certificates: those of the broker, of the proxy, and of its accounts at the broker.

`taimat ward renew` renews them at two thirds of their life, and writes new lists of the revoked; a timer runs it each
day. `taimat ward account` makes key and certificate for another name, such as a ward's bridge at its city's broker; the
ward keeps neither. `taimat ward rotate ca` makes a new issuing CA, or a new root above it; devices get both when they
renew their certificates.
"""
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent.ward import settings
from agent.ward.authority import certificates, probe
from agent.ward.authority.cas import Cas
from agent.ward.authority.issuer import AuthorityFault, RootCa, new_root_key, root_key
from agent.ward.authority.places import FOR_ALL, OWN_ONLY, Places, put, put_own, reload_broker
from agent.ward.exits import by_root
from agent.ward.settings import Settings

SERVERS = ("broker", "door")
CLIENTS = ("ingest", "ops", "desk", "reader")
LOCAL = ("localhost", "127.0.0.1")                              # as the ward's own programs call it


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    name: str
    path: Path
    certificate: x509.Certificate | None        # None: there is none that can be read


def own_certificates(places: Places) -> list[OwnCertificate]:
    return [OwnCertificate(name, path, next(iter(certificates.in_file(path)), None)) for name in (*SERVERS, *CLIENTS)
            for path in [places.keys / f"{name}.pem"]]


def ensure_all(places: Places, cas: Cas, host: str, now: datetime) -> list[str]:
    """Makes missing certificates, and renews due ones; returns their names. Raises AuthorityFault and OSError."""
    return [each.name for each in own_certificates(places) if _ensure(places, cas, each, (host, *LOCAL), now)]


def _ensure(places: Places, cas: Cas, own: OwnCertificate, hosts: Iterable[str], now: datetime) -> bool:
    is_server, hosts = own.name in SERVERS, list(dict.fromkeys(hosts))
    issuer = cas.for_servers(now) if is_server else cas.current(now)
    takes = [issuer] if is_server else cas.issuers(now)
    key = _key(places, own.path.with_suffix(".key"))
    had = own.certificate
    if had and had.public_key() == key and now < certificates.renewal_due(had) \
            and had.issuer in [each.certificate.subject for each in takes] \
            and (not is_server or set(hosts) <= hosts_of(had)):
        return False
    chain = issuer.server(own.name, hosts, key, now) if is_server else issuer.account(own.name, key, now)
    put_own(places, own.path, chain)
    return True


def hosts_of(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(each.value) for each in names}


def _key(places: Places, path: Path) -> ec.EllipticCurvePublicKey:
    """Returns the public half of the key in `path`, and makes the key if it is missing."""
    if not path.exists():
        put_own(places, path, certificates.private_pem(ec.generate_private_key(ec.SECP256R1())))
    try:
        return serialization.load_pem_private_key(path.read_bytes(), password=None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise AuthorityFault(f"{path}: not a private key in PEM; delete it, and taimat ward init makes a new one with "
                             "its certificate") from error


def make(places: Places, name: str, hosts: Sequence[str], folder: Path, now: datetime) -> Path:
    """Writes NAME.key and NAME.pem, of a server if `hosts` are given. Raises AuthorityFault and OSError."""
    path = folder / f"{name}.pem"
    if name in (*SERVERS, *CLIENTS):
        raise AuthorityFault(f"{name}: is the ward's own name, in {places.keys}; give another name, as {name}-2")
    if path.exists():
        raise AuthorityFault(f"{path}: is there already; a new one goes into another folder")
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        with places.locked():
            cas, public = Cas(places), key.public_key()
            chain = cas.for_servers(now).server(name, hosts, public, now) if hosts \
                else cas.current(now).account(name, public, now)
    except ValueError as error:
        raise AuthorityFault(str(error)) from error
    put(path.with_suffix(".key"), certificates.private_pem(key), OWN_ONLY)
    put(path, chain, FOR_ALL)
    return path


@by_root
def run_make(config: Path, names: Sequence[str], hosts: Sequence[str], folder: Path) -> int:
    places = Places.of(config, settings.load(config))
    for name in names:
        path = make(places, name, hosts, folder, datetime.now(UTC))
        print(f"made   {path}  certificate and, as {path.stem}.key, its key")
    return 0


def renew(own: Settings, places: Places, now: datetime, reload: str) -> list[str]:
    """Returns the names of the renewed certificates. Raises AuthorityFault and OSError."""
    cas = Cas(places)
    with places.locked():
        probe.ensure_canary(places, cas, now)
        cas.revoke((), now)
        renewed = ensure_all(places, cas, own.authority.host or own.ward.host, now)
    reload_broker(reload, renewed)
    return renewed


@by_root
def run_renew(config: Path, reload: str) -> int:
    own = settings.load(config)
    places = Places.of(config, own)
    renewed = renew(own, places, datetime.now(UTC), reload)
    ends = Cas(places).first_end()
    print(f"{places.crl}: renewed, valid until {ends:%Y-%m-%d}")
    print(f"{places.keys}: certificates renewed: {', '.join(renewed) or 'none was due'}")
    return 0


@by_root
def run_rotate(config: Path, *, root: bool, drop_former: bool, token: str, passphrase_file: Path | None,
               reload: str) -> int:
    """Makes a new issuing CA, with `root` below a new root, and prints what is valid now."""
    if root and drop_former:
        raise AuthorityFault("--root and --drop-former do not go together: a former root's devices would not trust the "
                             "new one, so enrol them again: taimat ward init on another machine")
    own, now = settings.load(config), datetime.now(UTC)
    places = Places.of(config, own)
    cas, name = Cas(places), own.authority.name
    with places.locked():
        moment = cas.next_moment(now)
        if root:
            key, kept = new_root_key(token, passphrase_file)
            above = RootCa.make(name, key, moment)
            cas.add_root(above, kept, now)
        else:
            above = RootCa(cas.roots()[0], root_key(cas.root_key(), passphrase_file))
        cas.add_issuer(above.issuer(name, moment), now)
        if drop_former:
            cas.drop_issuers(above, now)
    renew(own, places, now, reload)
    made, until = certificates.common_name(cas.current(now).certificate), now + certificates.DEVICE_LIFE
    former = "certificates of all others are revoked: enrol those devices again" if drop_former else \
        f"certificates of the former one stay valid, until {until:%Y-%m-%d} at the latest"
    print(f"{made} signs from now on{', and' if drop_former else ';'} {former}")
    return 0
