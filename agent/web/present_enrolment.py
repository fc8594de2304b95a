"""How far this recorder's enrolment at its ward is, in a household's words. A technician asks `taimat doctor`."""
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent.config.settings import Ward
from agent.core.delivery import certificate
from agent.host.ward_folder import EnrolState, record_beside, shown
from agent.web.words import PageWords

NO_NETWORK = ("dns", "timeout", "network", "no_broker", "closed", "busy")
SAID = ("claim_used", "claim_expired", "revoked")       # refusals that have words of their own
NO_CLOCK = ("tls_not_yet_valid", "tls_expired")


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What is known of it, as it lies on the card and in memory."""

    ward: str                   # for people; "": no bundle brought the certificate
    until_ms: int | None        # when the certificate ends
    state: EnrolState | None


@dataclass(frozen=True, slots=True)
class EnrolmentView:
    """In words."""

    called: str                 # the ward
    known: bool                 # the recorder is enrolled there
    trouble: str                # "": none
    tone: Literal["idle", "warn"]
    until: str


def read(ward: Ward, runtime: Path) -> Enrolment:
    """Look at it. Raises OSError."""
    record, state = record_beside(ward.cert), shown(runtime)
    if record is None or record.ward != ward.ward:
        return Enrolment("", None, state)
    try:
        leaf = certificate.of_pem(Path(ward.cert).read_text(encoding="ascii"))
    except (certificate.NotACertificate, UnicodeDecodeError):
        return Enrolment(record.called, None, state)
    return Enrolment(record.called, int(leaf.not_after.timestamp() * 1000), state)


def enrolment_view(found: Enrolment, ward: str, now_wall_ms: int, said: PageWords) -> EnrolmentView:
    """`ward` is its name in the configuration, or that of the ward that the household is in."""
    state, trouble = found.state, ""
    if state and state.step != "enrolled":
        trouble = said(f"enrolment.{_kind(state)}", ward=state.ward)
    until = said("enrolment.until", day=said.day(found.until_ms, now_wall_ms)) if found.until_ms is not None else ""
    return EnrolmentView(found.ward or said("sharing.ward", ward=ward), bool(found.ward), trouble,
                         "warn" if state and state.step == "refused" else "idle", until)


def _kind(state: EnrolState) -> str:
    if state.step == "refused":
        return state.code if state.code in SAID else "refused"
    if state.step == "renewing":
        return "renewing"
    return "no_clock" if state.code in NO_CLOCK else "no_network" if state.code in NO_NETWORK else "waiting"
