"""Root's helper with a network, started by systemd: enrols the recorder, reports to the ward whether it works, and
renews the certificate in time.

Each start does what is due, also after a power cut. The set-up destroys the claim once the configuration names the
certificate.
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
from agent.core.contract import enrolment as contract
from agent.core.contract.enrolment import Bundle, Grant
from agent.core.delivery import certificate
from agent.core.delivery.backoff import Backoff, Waits
from agent.core.enrolment import Step, is_final, renewal_due
from agent.core.household.pause import TRUSTED
from agent.host import board, log, ward_folder
from agent.host.clock import Clock, SystemClock
from agent.host.command_key import PublicKeyProblem
from agent.host.command_key import load as load_command_keys
from agent.host.files import write_durably
from agent.host.ward_folder import EnrolState, WardFolder, WardRecord
from agent.mqtt.credentials import shake_hands
from agent.mqtt.fault import LinkFault
from agent.privileged.enrol.door import TEXTS, DoorRefused, Readiness, ReadyPace, post, tls, tls_of

WAITS = Waits(start_s=3.0, lost_s=5.0, step_s=10.0, longest_s=600.0)
RENEWAL = "renewal"             # the mark of its prepared folder
BOARD_MAX = 64

_log = logging.getLogger(__name__)
CIRCLE = "taimat-exports"       # the group of which only the link is a member


class BadGrant(Exception):
    """The ward's answer does not fit this recorder."""


def request_in(folder: Path) -> tuple[str, str]:
    """Returns the request for a certificate, and the id of its key in that folder. It makes a missing key.

    The key is on the card before the ward is asked, so a request after a power cut has the same key. Raises OSError.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    path, pem = folder / ward_folder.KEY, serialization.Encoding.PEM
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        data = made.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        write_durably(path, data, ward_folder.FOR_LINK)
    _give_to_link(path)
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    dev = contract.device_id(key.public_key().public_bytes(serialization.Encoding.DER,
                                                           serialization.PublicFormat.SubjectPublicKeyInfo))
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, dev)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(pem).decode(), dev


def _give_to_link(key: Path) -> None:
    """Does nothing unless the package is installed: elsewhere one user runs all roles."""
    try:
        group = grp.getgrnam(CIRCLE).gr_gid
    except KeyError:
        return
    os.chown(key, -1, group)


def write_grant(folder: Path, grant: Grant, dev: str) -> None:
    """Writes the ward's answer beside the key, and checks id, key and formats. Raises BadGrant and OSError."""
    for name, text in ((ward_folder.CERT, grant.chain), (ward_folder.ROOTS, grant.roots),
                       (ward_folder.COMMANDS, grant.command_key)):
        write_durably(folder / name, text.encode(), ward_folder.FOR_ALL)
    try:
        named = certificate.of_pem(grant.chain).common_name
        load_command_keys(str(folder / ward_folder.COMMANDS))
        tls_of(folder)
    except (certificate.NotACertificate, PublicKeyProblem, LinkFault) as error:
        raise BadGrant(str(error)) from error
    if (grant.dev, named) != (dev, dev):
        raise BadGrant(f"the certificate is for {named}, and this recorder is {dev}")


@dataclass(slots=True)
class Enroller:
    """One run; tests replace its places."""

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
        """Enrols, renews and reports as needed. Raises OSError."""
        record = self._enrolled()
        if record is None:
            return
        try:
            self._renew(record)
            Readiness(self.folder, self.runtime, self.config, self.clock, self.pace).tell(record)
        except DoorRefused as refused:
            self._refused(refused, record.called)

    def _enrolled(self) -> WardRecord | None:
        """Waits for the enrolment. Returns None if there is no claim, or if only a person can help."""
        backoff, wait_s = Backoff(WAITS).start(self.draw())
        while (bundle := self.folder.bundle()) and not ward_folder.is_of(bundle, self.folder.record()):
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
        prepared = self.folder.prepare(contract.claim_digest(bundle.claim), self._today())
        csr, dev = request_in(prepared)
        write_durably(prepared / ward_folder.ROOTS, bundle.roots.encode(), ward_folder.FOR_ALL)
        ask = contract.EnrolAsk(claim=bundle.claim, csr=csr, serial=bundle.serial,
                                agent=__version__[:32], board=(board.read().model or "")[:BOARD_MAX])
        context = tls(prepared / ward_folder.ROOTS)
        grant = _grant(post(bundle.host, bundle.enrol_port, contract.ENROL_PATH, ask, context))
        record = WardRecord(
            dev=dev, ward=bundle.ward, ward_name=bundle.ward_name, host=bundle.host, broker_port=bundle.broker_port,
            door_port=bundle.door_port, serial=bundle.serial, join=bundle.join,
            claim_sha256=contract.claim_digest(bundle.claim), granted_ms=self.clock.now().wall_ms)
        self._put_in_force(prepared, grant, record)
        _log.info("enrolled at %s as %s", record.called, dev)

    def _put_in_force(self, prepared: Path, grant: Grant, record: WardRecord) -> None:
        write_grant(prepared, grant, record.dev)
        write_durably(prepared / ward_folder.RECORD, msgspec.json.encode(record), ward_folder.FOR_ALL)
        if self.folder.record():            # keep the old certificate unless the new one works
            shake_hands(record.host, record.broker_port, tls_of(prepared))
        self.folder.put_in_force()
        self._show("enrolled", record.called)

    def _renew(self, record: WardRecord) -> None:
        """Gets another certificate for another key if it is time; the next try is tomorrow."""
        current, now = self.folder.current, self.clock.now()
        if now.clock not in TRUSTED or not self._is_due(record, now.wall_ms):
            return
        prepared = self.folder.prepare(RENEWAL, self._today())
        try:
            csr, _ = request_in(prepared)
            ask = contract.RenewAsk(csr=csr)
            grant = _grant(post(record.host, record.door_port, contract.RENEW_PATH, ask, tls_of(current)))
            self._put_in_force(prepared, grant, msgspec.structs.replace(record, granted_ms=now.wall_ms))
            _log.info("the certificate of %s is renewed", record.dev)
        except (LinkFault, BadGrant) as fault:
            self._show("renewing", record.called, getattr(fault, "code", "bad_grant"), str(fault))

    def _is_due(self, record: WardRecord, wall_ms: int) -> bool:
        try:
            leaf = certificate.of_pem((self.folder.current / ward_folder.CERT).read_text())
        except certificate.NotACertificate:
            return True
        return renewal_due(_time(record.granted_ms), leaf.not_before, leaf.not_after, _time(wall_ms))

    def _refused(self, refused: DoorRefused, called: str) -> None:
        self._show("refused" if is_final(refused.code) else "waiting", called, refused.code,
                   TEXTS["refused"][refused.code].format(ward=called))

    def _show(self, step: Step, called: str, code: str = "", detail: str = "") -> None:
        if detail:
            _log.warning("%s: %s", code, detail)
        try:
            ward_folder.show(self.runtime, EnrolState(step=step, ward=called, code=code, detail=detail,
                                          wall_ms=self.clock.now().wall_ms))
        except OSError as error:
            _log.error("%s", error)

    def _today(self) -> str:
        return _time(self.clock.now().wall_ms).strftime("%Y%m%d")


def _grant(answer: bytes) -> Grant:
    try:
        return msgspec.json.decode(answer, type=Grant)
    except msgspec.DecodeError as error:
        raise BadGrant(str(error)) from error


def _time(wall_ms: int) -> datetime:
    return datetime.fromtimestamp(wall_ms / 1000, UTC)


def main(argv: Sequence[str] | None = None) -> int:
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
