"""`taimat ward officer`: makes, lists and revokes the certificates of officers for the desk.

The authority's folder keeps an officer's certificate. The key is only in the PKCS#12 file for the browser.
"""
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

from agent.core.contract.ulid import ALPHABET
from agent.ward import settings
from agent.ward.authority.cas import Cas
from agent.ward.authority.certificates import NAME_MAX, PERSON
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.authority.places import FOR_ALL, OWN_ONLY, Places, folder, put
from agent.ward.authority.probe import NoAnswer
from agent.ward.authority.revoke import revoke
from agent.ward.exits import by_root
from agent.ward.proxied import client_certificate, client_name
from agent.ward.settings import Settings

# The broker's rights for devices are patterns with the client's name, for every client. A topic can't have a "+", so an
# officer has no rights there.
PREFIX = "desk+"
OFFICER_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,25}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Officer:
    name: str               # that of the certificate, without its prefix
    person: str             # as households read it

    @property
    def noted(self) -> str:
        return f"{self.person} ({PREFIX}{self.name})"


def officer(headers: Sequence[str]) -> Officer | None:
    """The officer of the certificate in the proxy's header; None if it is missing or of another."""
    certificate = client_certificate(headers[0]) if len(headers) == 1 else None
    common = client_name(certificate)
    name = common.removeprefix(PREFIX)
    if certificate is None or not common.startswith(PREFIX) or not OFFICER_NAME.fullmatch(name):
        return None
    return Officer(name, person_of(certificate) or name)


def person_of(certificate: x509.Certificate) -> str:
    found = certificate.subject.get_attributes_for_oid(PERSON)
    return str(found[0].value)[:NAME_MAX] if found else ""


FOLDER = "officers"
WORD_N, WORDS_N = 5, 4          # of the passphrase: 100 random bits


class OfficerBook:
    def __init__(self, places: Places) -> None:
        self._places, self._folder = places, places.authority / FOLDER

    def add(self, name: str, person: str, p12: Path, now: datetime) -> str:
        """Makes a certificate and the file for a browser; returns its passphrase. Raises AuthorityFault and OSError."""
        if not OFFICER_NAME.fullmatch(name):
            raise AuthorityFault(f"{name}: an officer's name is made of a-z, 0-9 and '-', 27 letters at most, as in "
                                 "tran-van-binh; how people call the officer is --person's")
        if (path := self._path(name)).exists():
            raise AuthorityFault(f"{name}: has a certificate; take it back first: taimat ward officer remove {name}")
        key = ec.generate_private_key(ec.SECP256R1())
        with self._places.locked():
            chain = Cas(self._places).current(now).account(PREFIX + name, key.public_key(), now, person=person)
            leaf, *cas = x509.load_pem_x509_certificates(chain.encode())
            phrase = "-".join("".join(secrets.choice(ALPHABET) for _ in range(WORD_N)) for _ in range(WORDS_N))
            put(p12, pkcs12.serialize_key_and_certificates(
                (person or name).encode(), key, leaf, cas,
                serialization.BestAvailableEncryption(phrase.encode())), OWN_ONLY)
            folder(self._folder, 0o755)
            put(path, chain, FOR_ALL)
        return phrase

    def all(self) -> list[tuple[str, x509.Certificate]]:
        """Raises OSError."""
        return [(path.stem, x509.load_pem_x509_certificate(path.read_bytes()))
                for path in sorted(self._folder.glob("*.pem"))]

    def remove(self, own: Settings, name: str, reload: str) -> str:
        """Revokes the certificate and deletes the officer; returns what to print. Raises what `revoke` raises."""
        if not OFFICER_NAME.fullmatch(name) or not (path := self._path(name)).exists():
            raise AuthorityFault(f"{name}: there is no such officer; taimat ward officer list shows them")
        said = revoke(own, self._places, [str(path)], reload)
        path.unlink()
        return said

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.pem"


@by_root
def run_add(config: Path, name: str, person: str, p12: Path | None) -> int:
    p12 = p12 or Path(f"desk-{name}.p12")
    phrase = _book(config).add(name, person, p12, datetime.now(UTC))
    print(f"{p12}: for the officer's browser, which asks for this passphrase, shown once:\n\n    {phrase}\n")
    return 0


@by_root
def run_list(config: Path, as_json: bool) -> int:
    for name, certificate in _book(config).all():
        if as_json:
            until_ms = int(certificate.not_valid_after_utc.timestamp() * 1000)
            row = {"name": name, "person": person_of(certificate), "until_ms": until_ms}
            print(json.dumps(row, ensure_ascii=False))
            continue
        print(f"{name}\t{person_of(certificate)}\t{certificate.not_valid_after_utc:%Y-%m-%d}")
    return 0


@by_root
def run_remove(config: Path, name: str, reload: str) -> int:
    try:
        print(_book(config).remove(settings.load(config), name, reload))
    except (NoAnswer, ConnectionError) as error:
        raise AuthorityFault(f"{name}: may still be in: {error}; run this again then") from error
    return 0


def _book(config: Path) -> OfficerBook:
    return OfficerBook(Places.of(config, settings.load(config)))
