"""Rules of the contract, and the findings about a transcript. Pure."""
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from taimat_conformance.transcript import Transcript

RuleVerdict = Literal["pass", "fail", "not seen"]
Look = Callable[[Transcript], Iterable[str]]    # a text for each case found: "", or its fault
SHOWN_MAX = 3


@dataclass(frozen=True, slots=True)
class ContractRule:
    """One sentence of the contract. `place` is the heading above it in docs/reference/subscriber.md."""

    id: str
    says: str
    place: str
    look: Look


class RuleFinding(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The finding about one rule."""

    rule: str
    verdict: RuleVerdict
    says: str
    place: str
    cases_n: int                        # cases seen
    wrong_n: int = 0                    # broken ones among them
    wrong: list[str] = []               # the faults of the first few


def judge(rules: Sequence[ContractRule], transcript: Transcript) -> list[RuleFinding]:
    """A finding for each rule, in their order."""
    return [_found(rule, list(rule.look(transcript))) for rule in rules]


def _found(rule: ContractRule, cases: list[str]) -> RuleFinding:
    wrong = [each for each in cases if each]
    verdict: RuleVerdict = "fail" if wrong else "pass" if cases else "not seen"
    return RuleFinding(rule=rule.id, verdict=verdict, says=rule.says, place=rule.place, cases_n=len(cases),
                       wrong_n=len(wrong), wrong=wrong[:SHOWN_MAX])
