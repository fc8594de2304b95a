"""What the check of an export found, and what holds, for people and for programs."""
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import msgspec

from agent.cli.terminal import console, json_line
from agent.cli.verify.show import list_findings, stretches
from agent.core.evidence.ledger import PackageVerdict, fingerprint
from agent.core.evidence.ledger.claim import Manifest
from agent.store.export.errors import spell

NO_KEY = ("From the export alone nobody can tell whose key it is: compare its fingerprint with the one that was noted "
          "when the recorder was installed, or that the ward has (--key HEX).")


@dataclass(frozen=True, slots=True)
class ExportResults:
    """What the check of an export found."""

    verdict: PackageVerdict
    heads: Mapping[int, str]
    key_was_named: bool

    @property
    def files_n(self) -> tuple[int, int]:
        """How many files hold, of those that something vouches for."""
        wrong, told = {finding.clip for finding in self.verdict.findings}, self.verdict.told
        return sum(each.file not in wrong for each in told), len(told)

    @property
    def heads_n(self) -> int:
        """How many of the heads are rows of this stretch."""
        wrong = [finding for finding in self.verdict.findings
                 if finding.code == "head_differs" and finding.n in self.heads]
        return self.verdict.compared_n - len(wrong)


def results(found: ExportResults, as_json: bool) -> None:
    """Print findings and what holds."""
    if as_json:
        _as_json(found)
    else:
        _as_text(found)


def _as_json(found: ExportResults) -> None:
    """A line for each finding, then one with what holds."""
    verdict, (good_n, all_n) = found.verdict, found.files_n
    for finding in verdict.findings:
        json_line(asdict(finding))
    json_line({"holds": not verdict.findings, "rows": verdict.checked.stretches, "files_n": all_n,
               "files_hold_n": good_n, "heads_n": len(found.heads), "heads_compared_n": verdict.compared_n,
               "heads_hold_n": found.heads_n, "key": _key(verdict.manifest),
               "device": verdict.manifest.dev if verdict.manifest else None,
               "ward": msgspec.to_builtins(verdict.manifest.claim.ward) if verdict.manifest else None})


def _key(manifest: Manifest | None) -> str | None:
    return fingerprint(bytes.fromhex(manifest.key)) if manifest and manifest.key else None


def _as_text(found: ExportResults) -> None:
    out, verdict, manifest = console(), found.verdict, found.verdict.manifest
    list_findings(verdict.findings, "file")
    good_n, all_n = found.files_n
    said = "[red]not all of it holds[/red]" if verdict.findings else "[green]all of it holds[/green]"
    out.print(f"{said}: {stretches(verdict.checked)}; files that hold: {good_n} of {all_n}", soft_wrap=True)
    if manifest:
        wish = manifest.claim.wish
        out.print(f"camera {wish.camera}, {spell(wish.begin_ms)} to {spell(wish.end_ms)}, by device {manifest.dev}, "
                  f"key {_key(manifest)}", soft_wrap=True)
        if ward := manifest.claim.ward:
            out.print(f"the ward knows it as {ward.name}, by the certificate whose public key has SHA-256 {ward.key}",
                      soft_wrap=True)
    if found.heads:
        outside_n = len(found.heads) - verdict.compared_n
        beyond = f"; {outside_n} lie outside of its rows and say nothing" if outside_n else ""
        out.print(f"heads that agree: {found.heads_n} of {verdict.compared_n}{beyond}", soft_wrap=True)
    if not found.key_was_named:
        out.print(f"[dim]{NO_KEY}[/dim]", soft_wrap=True)
