"""Tables and verdicts, for people and as JSON."""
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of one thing."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.values)

    def over(self, others: "Spread") -> "Spread":
        """Ratios pair by pair: both were measured in the same rounds."""
        return Spread(tuple(mine / theirs for mine, theirs in zip(self.values, others.values, strict=True)))

    def text(self, digits: int = 2) -> str:
        """Median, and the range when there is one."""
        low, high = min(self.values), max(self.values)
        return f"{self.median:.{digits}f}" + (f" ({low:.{digits}f}-{high:.{digits}f})" if len(self.values) > 1 else "")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target and what was measured."""

    what: str
    limit: float
    unit: str
    measured: float
    doubt: str = ""             # why nobody can judge

    @property
    def met(self) -> bool:
        """Whether the measured figure is at or below the limit."""
        return self.measured <= self.limit

    def text(self) -> str:
        """One line."""
        target = f"target: {self.what} <= {self.limit:g} {self.unit}".rstrip()
        return f"{target}: {self.measured:.3g}, {self.word}"

    @property
    def word(self) -> str:
        """The judgement, or why there is none."""
        if self.doubt:
            return f"NOT JUDGED: {self.doubt}"
        return "met" if self.met else "MISSED"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a table's picture; `derived` from others by a straight line, and not measured."""

    name: str
    value: float
    series: str = ""
    derived: bool = False


@dataclass(slots=True)
class Table:
    """One table with its targets. Cells are text already; `figures` are the numbers behind them, for JSON.

    `bars` make its picture, in the unit of `scale`.
    """

    title: str
    head: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    bars: list[Bar] = field(default_factory=list)
    scale: str = ""

    def text(self) -> str:
        """As it is printed: the first column left, the others right."""
        lines = [self.head, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.head))]
        body = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines]
        return "\n".join([self.title, "", *body, "", *(verdict.text() for verdict in self.verdicts), *self.notes, ""])

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        targets = [{**asdict(verdict), "met": verdict.met and not verdict.doubt} for verdict in self.verdicts]
        return {"title": self.title, "figures": self.figures, "targets": targets, "notes": self.notes}
