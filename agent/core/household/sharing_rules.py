"""What the household allows the ward: its rule for each purpose, and the states of a request. Pure."""
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Rule = Literal["never", "ask", "allow"]
Telling = Literal["never", "allow"]        # of messages: there are too many to ask about each
TellingEvents = Literal["never", "people", "allow"]     # people: only people and vehicles
Kind = Literal["clip", "snapshot"]
State = Literal["new", "waiting", "approved", "packed", "delivered", "refused", "lapsed", "cancelled", "failed"]

Decision = Literal["approved", "refused", "lapsed", "cancelled"]

STRICTEST_FIRST: tuple[Rule, ...] = ("never", "ask", "allow")
# The household may withdraw its consent, and the ward its request, until the ward confirms that it has the footage.
NEXT: dict[State, tuple[State, ...]] = {
    "new": ("waiting", "approved", "refused", "cancelled", "failed"),       # the keeper has not judged it yet
    "waiting": ("approved", "refused", "lapsed", "cancelled", "failed"),
    "approved": ("packed", "failed", "refused", "cancelled"),
    "packed": ("delivered", "failed", "refused", "cancelled"),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """The household's rules: by purpose if there is one, else the default."""

    default: Rule
    by_purpose: dict[str, Rule]
    snapshots: Rule                 # for a live picture, together with the rule of the purpose

    @property
    def is_shut(self) -> bool:
        return {self.default, self.snapshots, *self.by_purpose.values()} == {"never"}

    def of(self, kind: Kind, purpose: str) -> Rule:
        rules = [self.by_purpose.get(purpose, self.default)]
        return strictest(rules + [self.snapshots] if kind == "snapshot" else rules)


def strictest(rules: Iterable[Rule]) -> Rule:
    return min(rules, key=STRICTEST_FIRST.index)


def may_become(state: State, new: State) -> bool:
    """Whether the state of a request can change from `state` to `new`."""
    return new in NEXT.get(state, ())
