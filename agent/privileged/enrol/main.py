"""Root's helper with a network, started by systemd: has the recorder enrolled, tells the ward whether what was
installed works, and renews the certificate in time.

Each start does what is to be done, from wherever a cut has left it. The claim is destroyed by the set-up, once the
configuration names the certificate.
"""
import argparse
import grp
import logging
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from agent import __version__
from agent.config.load import DEFAULT_PATH
from agent.config.settings import Store
from agent.core.contract.enrolment import (
    ENROL_PATH,
    RENEW_PATH,
    Bundle,
    EnrolAsk,
    Grant,
    RenewAsk,
    claim_digest,
    device_id,
)
from agent.core.delivery import certificate
from agent.core.delivery.backoff import Backoff, Waits
from agent.core.enrolment import REMEDIES, Step, is_final, renewal_due
from agent.core.household.pause import TRUSTED
from agent.host import board, log
from agent.host.clock import Clock, SystemClock
from agent.host.command_key import PublicKeyProblem
from agent.host.command_key import load as load_command_keys
from agent.host.files import write_durably
from agent.host.ward_folder import (
    CERT,
    COMMANDS,
    FOR_ALL,
    FOR_LINK,
    KEY,
    RECORD,
    ROOTS,
    EnrolState,
    WardFolder,
    WardRecord,
    is_of,
    show,
)
from agent.mqtt.credentials import shake_hands
from agent.mqtt.fault import LinkFault
from agent.privileged.enrol.door import DoorRefused, post, tls, tls_of
from agent.privileged.enrol.readiness import Readiness, ReadyPace

WAITS = Waits(start_s=3.0, lost_s=5.0, step_s=10.0, longest_s=600.0)
RENEWAL = "renewal"             # the mark of what is prepared for that
BOARD_MAX = 64

_log = logging.getLogger(__name__)
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


@dataclass(slots=True)
class Enroller:
    """One run; tests have another place for each."""

    config: Path = DEFAULT_PATH
    runtime: Path = Path(Store().runtime)
    clock: Clock = field(default_factory=SystemClock)
    wait: Callable[[float], object] = time.sleep
    draw: Callable[[], float] = random.random
    pace: ReadyPace = ReadyPace()

    @property
    def folder(self) -> WardFolder:
        return WardFolder(self.config.with_name("ward"))

    def run(self) -> None:
        """Do all that is to be done. Raises OSError."""
        record = self._enrolled()
        if record is None:
            return
        try:
            self._renew(record)
            Readiness(self.folder, self.runtime, self.config, self.clock, self.pace).tell(record)
        except DoorRefused as refused:
            self._refused(refused, record.called)

    def _enrolled(self) -> WardRecord | None:
        """The enrolment, which may take its time; None where there is none, or only a person can help."""
        backoff, wait_s = Backoff(WAITS).start(self.draw())
        while (bundle := self.folder.bundle()) and not is_of(bundle, self.folder.record()):
            self.wait(wait_s)
            called = bundle.ward_name or bundle.ward
            try:
                self._ask(bundle)
            except DoorRefused as refused:
                self._refused(refused, called)
                if is_final(refused.code):
                    return None
            except LinkFault as fault:
                self._show("waiting", called, fault.code, str(fault))
            except BadGrant as bad:
                self._show("waiting", called, "bad_grant", f"the ward's answer does not fit: {bad}")
            backoff, wait_s = backoff.failed(self.draw())
        return self.folder.record()

    def _ask(self, bundle: Bundle) -> None:
        """One try. Raises DoorRefused, LinkFault, BadGrant and OSError."""
        prepared = self.folder.prepare(claim_digest(bundle.claim), self._today())
        csr, dev = request_in(prepared)
        write_durably(prepared / ROOTS, bundle.roots.encode(), FOR_ALL)
        ask = EnrolAsk(claim=bundle.claim, csr=csr, serial=bundle.serial, agent=__version__[:32],
                       board=(board.read().model or "")[:BOARD_MAX])
        grant = _grant(post(bundle.host, bundle.enrol_port, ENROL_PATH, ask, tls(prepared / ROOTS)))
        record = WardRecord(
            dev=dev, ward=bundle.ward, ward_name=bundle.ward_name, host=bundle.host, broker_port=bundle.broker_port,
            door_port=bundle.door_port, serial=bundle.serial, join=bundle.join,
            claim_sha256=claim_digest(bundle.claim), granted_ms=self.clock.now().wall_ms)
        self._put_in_force(prepared, grant, record)
        _log.info("enrolled at %s as %s", record.called, dev)

    def _put_in_force(self, prepared: Path, grant: Grant, record: WardRecord) -> None:
        lay(prepared, grant, record.dev)
        write_durably(prepared / RECORD, msgspec.json.encode(record), FOR_ALL)
        if self.folder.record():            # what works is given up for what does, and for nothing else
            shake_hands(record.host, record.broker_port, tls_of(prepared))
        self.folder.put_in_force()
        self._show("enrolled", record.called)

    def _renew(self, record: WardRecord) -> None:
        """Get another certificate, for another key, if it is time; what fails is tried again tomorrow.

        Raises DoorRefused and OSError.
        """
        current, now = self.folder.current, self.clock.now()
        if now.clock not in TRUSTED or not self._is_due(record, now.wall_ms):
            return
        prepared = self.folder.prepare(RENEWAL, self._today())
        try:
            csr, _ = request_in(prepared)
            grant = _grant(post(record.host, record.door_port, RENEW_PATH, RenewAsk(csr=csr), tls_of(current)))
            self._put_in_force(prepared, grant, msgspec.structs.replace(record, granted_ms=now.wall_ms))
            _log.info("the certificate of %s is renewed", record.dev)
        except (LinkFault, BadGrant) as fault:
            self._show("renewing", record.called, getattr(fault, "code", "bad_grant"), str(fault))

    def _is_due(self, record: WardRecord, wall_ms: int) -> bool:
        try:
            leaf = certificate.of_pem((self.folder.current / CERT).read_text())
        except certificate.NotACertificate:
            return True
        return renewal_due(_time(record.granted_ms), leaf.not_before, leaf.not_after, _time(wall_ms))

    def _refused(self, refused: DoorRefused, called: str) -> None:
        self._show("refused" if is_final(refused.code) else "waiting", called, refused.code,
                   REMEDIES[refused.code].format(ward=called))

    def _show(self, step: Step, called: str, code: str = "", detail: str = "") -> None:
        if detail:
            _log.warning("%s: %s", code, detail)
        try:
            show(self.runtime, EnrolState(step=step, ward=called, code=code, detail=detail,
                                          wall_ms=self.clock.now().wall_ms))
        except OSError as error:
            _log.error("%s", error)

    def _today(self) -> str:
        return _time(self.clock.now().wall_ms).strftime("%Y%m%d")


def _grant(answer: bytes) -> Grant:
    """The ward's answer. Raises BadGrant."""
    try:
        return msgspec.json.decode(answer, type=Grant)
    except msgspec.DecodeError as error:
        raise BadGrant(str(error)) from error


def _time(wall_ms: int) -> datetime:
    return datetime.fromtimestamp(wall_ms / 1000, UTC)


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of root's helper. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="taimat enrol")
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH)
    log.set_up("enrol", "info")
    try:
        Enroller(parser.parse_args(argv).config).run()
    except (OSError, ValueError) as error:
        _log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
