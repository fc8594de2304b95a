"""The household's rules for what the ward asks for, out of the settings."""
import re
from collections.abc import Iterator

from agent.config.settings import Sharing
from agent.core.household.sharing import STRICTEST_FIRST, Rules

PURPOSE = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")


def rules(sharing: Sharing) -> Rules:
    """What holds for each purpose."""
    return Rules(sharing.default, {purpose: rule for rule in STRICTEST_FIRST for purpose in getattr(sharing, rule)},
                 sharing.snapshots)


def faults(sharing: Sharing) -> Iterator[tuple[str, str]]:
    """What is wrong: the key, and what would be right."""
    seen: dict[str, str] = {}
    for rule in STRICTEST_FIRST:
        for purpose in getattr(sharing, rule):
            if not PURPOSE.match(purpose):
                yield rule, f'"{purpose}" is no purpose: write words such as "theft" or "missing-person"'
            elif seen.setdefault(purpose, rule) != rule:
                yield rule, f'"{purpose}" is under {seen[purpose]} already: a purpose has one rule'
