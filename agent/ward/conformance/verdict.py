"""Rules, and what comes of judging by them. Pure."""
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from agent.ward.conformance.transcript import Transcript

Verdict = Literal["pass", "fail", "not seen"]
Look = Callable[[Transcript], Iterable[str]]    # one text for each case that was found: "", or what is wrong with it
SHOWN_MAX = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """One sentence of the contract. `place` is the heading above it in docs/guide/subscriber.md."""

    id: str
    says: str
    place: str
    look: Look


class Finding(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What one rule came to."""

    rule: str
    verdict: Verdict
    says: str
    place: str
    cases_n: int                        # looked at
    wrong_n: int = 0                    # of them
    wrong: list[str] = []               # what was seen instead, the first few


def judge(rules: Sequence[Rule], transcript: Transcript) -> list[Finding]:
    """What each rule came to, in their order."""
    return [_found(rule, list(rule.look(transcript))) for rule in rules]


def _found(rule: Rule, cases: list[str]) -> Finding:
    wrong = [each for each in cases if each]
    verdict: Verdict = "fail" if wrong else "pass" if cases else "not seen"
    return Finding(rule=rule.id, verdict=verdict, says=rule.says, place=rule.place, cases_n=len(cases),
                   wrong_n=len(wrong), wrong=wrong[:SHOWN_MAX])
