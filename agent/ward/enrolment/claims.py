"""Whether a claim lets somebody in, and how often somebody may try. Pure."""
from dataclasses import dataclass

from agent.core.contract.enrolment import RefusalCode

ALARMING: frozenset[RefusalCode] = frozenset(("claim_used", "claim_revoked"))      # somebody has a card twice
NAMES_MAX = 4096


@dataclass(frozen=True, slots=True)
class KnownClaim:
    """A claim as the book has it: of the secret its SHA-256 alone."""

    digest: str
    serial: str
    until_ms: int
    key: str = ""               # SHA-256 of the key that has used it; "": none has
    dev: str = ""               # the device that it has become
    revoked_ms: int | None = None


def refusal(claim: KnownClaim | None, serial: str, key: str, now_ms: int) -> RefusalCode | None:
    """Why this key gets no certificate for the claim, of the device that calls itself `serial`; None if it gets one.

    The same key gets another one within the claim's time: the first answer may have been lost on the way.
    """
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
    """How often each of many may do something: `at_once` times, then once each `every_s`."""

    def __init__(self, at_once: int, every_s: float) -> None:
        """Nobody has done anything yet."""
        self._ahead_s, self._every_s = (at_once - 1) * every_s, every_s
        self._due_mono_s: dict[str, float] = {}         # when each would be done, had all kept to the pace

    def allows(self, name: str, now_mono_s: float) -> bool:
        """Whether it may do so now; then it counts. Of those beyond `NAMES_MAX` the longest known is forgotten."""
        due_mono_s = max(now_mono_s, self._due_mono_s.pop(name, now_mono_s))
        may = due_mono_s - now_mono_s <= self._ahead_s
        self._due_mono_s[name] = due_mono_s + self._every_s * may
        if len(self._due_mono_s) > NAMES_MAX:
            del self._due_mono_s[next(iter(self._due_mono_s))]
        return may
