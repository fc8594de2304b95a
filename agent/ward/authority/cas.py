"""The ward's CAs on the disk: the roots, the issuing CA, the former ones that are still valid, and their lists.

A CA named root-1a2b3c4d or issuing-1a2b3c4d has three files in the authority's folder: .pem, .key and .crl.
`issuing.pem` and `issuing.key` are copies of the current one's. The public files are made from all of them, so they may
be lost. After a rotation the former issuing CA is valid until the last certificate that it can have signed has expired.
"""
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from agent.ward.authority import certificates, issuer
from agent.ward.authority.issuer import AuthorityFault, Issuer, RootCa
from agent.ward.authority.places import AUTHORITY_USER, FOR_ALL, OWN_ONLY, WARD_USER, Places, put

ROOT, ISSUING = "root-", "issuing-"


class Cas:
    """The CAs of one ward. Writers hold `places.locked()`. All methods raise AuthorityFault."""

    def __init__(self, places: Places) -> None:
        self._places, self._folder = places, places.authority

    def roots(self) -> list[x509.Certificate]:
        """Newest first."""
        found = [_certificate(path) for path in self._folder.glob(f"{ROOT}*.pem")]
        return sorted(found, key=lambda root: root.not_valid_after_utc, reverse=True)

    def root_key(self) -> Path:
        """The file with the newest root's key, or with the address of its token."""
        if not (roots := self.roots()):
            raise AuthorityFault(f"{self._folder}: there is no root CA; make the authority: taimat ward init")
        return self._folder / f"{_stem(ROOT, roots[0])}.key"

    def issuers(self, now: datetime) -> list[Issuer]:
        """The valid issuing CAs, the current one first."""
        revoked = {each.serial_number for root in self.roots() for each in self._listed(ROOT, root) or ()}
        found = sorted((_certificate(path) for path in self._folder.glob(f"{ISSUING}*.pem")), key=_began, reverse=True)
        ends = [now, *map(_began, found)]       # each counts until its successor has been there for a device's life
        return [Issuer.read(self._file(ISSUING, each, "pem"), self._file(ISSUING, each, "key"))
                for each, succeeded in zip(found, ends, strict=False)
                if each.serial_number not in revoked and now < succeeded + certificates.DEVICE_LIFE]

    def current(self, now: datetime) -> Issuer:
        """The CA that signs devices."""
        if not (found := self.issuers(now)):
            raise AuthorityFault(f"{self._folder}: there is no issuing CA; make it: taimat ward init, or bring it "
                                 "back: taimat ward restore")
        return found[0]

    def for_servers(self, now: datetime) -> Issuer:
        """The CA that signs broker and proxy: its root is one that even the oldest devices trust."""
        current, *former = self.issuers(now) or [self.current(now)]
        strangers = [each for each in former if each.certificate.issuer != current.certificate.issuer]
        return strangers[-1] if strangers else current

    def add_root(self, root: RootCa, key: bytes, now: datetime) -> None:
        """Stores a root: its key as the file holds it, its empty list, and last its certificate. Raises OSError."""
        put(self._file(ROOT, root.certificate, "key"), key, OWN_ONLY)
        put(self._file(ROOT, root.certificate, "crl"), root.revoke(None, (), now), FOR_ALL)
        put(self._file(ROOT, root.certificate, "pem"), certificates.pem(root.certificate), FOR_ALL)

    def next_moment(self, now: datetime) -> datetime:
        """When a new CA begins: after every other one, even if the clock has gone back."""
        began = [_began(_certificate(path)) for path in self._folder.glob("*-*.pem")]
        return max([now, *(each + timedelta(seconds=1) for each in began)])

    def add_issuer(self, made: Issuer, now: datetime) -> None:
        """Stores an issuing CA, which becomes the current one. Raises OSError."""
        key = certificates.private_pem(made.key)
        for end, data in (("key", key), ("crl", made.revoke(None, (), now)), ("pem", made.pem)):
            put(self._file(ISSUING, made.certificate, end), data, OWN_ONLY if end == "key" else FOR_ALL,
                AUTHORITY_USER, WARD_USER)
        self.settle(now)

    def drop_issuers(self, root: RootCa, now: datetime) -> None:
        """Revokes all issuing CAs but the current one, and so what they have signed. Raises OSError."""
        serials = [each.certificate.serial_number for each in self.issuers(now)[1:]
                   if each.certificate.issuer == root.certificate.subject]
        listed = root.revoke(self._listed(ROOT, root.certificate), serials, now)
        put(self._file(ROOT, root.certificate, "crl"), listed, FOR_ALL)

    def revoke(self, serials: Iterable[int], now: datetime) -> None:
        """Adds serial numbers to each issuing CA's list, because they do not name their CA. Raises OSError."""
        serials = set(serials)
        for each in self.issuers(now):
            listed = each.revoke(self._listed(ISSUING, each.certificate), serials, now)
            put(self._file(ISSUING, each.certificate, "crl"), listed, FOR_ALL, AUTHORITY_USER, WARD_USER)
        self.settle(now)

    def settle(self, now: datetime) -> None:
        """Writes the public files and the copies. It also repairs what a cut has left. Raises OSError."""
        current, *former = self.issuers(now) or [self.current(now)]
        for name, end in ((issuer.KEY, "key"), (issuer.CERTIFICATE, "pem")):
            whole, path = self._file(ISSUING, current.certificate, end).read_bytes(), self._folder / name
            if not path.exists() or path.read_bytes() != whole:
                put(path, whole, OWN_ONLY if end == "key" else FOR_ALL, AUTHORITY_USER, WARD_USER)
        roots = self.roots()
        put(self._places.ca, certificates.pem(*roots, current.certificate, *(each.certificate for each in former)),
            FOR_ALL)
        lists = [self._file(ISSUING, each.certificate, "crl").read_bytes() for each in (current, *former)]
        lists += [self._file(ROOT, each, "crl").read_bytes() for each in roots]
        put(self._places.crl, b"".join(lists), FOR_ALL)

    def list_of(self, made: Issuer) -> Path:
        return self._file(ISSUING, made.certificate, "crl")

    def first_end(self) -> datetime:
        """When the first of the public lists expires."""
        return min(each.next_update_utc for each in lists_in(self._places.crl))

    def lists(self) -> dict[str, x509.CertificateRevocationList]:
        """Every list of the revoked by the name of its file."""
        return {path.name: read_list(path) for path in sorted(self._folder.glob("*-*.crl"))}

    def _listed(self, kind: str, certificate: x509.Certificate) -> x509.CertificateRevocationList:
        return read_list(self._file(kind, certificate, "crl"))

    def _file(self, kind: str, certificate: x509.Certificate, end: str) -> Path:
        return self._folder / f"{_stem(kind, certificate)}.{end}"


def lists_in(path: Path) -> list[x509.CertificateRevocationList]:
    """Raises AuthorityFault."""
    try:
        found = certificates.lists_in(path.read_bytes())
    except (OSError, ValueError) as error:
        raise AuthorityFault(f"{path}: {getattr(error, 'strerror', None) or error}; taimat ward renew makes a new one"
                             ) from error
    if not found:
        raise AuthorityFault(f"{path}: holds no list of the revoked; taimat ward renew makes a new one")
    return found


def read_list(path: Path) -> x509.CertificateRevocationList:
    """Raises AuthorityFault."""
    try:
        return x509.load_pem_x509_crl(path.read_bytes())
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else "not a list of the revoked in PEM"
        raise AuthorityFault(f"{path}: {cause}; bring it back from the newest backup: taimat ward restore") from error


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise AuthorityFault(f"{path}: not a certificate in PEM, or not readable (sudo); bring it back: taimat ward "
                             "restore") from error


def _began(certificate: x509.Certificate) -> datetime:
    return certificate.not_valid_before_utc + certificates.BACKDATED


def _stem(kind: str, certificate: x509.Certificate) -> str:
    return kind + x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest.hex()[:8]
