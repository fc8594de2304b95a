"""How long and how often to measure."""
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """What the command line asks for; a bench falls back on its own usual figures where nothing was said."""

    quick: bool = False
    rounds_n: int | None = None
    seconds: int | None = None
    brief: bool = False         # one of the set that the documents quote, which is to end within half an hour

    def rounds(self, usual_n: int, quick_n: int = 1) -> int:
        """How many rounds, or events."""
        return self.rounds_n or (quick_n if self.quick else usual_n)

    def long_s(self, usual_s: float, quick_s: float) -> float:
        """How long to measure."""
        return self.seconds or (quick_s if self.quick else usual_s)

    def warm_s(self, usual_s: float, quick_s: float = 8.0) -> float:
        """How long to let a process settle before anything counts."""
        return quick_s if self.quick else usual_s


def tell(what: str) -> None:
    """One line to whoever waits; tables alone go to standard output."""
    print(f"... {what}", file=sys.stderr, flush=True)
