"""One line of the table: what was checked, what was seen, and whether that is good."""
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`good` is None where this machine can't tell."""

    what: str
    good: bool | None
    seen: str
    wanted: str


def at_most(what: str, measured: float, limit: float, unit: str) -> Row:
    """A figure with an upper limit."""
    return Row(what, measured <= limit, f"{measured:.3g} {unit}", f"at most {limit:g} {unit}")
