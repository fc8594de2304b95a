"""`taimat verify`: checks that a card or an export holds what was recorded. It never writes to the card."""
import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import msgspec
import typer
from rich.markup import escape

from agent.cli.options import Config, Json
from agent.cli.place import load_here
from agent.cli.terminal import console, json_line, table, when, working
from agent.core.evidence.ledger.acts import ClipSigned
from agent.core.evidence.ledger.card_check import CardContents, FoundFile, KnownClip, check_card
from agent.core.evidence.ledger.check import Checked, check
from agent.core.evidence.ledger.findings import Flaw
from agent.core.evidence.ledger.package import check_package
from agent.core.evidence.ledger.row import LedgerLine, Row, fingerprint
from agent.core.harmless import one_line
from agent.core.household.pause import TRUSTED
from agent.host.command_key import verifies
from agent.host.files import sha256
from agent.store import ledger, meta
from agent.store.database import FILE, StoreError, require_known
from agent.store.export import unpacked
from agent.store.export.prepare import spell
from agent.store.folders import Folders
from agent.store.names import FOLDER, OURS
from agent.store.row_check import sound

KNOWN = "seq, name, camera, state, boot, mono_ms, wall_ms, dur_ms, sha256"
EXIT_HOLDS, EXIT_FOUND = 0, 1
HEAD_DIGITS_MIN = 16
NAME_N = 64             # letters; a digest has so many
NO_HEAD = ("The card itself cannot show whether the ledger's end was cut off: "
           "compare with a head that the ward has kept, --head N:HEX.")
NO_KEY = ("The export itself cannot show whose key it is: compare its fingerprint with the one that was noted "
          "when the recorder was installed, or that the ward has (--key HEX).")

StoreFolder = Annotated[Path | None, typer.Argument(metavar="[FOLDER]", show_default=False,
    help="A store, such as a card in a reader, or an export. Default: the configured store.")]
Heads = Annotated[list[str] | None, typer.Option("--head", metavar="N:HEX", show_default=False,
    help="A row's number and hash, as the ward or another person has kept them. May be repeated.")]
Fingerprint = Annotated[str | None, typer.Option(
    "--key", metavar="HEX", show_default=False, help="The fingerprint of the device's key, as you have kept it.")]


@dataclass(frozen=True, slots=True)
class _Report:
    findings: Sequence[Flaw]
    where: str                  # heads the column of a finding's clip or file
    lines: Sequence[str]
    summary: Mapping[str, object]


def verify(folder: StoreFolder = None, heads: Heads = None, key: Fingerprint = None, json: Json = False,
           config: Config = None) -> None:
    anchors = dict(map(_head, heads or ()))
    if key and not _is_hex(key, 16):
        raise typer.BadParameter(f"{key} is no key's fingerprint: 16 hex digits, as in a health report",
                                 param_hint="--key")
    place = folder or Path(load_here(config).store.folder)
    with working("reading ...", json) as tick:
        examine = _export if unpacked.is_one(place) else _card
        report = examine(place, anchors, key or "", lambda files_n: tick(f"{files_n} files read ..."))
    if json:
        for finding in report.findings:
            json_line(asdict(finding))
        json_line({"holds": not report.findings, **report.summary})
    else:
        _print(report)
    raise typer.Exit(EXIT_FOUND if report.findings else EXIT_HOLDS)


def _print(report: _Report) -> None:
    out, where = console(), report.where
    if report.findings:
        rows = [(flaw.code, "" if flaw.n is None else str(flaw.n), flaw.clip or "", flaw.says)
                for flaw in report.findings]
        table(("what", "row", where, "in words"), rows, right=("row",), fold=(where, "in words"))
        out.print()
    verdict = "[red]not all of it holds[/red]" if report.findings else "[green]all of it holds[/green]"
    out.print(f"{verdict}: {report.lines[0]}")
    for line in report.lines[1:]:
        out.print(line)


def _head(text: str) -> tuple[int, str]:
    number, _, digits = text.partition(":")
    if not number.isdecimal() or not _is_hex(digits, HEAD_DIGITS_MIN):
        raise typer.BadParameter(f"{text}: a row's number, a colon and the first {HEAD_DIGITS_MIN} hex digits of its "
                                 "hash or more, as in 412:9f2c1a7e00aa4b55", param_hint="--head")
    return int(number), digits.lower()


def _is_hex(text: str, digits_min: int) -> bool:
    return len(text) >= digits_min and not set(text.lower()) - set("0123456789abcdef")


def _card(folder: Path, heads: Mapping[int, str], key: str, tell: Callable[[int], None]) -> _Report:
    seen = read_card(folder, tell)
    checked = check(seen.lines, verifies, heads=heads, key=key, told_key=seen.key, waiting=seen.waiting,
                             noted_n=seen.noted_n)
    findings, files = [*checked.findings, *check_card(checked, seen.shelf)], seen.shelf.files
    named = {row.body.get("clip") for row in checked.rows if row.kind == ClipSigned.KIND}
    good_n = len(files.keys() & named - {flaw.clip for flaw in findings})
    agree_n = len(heads) - sum(flaw.code in ("tail_cut", "head_differs") for flaw in findings)
    keys, device = list(map(fingerprint, checked.keys)), checked.rows[0].dev if checked.rows else None
    lines = [f"{_stretches(checked)}; clips that hold: {good_n} of {len(files)}"]
    if device is not None:
        sealed = checked.rows[-1].sealed
        last = when(sealed.wall_ms, sealed.mono_ms, sealed.clock, sure=sealed.clock in TRUSTED).strip()
        lines.append(f"device {_name(device)}, key {', '.join(keys)}, last row {last}")
    if checked.waiting_n:
        lines.append(f"{checked.waiting_n} acts wait for their signature")
    lines.append(f"heads that agree: {agree_n} of {len(heads)}" if heads else f"[dim]{NO_HEAD}[/dim]")
    return _Report(findings, "clip", lines, {
        "rows": checked.stretches, "last_n": checked.last_n, "clips_n": len(files), "clips_hold_n": good_n,
        "heads_n": len(heads), "heads_hold_n": agree_n, "waiting_n": checked.waiting_n, "keys": keys,
        "device": device})


def _export(folder: Path, heads: Mapping[int, str], key: str, tell: Callable[[int], None]) -> _Report:
    verdict = check_package(unpacked.read(folder, tell), verifies, heads=heads, key=key)
    manifest, compared_n, wrong = verdict.manifest, verdict.compared_n, {flaw.clip for flaw in verdict.findings}
    good_n, all_n = sum(film.file not in wrong for film in verdict.told), len(verdict.told)
    agree_n = compared_n - sum(flaw.code == "head_differs" and flaw.n in heads for flaw in verdict.findings)
    own = fingerprint(bytes.fromhex(manifest.key)) if manifest and manifest.key else None
    lines = [f"{_stretches(verdict.checked)}; files that hold: {good_n} of {all_n}"]
    if manifest:
        wish = manifest.claim.wish
        lines.append(f"camera {_name(wish.camera)}, {spell(wish.begin_ms)} to {spell(wish.end_ms)}, "
                     f"by device {_name(manifest.dev)}, key {own}")
        if ward := manifest.claim.ward:
            lines.append(f"the ward knows it as {_name(ward.name)}, by the certificate whose public key has SHA-256 "
                         f"{_name(ward.key)}")
    if heads:
        outside_n = len(heads) - compared_n
        beyond = f"; {outside_n} lie outside its rows and prove nothing" if outside_n else ""
        lines.append(f"heads that agree: {agree_n} of {compared_n}{beyond}")
    if not key:
        lines.append(f"[dim]{NO_KEY}[/dim]")
    return _Report(verdict.findings, "file", lines, {
        "rows": verdict.checked.stretches, "files_n": all_n, "files_hold_n": good_n, "heads_n": len(heads),
        "heads_compared_n": compared_n, "heads_hold_n": agree_n, "key": own,
        "device": manifest.dev if manifest else None,
        "ward": msgspec.to_builtins(manifest.claim.ward) if manifest else None})


def _name(text: str) -> str:
    """A name from what is checked, short and without spaces, so that it cannot pass for our own words."""
    return escape(one_line("_".join(text.split()))[:NAME_N])


def _stretches(checked: Checked) -> str:
    rows = ", ".join(f"{first} to {last}" if first < last else str(first) for first, last in checked.stretches)
    return f"signed rows: {rows or 'none'}"


@dataclass(frozen=True, slots=True)
class CardContent:
    lines: list[LedgerLine]
    waiting: list[Row]
    noted_n: int
    key: bytes | None           # the device's key, as the database has it
    shelf: CardContents


def read_card(folder: Path, tell: Callable[[int], None]) -> CardContent:
    """Reads the store in `folder`; `tell` gets the number of hashed clips. Raises StoreError and sqlite3.Error.

    It reads the files first: what a running recorder does meanwhile is in the database by the time it reads that.
    """
    try:
        (folder / FILE).stat()
    except PermissionError as error:
        raise StoreError(f"{folder}: this user may not look there") from error
    except OSError as error:
        raise StoreError(f"{folder}: there is no {FILE} here; name the folder of a store, as [store] folder does"
                         ) from error
    files, key = dict(_files(Folders(folder), tell)), None
    with _opened(folder) as db:
        if not require_known(db, folder / FILE):
            raise StoreError(f"{folder / FILE} holds nothing: no Taimat has been at work here; name another folder")
        db.execute("BEGIN")
        known = {row["name"]: KnownClip(**row) for row in sound(db, "clip", f"SELECT {KNOWN} FROM clip")}
        dates = db.execute("SELECT boot, dates_ms FROM anchor WHERE dates_ms IS NOT NULL").fetchall()
        boots = {boot: frozenset(ms for of, ms in dates if of == boot) for boot in {of for of, _ in dates}}
        lines, waiting, noted_n = list(ledger.lines(db)), ledger.waiting(db), ledger.noted_n(db)
        with contextlib.suppress(ValueError):
            key = bytes.fromhex(meta.get(db, ledger.KEY) or "") or None
    for clip in known.values():         # finished meanwhile
        if clip.state in ("done", "recovered") and clip.name not in files and (
                found := _hashed(Folders(folder).clip(clip.seq, clip.name))):
            files[clip.name] = found
    return CardContent(lines, waiting, noted_n, key, CardContents(files, known, boots, waiting))


def _files(folders: Folders, tell: Callable[[int], None]) -> Iterator[tuple[str, FoundFile]]:
    seen_n = 0
    for folder in sorted(folders.clips.glob("*")):
        for entry in sorted(folder.iterdir()) if FOLDER.match(folder.name) and folder.is_dir() else ():
            if OURS.match(entry.name) and (found := _hashed(entry)):
                yield entry.stem, found
                seen_n += 1
                tell(seen_n)


def _hashed(path: Path) -> FoundFile | None:
    try:
        return FoundFile(path.stat().st_size, sha256(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        return FoundFile(trouble=error.strerror or str(error))


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[sqlite3.Connection]:
    """Opens the database in place if that leaves no trace, else a copy with its log."""
    with contextlib.ExitStack() as stack:
        if not os.access(folder / (FILE + "-shm"), os.R_OK | os.W_OK):      # no recorder runs there that we may join
            copy = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taimat-verify-")))
            (copy / FILE).parent.mkdir()
            for name in (FILE, FILE + "-wal"):
                if (folder / name).exists():
                    shutil.copyfile(folder / name, copy / name)
            folder = copy
        db = stack.enter_context(contextlib.closing(sqlite3.connect(f"file:{quote(str(folder / FILE))}?mode=ro",
                                                                    uri=True, isolation_level=None)))
        db.row_factory = sqlite3.Row
        yield db


