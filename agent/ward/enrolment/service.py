"""Decides which devices may enrol and stay, and issues their certificates. It waits for the disk."""
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.core.contract import enrolment as contract
from agent.host.clock import Clock
from agent.ward.authority.certificates import pem
from agent.ward.authority.issuer import DEVICE, AuthorityFault, BadCsr, Issuer, key_of
from agent.ward.enrolment.book import CloneAlarm, EnrolmentBook, Entries, IssuedCertificate, KnownClaim
from agent.ward.keys import PUBLIC
from agent.ward.proxied import client_name
from agent.ward.settings import Settings

ALARMING: frozenset[contract.RefusalCode] = frozenset(("claim_used", "claim_revoked"))      # a card exists twice
NAMES_MAX = 4096                # of a pace
CERTIFICATES_N, CERTIFICATE_EVERY_S = 10, 3600.0        # of one device: a broken one does not fill the book
READY_N, READY_EVERY_S = 10, 20.0

# The HTTP status of a refusal, and the remedy.
REFUSALS: dict[contract.RefusalCode, tuple[int, str]] = {
    "claim_unknown": (403, "the ward does not know this claim; make the card from this ward's newest bundle; for a "
                           "new one: taimat ward enrol --again SERIAL"),
    "claim_used": (409, "another key has used this claim, so the card was copied or stolen; see which device is the "
                        "household's, then: taimat ward enrol --again SERIAL"),
    "claim_expired": (410, "the claim has expired; taimat ward enrol --again SERIAL, and make a new card"),
    "claim_revoked": (410, "this claim was revoked, so the card is an old or a lost one; make a new one from the "
                           "newest bundle"),
    "bad_csr": (400, "the request for a certificate does not hold; install the same version on device and ward"),
    "bad_request": (400, "this is no request of a device; install the same version on device and ward"),
    "not_yours": (403, "claim or key belong to another device; make the card from this device's own bundle"),
    "revoked": (403, "this device was revoked; to have it back: taimat ward enrol --again SERIAL"),
    "busy": (429, "too often; come again later"),
    "fault": (503, "the ward has a fault of its own; taimat ward doctor tells it")}

_log = logging.getLogger(__name__)


class EnrolRefusal(Exception):
    """A refusal: `code` for the device, the text for the journal."""

    def __init__(self, code: contract.RefusalCode, who: str, detail: str = "") -> None:
        super().__init__(f"{who} was refused, {code}: {detail or REFUSALS[code][1]}")
        self.code: contract.RefusalCode = code


def refusal(claim: KnownClaim | None, serial: str, key: str, now_ms: int) -> contract.RefusalCode | None:
    """Returns why the claim is refused. Its first key may use it again, because an answer may get lost."""
    if claim is None:
        return "claim_unknown"
    if claim.revoked_ms is not None:
        return "claim_revoked"
    if claim.key and claim.key != key:
        return "claim_used"
    if serial.lower() != claim.serial.lower():
        return "not_yours"
    return "claim_expired" if now_ms > claim.until_ms else None


class Pace:
    """A limit for each name: `at_once` times, then once each `every_s`."""

    def __init__(self, at_once: int, every_s: float) -> None:
        self._ahead_s, self._every_s = (at_once - 1) * every_s, every_s
        self._due_mono_s: dict[str, float] = {}         # when each would be done, had all kept to the pace

    def allows(self, name: str, now_mono_s: float) -> bool:
        """Whether `name` may go on now; if so, it counts. Beyond `NAMES_MAX` names it forgets the oldest."""
        due_mono_s = max(now_mono_s, self._due_mono_s.pop(name, now_mono_s))
        may = due_mono_s - now_mono_s <= self._ahead_s
        self._due_mono_s[name] = due_mono_s + self._every_s * may
        if len(self._due_mono_s) > NAMES_MAX:
            del self._due_mono_s[next(iter(self._due_mono_s))]
        return may

    def is_over(self, now_mono_s: float) -> bool:
        """Whether nobody is ahead of the pace, so that nothing is lost if it is forgotten."""
        return all(due_mono_s <= now_mono_s for due_mono_s in self._due_mono_s.values())


class EnrolmentService:
    """The devices of one ward. It reads all files each time, so a changed CA or key counts at once."""

    def __init__(self, own: Settings, clock: Clock) -> None:
        self._folder, self._ca = Path(own.authority.folder), Path(own.authority.ca)
        self._command_key = Path(own.ops.command_key + PUBLIC)
        self._book, self._clock = EnrolmentBook(self._folder), clock
        self._certificates = Pace(CERTIFICATES_N, CERTIFICATE_EVERY_S)
        self._ready = Pace(READY_N, READY_EVERY_S)

    def check(self) -> Issuer:
        """Checks that devices could be enrolled; returns the issuing CA. Raises AuthorityFault and BookFault."""
        with self._book.change():
            pass
        self._grant("", "")
        return Issuer.open(self._folder)

    def enrol(self, ask: contract.EnrolAsk, peer: str) -> contract.Grant:
        """Issues a certificate for a claim. Raises EnrolRefusal."""
        who, now = f"{ask.serial} from {peer or 'somewhere'}", self._now()
        with _refusing(who):
            der = key_of(ask.csr).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            dev, key = contract.device_id(der), hashlib.sha256(der).hexdigest()
            with self._book.change() as entries:
                claim = entries.claim(contract.claim_digest(ask.claim))
                code = refusal(claim, ask.serial, key, _ms(now))
                if claim and code in ALARMING:
                    entries.raise_alarm(CloneAlarm(serial=claim.serial, code=code, peer=peer, first_ms=_ms(now),
                                                   last_ms=_ms(now), times=1), claim, key)
                elif claim and not code:
                    if any(each.serial != claim.serial for each in entries.certificates(dev)):
                        raise EnrolRefusal("not_yours", who)
                    chain, made = self._sign(ask.csr, dev, claim.serial, now)
                    entries.grant(claim, key, made)
            if code:                    # only after the alarm is in the book
                raise EnrolRefusal(code, who)
            _log.info("%s is enrolled as %s", who, dev)
            return self._grant(dev, chain)

    def renew(self, certificate: x509.Certificate | None, ask: contract.RenewAsk) -> contract.Grant:
        """Issues the next certificate of a device. Raises EnrolRefusal."""
        dev, now = _device(certificate), self._now()
        with _refusing(dev):
            key_of(ask.csr)
            with self._book.change() as entries:
                chain, made = self._sign(ask.csr, dev, _place(entries, certificate, dev), now)
                entries.add(made)
            _log.info("%s has its next certificate", dev)
            return self._grant(dev, chain)

    def note_ready(self, certificate: x509.Certificate | None, ready: contract.Ready) -> None:
        """Raises EnrolRefusal."""
        dev, now = _device(certificate), self._now()
        with _refusing(dev):
            if not self._ready.allows(dev, self._clock.mono_s()):
                raise EnrolRefusal("busy", dev)
            with self._book.change() as entries:
                _place(entries, certificate, dev)
                entries.note_ready(dev, ready, _ms(now))

    def is_at_rest(self) -> bool:
        """Whether the service remembers nothing that the book does not."""
        now_mono_s = self._clock.mono_s()
        return self._certificates.is_over(now_mono_s) and self._ready.is_over(now_mono_s)

    def _sign(self, csr: str, dev: str, serial: str, now: datetime) -> tuple[str, IssuedCertificate]:
        """Returns the chain, and the book's entry of it. Raises EnrolRefusal, BadCsr and AuthorityFault."""
        if not self._certificates.allows(dev, self._clock.mono_s()):
            raise EnrolRefusal("busy", dev)
        chain = Issuer.open(self._folder).device(csr, dev, now)
        leaf = x509.load_pem_x509_certificate(chain.encode())
        return chain, IssuedCertificate(number=leaf.serial_number, dev=dev, serial=serial, made_ms=_ms(now),
                                        until_ms=_ms(leaf.not_valid_after_utc))

    def _grant(self, dev: str, chain: str) -> contract.Grant:
        """Adds the present roots and command keys. Raises AuthorityFault."""
        return contract.Grant(dev=dev, chain=chain, roots=roots(self._ca),
                              command_key=_text(self._command_key, "ward keys"))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now().wall_ms / 1000, UTC)


@contextmanager
def _refusing(who: str) -> Iterator[None]:
    """Turns our own faults into refusals. Raises EnrolRefusal."""
    try:
        yield
    except BadCsr as error:
        raise EnrolRefusal("bad_csr", who, f"{error}; install the same version on device and ward") from error
    except AuthorityFault as error:
        raise EnrolRefusal("fault", who, str(error)) from error


def _device(certificate: x509.Certificate | None) -> str:
    """Returns the id in a device's certificate. Raises EnrolRefusal if it is not a device's."""
    if not DEVICE.fullmatch(dev := client_name(certificate)):
        raise EnrolRefusal("not_yours", dev or "a stranger", "the certificate is not a device's")
    return dev


def _place(entries: Entries, certificate: x509.Certificate | None, dev: str) -> str:
    """Raises EnrolRefusal if the certificate was revoked. A book from a backup may not know it."""
    assert certificate
    known = entries.certificate(certificate.serial_number)
    if known is None:
        _log.warning("%s: its certificate is not in the book, which may be a backup's; it goes on", dev)
        return next((each.serial for each in reversed(entries.certificates(dev))), "")
    if known.revoked_ms is not None:
        raise EnrolRefusal("revoked", dev)
    return known.serial


def roots(ca: Path) -> str:
    """Returns the self-signed CAs in a file of CAs, in PEM. Raises AuthorityFault."""
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
