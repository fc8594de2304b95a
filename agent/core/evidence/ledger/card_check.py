"""Compares the ledger with the card: each clip's file, and its row in the database."""
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from agent.core.evidence.ledger.acts import ClipSigned, Deletion, LedgerBegin
from agent.core.evidence.ledger.check import Checked
from agent.core.evidence.ledger.clocks import offsets
from agent.core.evidence.ledger.findings import Flaw, FlawCode
from agent.core.evidence.ledger.row import Row, RowMoment

PATIENCE_MS = 10 * 60 * 1000        # a clip that was finished for this long was in the keeper's list
FINISHED, GONE = ("done", "recovered"), ("deleting", "deleted")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A clip's file: its size and digest, or why it can't be read."""

    size_b: int = 0
    sha256: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class KnownClip:
    """A clip's row in the database, undated: as it was first written."""

    seq: int
    name: str
    camera: str
    state: str
    boot: str
    mono_ms: int
    wall_ms: int
    dur_ms: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class CardContents:
    """The files on a card, and the rows of its database that the check needs."""

    files: Mapping[str, FoundFile]
    known: Mapping[str, KnownClip]
    boots: Mapping[str, Collection[int]] = field(default_factory=dict)     # offsets_ms that date a boot's rows
    waiting: Sequence[Row] = ()                                 # noted acts without a signature yet


@dataclass(slots=True)
class _LedgerSummary:
    begin: LedgerBegin | None = None
    signed: dict[str, tuple[int, ClipSigned]] = field(default_factory=dict)
    resigned: list[tuple[int, ClipSigned]] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    malformed: list[Flaw] = field(default_factory=list)
    order: list[tuple[int, RowMoment]] = field(default_factory=list)      # number of each clip, and when it was hashed


def check_card(checked: Checked, card: CardContents) -> list[Flaw]:
    """Returns the flaws of the card's files and rows, compared with the ledger's rows."""
    summary, waiting = _summary(checked.rows), _summary(card.waiting)
    summary.deleted |= waiting.deleted
    if not checked.rows and not checked.last_n:
        lost = [each for each in card.known.values()
                if each.sha256 and each.state in FINISHED and each.name not in waiting.signed]
        return [Flaw(FlawCode.LEDGER_MISSING, "there are signed clips, but not one row of a ledger")] if lost else []
    digests = {clip.sha256: name for name, (_, clip) in summary.signed.items()}
    resigned = "signs another content than the first row of this clip: it was changed and handed in again"
    findings = [*summary.malformed, *(Flaw(FlawCode.CLIP_RESIGNED, f"row {n} {resigned}", n, clip.clip)
                                      for n, clip in summary.resigned)]
    for name, (n, clip) in summary.signed.items():
        findings += _file(n, clip, card, name in summary.deleted, digests)
        findings += _database(n, clip, card.known.get(name))
    findings += _unsigned(summary, card, exempt=summary.signed.keys() | waiting.signed.keys() | checked.broken)
    findings += _boots(checked.rows, card)
    return findings


def _summary(rows: Sequence[Row]) -> _LedgerSummary:
    summary = _LedgerSummary()
    for row in rows:
        try:
            _add(summary, row)
        except msgspec.ValidationError as error:
            summary.malformed.append(Flaw(FlawCode.ROW_MALFORMED, f"row {row.n} is signed, but no {row.kind}: {error}",
                                       row.n))
    return summary


def _add(summary: _LedgerSummary, row: Row) -> None:
    if row.kind == LedgerBegin.KIND and summary.begin is None:
        summary.begin = msgspec.convert(row.body, LedgerBegin)
    elif row.kind == Deletion.KIND:
        summary.deleted.update(msgspec.convert(row.body, Deletion).clips)
    elif row.kind == ClipSigned.KIND:
        clip = msgspec.convert(row.body, ClipSigned)
        summary.order.append((number(clip.clip), row.at))
        _, first = summary.signed.setdefault(clip.clip, (row.n, clip))
        if first.sha256 != clip.sha256:
            summary.resigned.append((row.n, clip))


def number(clip: str) -> int:
    """Returns the clip's number, which ends its name; 0 if the name has no number."""
    digits = clip.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0


def _file(n: int, clip: ClipSigned, card: CardContents, deleted: bool, digests: Mapping[str, str]) -> Iterator[Flaw]:
    found, known = card.files.get(clip.clip), card.known.get(clip.clip)
    if found is None:
        if deleted:
            return
        if known and known.state in GONE:
            yield Flaw(FlawCode.DELETION_WITHOUT_ROW,
                       "its file is gone, the database calls it deleted, and no row does", n, clip.clip)
        else:
            yield Flaw(FlawCode.CLIP_MISSING, "its file is gone, and no row says that it was deleted", n, clip.clip)
    elif found.trouble:
        yield Flaw(FlawCode.CLIP_UNREADABLE, f"its file can't be read: {found.trouble}", n, clip.clip)
    elif found.sha256 != clip.sha256:
        yield _changed(n, clip, found, digests)


def _changed(n: int, clip: ClipSigned, found: FoundFile, digests: Mapping[str, str]) -> Flaw:
    if other := digests.get(found.sha256):
        return Flaw(FlawCode.CLIP_SWAPPED, f"its file holds what was recorded as {other}", n, clip.clip)
    if found.size_b < clip.bytes:
        return Flaw(FlawCode.CLIP_TRUNCATED, f"{clip.bytes - found.size_b} of {clip.bytes} bytes are missing",
                    n, clip.clip)
    return Flaw(FlawCode.CLIP_EDITED, "its file is not what was signed", n, clip.clip)


def _database(n: int, clip: ClipSigned, known: KnownClip | None) -> Iterator[Flaw]:
    if known is None:
        return
    signed = (clip.camera, clip.boot, clip.mono_ms, clip.wall_ms, clip.dur_ms)
    if signed != (known.camera, known.boot, known.mono_ms, known.wall_ms, known.dur_ms):
        yield Flaw(FlawCode.CLIP_REDATED, "the database has another camera or time for it than its row", n, clip.clip)


def _unsigned(summary: _LedgerSummary, card: CardContents, exempt: set[str]) -> Iterator[Flaw]:
    before_n = summary.begin.clips_n if summary.begin else 0
    for name in card.files.keys() - exempt:
        if trouble := card.files[name].trouble:
            yield Flaw(FlawCode.CLIP_UNREADABLE, f"its file can't be read, so it was never signed: {trouble}",
                       clip=name)
    for name in card.known.keys() - exempt:
        known = card.known[name]
        if known.seq <= before_n:
            continue
        if known.state in GONE and name not in summary.deleted:
            yield Flaw(FlawCode.DELETION_WITHOUT_ROW, "the database calls it deleted, and no row does", clip=name)
        elif known.state in FINISHED and (known.sha256 or _passed_over(known, summary)):
            yield Flaw(FlawCode.CLIP_WITHOUT_ROW, "it is finished, and no row confirms it", clip=name)
    for name in card.files.keys() - exempt - card.known.keys():
        yield Flaw(FlawCode.CLIP_WITHOUT_ROW, "neither a row nor the database knows its file", clip=name)


def _passed_over(known: KnownClip, summary: _LedgerSummary) -> bool:
    """The keeper signs the newest clip first. Was an older clip signed long after this one's end?"""
    end_mono_ms = known.mono_ms + (known.dur_ms or 0)
    return any(seq < known.seq and at.boot == known.boot and at.mono_ms - end_mono_ms > PATIENCE_MS
               for seq, at in summary.order)


def _boots(rows: Sequence[Row], card: CardContents) -> Iterator[Flaw]:
    known = offsets([*rows, *card.waiting])
    seen = {row.sealed.boot for row in rows} | {row.at.boot for row in rows}
    for boot, offsets_ms in card.boots.items():
        if boot in seen and not known.get(boot, set()).issuperset(offsets_ms):
            yield Flaw(FlawCode.BOOT_REDATED, f"the database dates the boot {boot} as no row does")
