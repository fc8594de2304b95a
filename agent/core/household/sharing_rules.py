"""What the household lets the ward have: its rule for each purpose, and what may become of a request. Pure."""
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Rule = Literal["never", "ask", "allow"]
Telling = Literal["never", "allow"]        # of messages: nobody would answer for each
TellingEvents = Literal["never", "people", "allow"]     # people: of people and vehicles alone
Kind = Literal["clip", "snapshot"]
State = Literal["new", "waiting", "approved", "packed", "delivered", "refused", "lapsed", "cancelled", "failed"]

Decision = Literal["approved", "refused", "lapsed", "cancelled"]

STRICTEST_FIRST: tuple[Rule, ...] = ("never", "ask", "allow")
# A household may take its word back, and a ward its wish, until the ward has said that it has the footage.
NEXT: dict[State, tuple[State, ...]] = {
    "new": ("waiting", "approved", "refused", "cancelled", "failed"),       # the keeper has not looked at it yet
    "waiting": ("approved", "refused", "lapsed", "cancelled", "failed"),
    "approved": ("packed", "failed", "refused", "cancelled"),
    "packed": ("delivered", "failed", "refused", "cancelled"),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """The household's rules: by purpose where it has one, else the default."""

    default: Rule
    by_purpose: dict[str, Rule]
    snapshots: Rule                 # for a picture of the moment, beside the purpose's own

    @property
    def is_shut(self) -> bool:
        """Whether nothing leaves, for whatever purpose."""
        return {self.default, self.snapshots, *self.by_purpose.values()} == {"never"}

    def of(self, kind: Kind, purpose: str) -> Rule:
        """What holds for such a wish; of two rules the stricter one."""
        rules = [self.by_purpose.get(purpose, self.default)]
        return strictest(rules + [self.snapshots] if kind == "snapshot" else rules)


def strictest(rules: Iterable[Rule]) -> Rule:
    """The one that lets out least."""
    return min(rules, key=STRICTEST_FIRST.index)


def may_become(state: State, new: State) -> bool:
    """Whether a request in `state` can be `new` next."""
    return new in NEXT.get(state, ())
