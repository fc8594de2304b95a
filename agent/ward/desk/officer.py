"""Which officer is at the desk, by the certificate that the proxy has checked. Pure."""
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from agent.ward.authority.certificates import NAME_MAX, PERSON
from agent.ward.proxied import client_certificate, client_name

# At the broker the rights of devices are patterns of a name, whoever's that is. No topic can have a "+" in it: so an
# officer is no device there.
PREFIX = "desk+"
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,25}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Officer:
    """Who looks and asks."""

    name: str               # that of the certificate, without its prefix
    person: str             # as households read it

    @property
    def noted(self) -> str:
        """As it is written down beside what was done."""
        return f"{self.person} ({PREFIX}{self.name})"


def officer(headers: Sequence[str]) -> Officer | None:
    """Whose certificate this is; `headers` are the values of the proxy's. None for nobody, and for no officer."""
    certificate = client_certificate(headers[0]) if len(headers) == 1 else None
    common = client_name(certificate)
    name = common.removeprefix(PREFIX)
    if certificate is None or not common.startswith(PREFIX) or not NAME.fullmatch(name):
        return None
    return Officer(name, person_of(certificate) or name)


def person_of(certificate: x509.Certificate) -> str:
    """What people call the officer of this certificate; "" where it does not say."""
    found = certificate.subject.get_attributes_for_oid(PERSON)
    return str(found[0].value)[:NAME_MAX] if found else ""
