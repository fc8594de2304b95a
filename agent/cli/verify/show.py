"""What a check found, and what holds, for people and for programs."""
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from agent.cli.terminal import console, json_line, table, when
from agent.core.evidence.ledger import CardContents, Checked, ClipSigned, Flaw, fingerprint
from agent.core.household.pause import TRUSTED

NO_HEAD = ("From the card alone nobody can tell whether the ledger's end was cut off: "
           "compare with a head that the ward has kept, --head N:HEX.")


@dataclass(frozen=True, slots=True)
class CardResults:
    """What the check of a card found."""

    checked: Checked
    findings: Sequence[Flaw]
    shelf: CardContents
    heads: Mapping[int, str]

    @property
    def clips_n(self) -> tuple[int, int]:
        """How many clips on the card hold, and how many there are."""
        named = {row.body.get("clip") for row in self.checked.rows if row.kind == ClipSigned.KIND}
        wrong = {finding.clip for finding in self.findings}
        return len(self.shelf.files.keys() & named - wrong), len(self.shelf.files)

    @property
    def heads_n(self) -> int:
        """How many of the heads are rows of this ledger."""
        wrong = [finding for finding in self.findings if finding.code in ("tail_cut", "head_differs")]
        return len(self.heads) - len(wrong)


def results(found: CardResults, as_json: bool) -> None:
    """Print findings and what holds."""
    if as_json:
        _as_json(found)
    else:
        _as_text(found)


def _as_json(found: CardResults) -> None:
    """A line for each finding, then one with what holds."""
    for finding in found.findings:
        json_line(asdict(finding))
    checked, (good_n, all_n) = found.checked, found.clips_n
    json_line({"holds": not found.findings, "rows": checked.stretches, "last_n": checked.last_n, "clips_n": all_n,
               "clips_hold_n": good_n, "heads_n": len(found.heads), "heads_hold_n": found.heads_n,
               "waiting_n": checked.waiting_n, "keys": [fingerprint(key) for key in checked.keys],
               "device": checked.rows[0].dev if checked.rows else None})


def _as_text(found: CardResults) -> None:
    out, checked = console(), found.checked
    list_findings(found.findings, "clip")
    good_n, all_n = found.clips_n
    verdict = "[red]not all of it holds[/red]" if found.findings else "[green]all of it holds[/green]"
    out.print(f"{verdict}: {stretches(checked)}; clips that hold: {good_n} of {all_n}", soft_wrap=True)
    if checked.rows:
        keys = ", ".join(fingerprint(key) for key in checked.keys)
        out.print(f"device {checked.rows[0].dev}, key {keys}, last row {_sealed(checked)}", soft_wrap=True)
    if checked.waiting_n:
        out.print(f"{checked.waiting_n} acts wait for their signature", soft_wrap=True)
    if found.heads:
        out.print(f"heads that agree: {found.heads_n} of {len(found.heads)}", soft_wrap=True)
    else:
        out.print(f"[dim]{NO_HEAD}[/dim]", soft_wrap=True)


def list_findings(findings: Sequence[Flaw], where: str) -> None:
    """What does not hold, in a table; `where` says what a finding's place is beside its row."""
    if findings:
        table(("what", "row", where, "in words"), [_row(finding) for finding in findings], right=("row",),
              fold=(where, "in words"))
        console().print()


def _row(finding: Flaw) -> tuple[str, str, str, str]:
    return finding.code, "" if finding.n is None else str(finding.n), finding.clip or "", finding.says


def stretches(checked: Checked) -> str:
    """Which rows hold."""
    told = ", ".join(f"{first} to {last}" if first < last else str(first) for first, last in checked.stretches)
    return f"signed rows: {told or 'none'}"


def _sealed(checked: Checked) -> str:
    sealed = checked.rows[-1].sealed
    return when(sealed.wall_ms, sealed.mono_ms, sealed.clock, sure=sealed.clock in TRUSTED).strip()
