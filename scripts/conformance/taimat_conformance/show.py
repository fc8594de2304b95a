"""Findings on a terminal, in a pipe and for programs. It stands alone: what judges knows no terminal."""
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from taimat_conformance.verdict import RuleFinding

COLOURS = {"pass": "green", "fail": "bold red", "not seen": "dim"}
GUIDE = "docs/reference/subscriber.md"


def show(findings: Sequence[RuleFinding], title: str, as_json: bool) -> None:
    """Print it: a table for a terminal, lines for a pipe, an object a line for programs."""
    if as_json:
        for each in findings:
            print(msgspec.json.encode(each).decode())
    elif sys.stdout.isatty():
        Console().print(table(findings, title))
    else:
        for each in findings:
            print("\t".join((each.verdict, each.rule, each.says, "; ".join(seen(each)))))


def table(findings: Sequence[RuleFinding], title: str) -> RenderableType:
    """All rules, what came of each, and what was seen where one is broken."""
    grid = Table("", "rule", "what the contract says", box=None, header_style="bold", pad_edge=False,
                 padding=(0, 2, 0, 0))
    for each in findings:
        grid.add_row(Text(each.verdict, style=COLOURS[each.verdict]), Text(each.rule), _told(each))
    counted: Counter[str] = Counter(each.verdict for each in findings)
    summary = ", ".join(f"{counted[each]} {each}" for each in COLOURS)
    return Group(Text(title, style="bold"), grid, Text(f"{summary}; the contract: {GUIDE}"))


def _told(finding: RuleFinding) -> Text:
    told = Text(finding.says)
    for line in seen(finding):
        told.append(f"\n{line}", style="red")
    return told


def seen(finding: RuleFinding) -> Iterator[str]:
    """What was seen instead, and where to read what should have been."""
    yield from finding.wrong
    if (more_n := finding.wrong_n - len(finding.wrong)) > 0:
        yield f"and {more_n} more"
    if finding.wrong:
        yield f"see: {finding.place}"
