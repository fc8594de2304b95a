"""The recorder's own key: made here, known to nobody else. The cryptography library is loaded where one is needed."""
import grp
import os
from pathlib import Path

from agent.cli.enrol.door import tls_of
from agent.core.contract.enrolment import Grant, device_id
from agent.core.delivery import certificate
from agent.host.command_key import PublicKeyProblem
from agent.host.command_key import load as load_command_keys
from agent.host.files import write_durably
from agent.host.ward_folder import CERT, COMMANDS, FOR_ALL, FOR_LINK, KEY, ROOTS
from agent.mqtt.fault import LinkFault

CIRCLE = "taimat-exports"       # the group that of all roles the link alone is in


class BadGrant(Exception):
    """The ward's answer does not fit this recorder; the text says why."""


def request_in(folder: Path) -> tuple[str, str]:
    """The request for a certificate of the key in that folder, which is made if there is none, and the key's id.

    The key is on the card before anybody is asked: after a cut the same one asks again. Raises OSError.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
    )
    path = folder / KEY
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        write_durably(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), FOR_LINK)
    _give_to_link(path)
    key = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    dev = device_id(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, dev)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode(), dev


def _give_to_link(key: Path) -> None:
    """Where the package is installed: elsewhere one user is all roles."""
    try:
        group = grp.getgrnam(CIRCLE).gr_gid
    except KeyError:
        return
    os.chown(key, -1, group)


def lay(folder: Path, grant: Grant, dev: str) -> None:
    """Lay the ward's answer beside the key, and see whether it fits: for this id, this key, and what reads it.

    Raises BadGrant and OSError.
    """
    for name, text in ((CERT, grant.chain), (ROOTS, grant.roots), (COMMANDS, grant.command_key)):
        write_durably(folder / name, text.encode(), FOR_ALL)
    try:
        named = certificate.of_pem(grant.chain).common_name
        load_command_keys(str(folder / COMMANDS))
        tls_of(folder)
    except (certificate.NotACertificate, PublicKeyProblem, LinkFault) as error:
        raise BadGrant(str(error)) from error
    if (grant.dev, named) != (dev, dev):
        raise BadGrant(f"the certificate is for {named}, and this recorder is {dev}")
