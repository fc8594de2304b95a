"""What the check of a card or an export found, and what holds, for people and for programs."""
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import msgspec
from rich.markup import escape

from agent.cli.terminal import console, json_line, table, when
from agent.core.evidence.ledger import CardContents, Checked, ClipSigned, Flaw, PackageVerdict, fingerprint
from agent.core.evidence.ledger.claim import Manifest
from agent.core.harmless import one_line
from agent.core.household.pause import TRUSTED
from agent.store.export.prepare import spell

NAME_N = 64             # letters; a digest has so many
NO_HEAD = ("From the card alone nobody can tell whether the ledger's end was cut off: "
           "compare with a head that the ward has kept, --head N:HEX.")
NO_KEY = ("From the export alone nobody can tell whose key it is: compare its fingerprint with the one that was noted "
          "when the recorder was installed, or that the ward has (--key HEX).")


@dataclass(frozen=True, slots=True)
class CardResults:
    checked: Checked
    findings: Sequence[Flaw]
    shelf: CardContents
    heads: Mapping[int, str]

    @property
    def clips_n(self) -> tuple[int, int]:
        named = {row.body.get("clip") for row in self.checked.rows if row.kind == ClipSigned.KIND}
        wrong = {finding.clip for finding in self.findings}
        return len(self.shelf.files.keys() & named - wrong), len(self.shelf.files)

    @property
    def heads_n(self) -> int:
        wrong = [finding for finding in self.findings if finding.code in ("tail_cut", "head_differs")]
        return len(self.heads) - len(wrong)


@dataclass(frozen=True, slots=True)
class ExportResults:
    verdict: PackageVerdict
    heads: Mapping[int, str]
    key_was_named: bool

    @property
    def files_n(self) -> tuple[int, int]:
        wrong, told = {finding.clip for finding in self.verdict.findings}, self.verdict.told
        return sum(each.file not in wrong for each in told), len(told)

    @property
    def heads_n(self) -> int:
        wrong = [finding for finding in self.verdict.findings
                 if finding.code == "head_differs" and finding.n in self.heads]
        return self.verdict.compared_n - len(wrong)


def card(found: CardResults, as_json: bool) -> None:
    checked, (good_n, all_n) = found.checked, found.clips_n
    _print(found.findings, as_json, "clip", _card_lines(found), {
        "rows": checked.stretches, "last_n": checked.last_n, "clips_n": all_n, "clips_hold_n": good_n,
        "heads_n": len(found.heads), "heads_hold_n": found.heads_n, "waiting_n": checked.waiting_n,
        "keys": [fingerprint(key) for key in checked.keys], "device": checked.rows[0].dev if checked.rows else None})


def export(found: ExportResults, as_json: bool) -> None:
    verdict, (good_n, all_n) = found.verdict, found.files_n
    manifest = verdict.manifest
    _print(verdict.findings, as_json, "file", _export_lines(found), {
        "rows": verdict.checked.stretches, "files_n": all_n, "files_hold_n": good_n, "heads_n": len(found.heads),
        "heads_compared_n": verdict.compared_n, "heads_hold_n": found.heads_n, "key": _key(manifest),
        "device": manifest.dev if manifest else None,
        "ward": msgspec.to_builtins(manifest.claim.ward) if manifest else None})


def _print(findings: Sequence[Flaw], as_json: bool, where: str, lines: Iterator[str], told: dict[str, object]) -> None:
    """What does not hold, then what does; `where` says what a finding's place is beside its row."""
    if as_json:
        for finding in findings:
            json_line(asdict(finding))
        json_line({"holds": not findings, **told})
        return
    out = console()
    if findings:
        table(("what", "row", where, "in words"), [_row(finding) for finding in findings], right=("row",),
              fold=(where, "in words"))
        out.print()
    verdict = "[red]not all of it holds[/red]" if findings else "[green]all of it holds[/green]"
    out.print(f"{verdict}: {next(lines)}")
    for line in lines:
        out.print(line)


def _card_lines(found: CardResults) -> Iterator[str]:
    checked, (good_n, all_n) = found.checked, found.clips_n
    yield f"{_stretches(checked)}; clips that hold: {good_n} of {all_n}"
    if checked.rows:
        keys = ", ".join(fingerprint(key) for key in checked.keys)
        yield f"device {_name(checked.rows[0].dev)}, key {keys}, last row {_sealed(checked)}"
    if checked.waiting_n:
        yield f"{checked.waiting_n} acts wait for their signature"
    yield f"heads that agree: {found.heads_n} of {len(found.heads)}" if found.heads else f"[dim]{NO_HEAD}[/dim]"


def _export_lines(found: ExportResults) -> Iterator[str]:
    verdict, manifest, (good_n, all_n) = found.verdict, found.verdict.manifest, found.files_n
    yield f"{_stretches(verdict.checked)}; files that hold: {good_n} of {all_n}"
    if manifest:
        wish = manifest.claim.wish
        yield (f"camera {_name(wish.camera)}, {spell(wish.begin_ms)} to {spell(wish.end_ms)}, "
               f"by device {_name(manifest.dev)}, key {_key(manifest)}")
        if ward := manifest.claim.ward:
            yield (f"the ward knows it as {_name(ward.name)}, by the certificate whose public key has SHA-256 "
                   f"{_name(ward.key)}")
    if found.heads:
        outside_n = len(found.heads) - verdict.compared_n
        beyond = f"; {outside_n} lie outside of its rows and say nothing" if outside_n else ""
        yield f"heads that agree: {found.heads_n} of {verdict.compared_n}{beyond}"
    if not found.key_was_named:
        yield f"[dim]{NO_KEY}[/dim]"


def _name(text: str) -> str:
    """A name that stands in what is checked: without spaces and not long, so none can pass for words of ours."""
    return escape(one_line("_".join(text.split()))[:NAME_N])


def _row(finding: Flaw) -> tuple[str, str, str, str]:
    return finding.code, "" if finding.n is None else str(finding.n), finding.clip or "", finding.says


def _key(manifest: Manifest | None) -> str | None:
    return fingerprint(bytes.fromhex(manifest.key)) if manifest and manifest.key else None


def _stretches(checked: Checked) -> str:
    told = ", ".join(f"{first} to {last}" if first < last else str(first) for first, last in checked.stretches)
    return f"signed rows: {told or 'none'}"


def _sealed(checked: Checked) -> str:
    sealed = checked.rows[-1].sealed
    return when(sealed.wall_ms, sealed.mono_ms, sealed.clock, sure=sealed.clock in TRUSTED).strip()
