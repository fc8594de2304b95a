"""A certificate that was revoked when it was made, kept with its key: who lets it in does not heed the list.

Nobody can try that with any other one: keys of revoked devices are in strange hands.
"""
from datetime import datetime

from cryptography import x509

from agent.ward.authority import certificates
from agent.ward.authority.cas import Cas
from agent.ward.authority.places import Places
from agent.ward.authority.probe import NAME, Pass

FILE = "revoked.canary"


def find(places: Places) -> Pass | None:
    """The one that is there. Raises OSError."""
    path = places.authority / FILE
    try:
        return Pass(NAME, path, x509.load_pem_x509_certificate(path.read_bytes()).serial_number)
    except (FileNotFoundError, ValueError):
        return None


def see_to(places: Places, cas: Cas, now: datetime) -> None:
    """Make one unless there is one of the current CA that holds on for long. Raises AuthorityFault and OSError."""
    current = cas.current(now)
    if there := find(places):
        certificate = x509.load_pem_x509_certificate(there.file.read_bytes())
        if certificate.issuer == current.certificate.subject and now < certificates.renewal_due(certificate):
            return
    made = Pass.issue(current, NAME, places.authority / FILE, now, certificates.DEVICE_LIFE)
    cas.revoke({made.serial}, now)
