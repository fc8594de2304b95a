"""The ward's own certificates: the broker's, the proxy's, and those of its accounts at the broker.

A key is made once; a new certificate for it replaces the old one in one step, so no cut parts the two.
`taimat ward account` makes key and certificate of one more name, such as a ward's bridge at its city's broker, or of a
server, such as a node of the city's cluster: neither is kept here, and `taimat ward revoke` takes the certificate.
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
from agent.ward.authority import certificates
from agent.ward.authority.cas import Cas
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.authority.places import FOR_ALL, OWN_ONLY, Places, put, put_own
from agent.ward.exits import by_root

SERVERS = ("broker", "door")
CLIENTS = ("ingest", "ops", "desk", "reader")
LOCAL = ("localhost", "127.0.0.1")                              # as the ward's own programs call it


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """One of them, as it lies there."""

    name: str
    path: Path
    certificate: x509.Certificate | None        # None: there is none that can be read


def own_certificates(places: Places) -> list[OwnCertificate]:
    """All that a ward has. Raises OSError."""
    return [OwnCertificate(name, path, _read(path)) for name in (*SERVERS, *CLIENTS)
            for path in [places.keys / f"{name}.pem"]]


def see_to_all(places: Places, cas: Cas, host: str, now: datetime) -> list[str]:
    """Make what is missing, and renew what is due, of another CA, or not for `host`; returns the names.

    Raises AuthorityFault and OSError.
    """
    return [each.name for each in own_certificates(places) if _see_to(places, cas, each, (host, *LOCAL), now)]


def _see_to(places: Places, cas: Cas, own: OwnCertificate, hosts: Iterable[str], now: datetime) -> bool:
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
    """The names and addresses that a server's certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(each.value) for each in names}


def _read(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _key(places: Places, path: Path) -> ec.EllipticCurvePublicKey:
    """The public half of the key in that file, which is made where there is none. Raises AuthorityFault and OSError."""
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        data = made.private_bytes(certificates.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        put_own(places, path, data)
    try:
        return serialization.load_pem_private_key(path.read_bytes(), password=None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise AuthorityFault(f"{path}: not a private key in PEM; delete it, and taimat ward init makes a new one with "
                             "its certificate") from error


def make(places: Places, name: str, hosts: Sequence[str], folder: Path, now: datetime) -> Path:
    """Write NAME.key and NAME.pem into the folder; returns the certificate's file. With `hosts` it is a server's.

    Raises AuthorityFault and OSError.
    """
    path = folder / f"{name}.pem"
    if name in (*SERVERS, *CLIENTS):
        raise AuthorityFault(f"{name}: is the ward's own, and lies in {places.keys}; give another name, as {name}-2")
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
    put(path.with_suffix(".key"), key.private_bytes(
        certificates.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()), OWN_ONLY)
    put(path, chain, FOR_ALL)
    return path


@by_root
def run_make(config: Path, names: Sequence[str], hosts: Sequence[str], folder: Path) -> int:
    """Make them and print where they are."""
    places = Places.of(config, settings.load(config))
    for name in names:
        path = make(places, name, hosts, folder, datetime.now(UTC))
        print(f"made   {path}  certificate and, as {path.stem}.key, its key")
    return 0
