"""Decides who becomes a device of the ward and who stays one, and has certificates made. It waits for the disk."""
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.core.contract.enrolment import (
    EnrolAsk,
    Grant,
    Ready,
    RefusalCode,
    RenewAsk,
    claim_digest,
    device_id,
)
from agent.host.clock import Clock
from agent.ward.authority.certificates import pem
from agent.ward.authority.issuer import DEVICE, AuthorityFault, BadCsr, Issuer, key_of
from agent.ward.enrolment.book import BookFault, EnrolmentBook
from agent.ward.enrolment.claims import ALARMING, Pace, refusal
from agent.ward.enrolment.entries import CloneAlarm, Entries, IssuedCertificate
from agent.ward.keys import PUBLIC
from agent.ward.proxied import client_name
from agent.ward.settings import Settings

CERTIFICATES_N, CERTIFICATE_EVERY_S = 10, 3600.0        # of one device: a broken one does not fill the book
READY_N, READY_EVERY_S = 10, 20.0

# What a refusal means over HTTP, and what somebody can do about it.
REFUSALS: dict[RefusalCode, tuple[int, str]] = {
    "claim_unknown": (403, "nobody is expected by this claim; make the card from this ward's newest bundle; for a "
                           "new one: taimat ward enrol --again SERIAL"),
    "claim_used": (409, "another key has used this claim, so the card was copied or stolen; see which device is the "
                        "household's, then: taimat ward enrol --again SERIAL"),
    "claim_expired": (410, "the card has lain too long; taimat ward enrol --again SERIAL, and make it anew"),
    "claim_revoked": (410, "this claim was taken back, so the card is an old or a lost one; make it anew from the "
                           "newest bundle"),
    "bad_csr": (400, "the request for a certificate does not hold; install the same version on device and ward"),
    "bad_request": (400, "this is no request of a device; install the same version on device and ward"),
    "not_yours": (403, "claim or key belong to another device; make the card from this device's own bundle"),
    "revoked": (403, "this device was revoked; to have it back: taimat ward enrol --again SERIAL"),
    "busy": (429, "too often; come again later"),
    "fault": (503, "the ward has a fault of its own; taimat ward doctor tells it")}

_log = logging.getLogger(__name__)


class EnrolRefusal(Exception):
    """The answer is no: `code` is for the device, the text for the journal."""

    def __init__(self, code: RefusalCode, who: str, detail: str = "") -> None:
        super().__init__(f"{who} was refused, {code}: {detail or REFUSALS[code][1]}")
        self.code: RefusalCode = code


class EnrolmentService:
    """The devices of one ward. Everything is read anew each time: a changed CA or key counts at once."""

    def __init__(self, own: Settings, clock: Clock) -> None:
        """For the authority that the settings name."""
        self._folder, self._ca = Path(own.authority.folder), Path(own.authority.ca)
        self._command_key = Path(own.ops.command_key + PUBLIC)
        self._book, self._clock = EnrolmentBook(self._folder), clock
        self._certificates = Pace(CERTIFICATES_N, CERTIFICATE_EVERY_S)
        self._ready = Pace(READY_N, READY_EVERY_S)

    def check(self) -> Issuer:
        """See that devices could be enrolled; returns the issuing CA. Raises AuthorityFault, BookFault."""
        with self._book.change():
            pass
        self._grant("", "")
        return Issuer.open(self._folder)

    def enrol(self, ask: EnrolAsk, peer: str) -> Grant:
        """A certificate for whoever has a claim. Raises EnrolRefusal."""
        who, now = f"{ask.serial} from {peer or 'somewhere'}", self._now()
        with _told(who):
            der = key_of(ask.csr).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            dev, key = device_id(der), hashlib.sha256(der).hexdigest()
            with self._book.change() as entries:
                claim = entries.claim(claim_digest(ask.claim))
                code = refusal(claim, ask.serial, key, _ms(now))
                if claim and code in ALARMING:
                    entries.raise_alarm(CloneAlarm(serial=claim.serial, code=code, peer=peer, first_ms=_ms(now),
                                                   last_ms=_ms(now), times=1), claim, key)
                elif claim and not code:
                    if any(each.serial != claim.serial for each in entries.certificates(dev)):
                        raise EnrolRefusal("not_yours", who)
                    chain, made = self._sign(ask.csr, dev, claim.serial, now)
                    entries.grant(claim, key, made)
            if code:                    # told when the alarm is in the book
                raise EnrolRefusal(code, who)
            _log.info("%s is enrolled as %s", who, dev)
            return self._grant(dev, chain)

    def renew(self, certificate: x509.Certificate | None, ask: RenewAsk) -> Grant:
        """The next certificate for a device that has one. Raises EnrolRefusal."""
        dev, now = _device(certificate), self._now()
        with _told(dev):
            key_of(ask.csr)
            with self._book.change() as entries:
                chain, made = self._sign(ask.csr, dev, _place(entries, certificate, dev), now)
                entries.add(made)
            _log.info("%s has its next certificate", dev)
            return self._grant(dev, chain)

    def note_ready(self, certificate: x509.Certificate | None, told: Ready) -> None:
        """What an enrolled device tells of itself. Raises EnrolRefusal."""
        dev, now = _device(certificate), self._now()
        with _told(dev):
            if not self._ready.allows(dev, self._clock.mono_s()):
                raise EnrolRefusal("busy", dev)
            with self._book.change() as entries:
                _place(entries, certificate, dev)
                entries.note_ready(dev, told, _ms(now))

    def _sign(self, csr: str, dev: str, serial: str, now: datetime) -> tuple[str, IssuedCertificate]:
        """The chain, and what the book is to have of it. Raises EnrolRefusal, BadCsr, AuthorityFault."""
        if not self._certificates.allows(dev, self._clock.mono_s()):
            raise EnrolRefusal("busy", dev)
        chain = Issuer.open(self._folder).device(csr, dev, now)
        leaf = x509.load_pem_x509_certificate(chain.encode())
        return chain, IssuedCertificate(number=leaf.serial_number, dev=dev, serial=serial, made_ms=_ms(now),
                                        until_ms=_ms(leaf.not_valid_after_utc))

    def _grant(self, dev: str, chain: str) -> Grant:
        """With the roots and the command keys that count now. Raises AuthorityFault."""
        return Grant(dev=dev, chain=chain, roots=roots(self._ca), command_key=_text(self._command_key, "ward keys"))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now().wall_ms / 1000, UTC)


@contextmanager
def _told(who: str) -> Iterator[None]:
    """Faults of ours are refusals that last for a while. Raises EnrolRefusal."""
    try:
        yield
    except BadCsr as error:
        raise EnrolRefusal("bad_csr", who, f"{error}; install the same version on device and ward") from error
    except (AuthorityFault, BookFault) as error:
        raise EnrolRefusal("fault", who, str(error)) from error


def _device(certificate: x509.Certificate | None) -> str:
    """The id in a device's certificate. Raises EnrolRefusal for an account's, or none."""
    if not DEVICE.fullmatch(dev := client_name(certificate)):
        raise EnrolRefusal("not_yours", dev or "somebody", "the certificate is no device's")
    return dev


def _place(entries: Entries, certificate: x509.Certificate | None, dev: str) -> str:
    """Where the device of this certificate hangs. Raises EnrolRefusal for one that was revoked.

    The proxy has seen that the ward has signed it; a book from before that, a backup's, does not know it.
    """
    assert certificate
    known = entries.certificate(certificate.serial_number)
    if known is None:
        _log.warning("%s: its certificate is not in the book, which may be a backup's; it goes on", dev)
        return next((each.serial for each in reversed(entries.certificates(dev))), "")
    if known.revoked_ms is not None:
        raise EnrolRefusal("revoked", dev)
    return known.serial


def roots(ca: Path) -> str:
    """The root CAs in a file of CAs, in PEM: those that nobody else has signed. Raises AuthorityFault."""
    try:
        found = x509.load_pem_x509_certificates(_text(ca, "ward init").encode())
    except ValueError as error:
        raise AuthorityFault(f"{ca}: is no list of certificates in PEM; taimat ward restore brings it back") from error
    return pem(*(each for each in found if each.issuer == each.subject))


def _text(path: Path, command: str) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise AuthorityFault(f"{path}: {getattr(error, 'strerror', None) or 'is not in PEM'}; taimat {command} makes it"
                             ) from error


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
