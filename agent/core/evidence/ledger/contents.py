"""Compares what an export holds with what vouches for it: its files, and the rows of the clips it was cut from."""
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from agent.core.evidence.ledger.acts import ClipSigned, WardIdentity
from agent.core.evidence.ledger.card_check import FoundFile
from agent.core.evidence.ledger.check import Checked
from agent.core.evidence.ledger.claim import Claim, ClipTold, FileTold, Manifest
from agent.core.evidence.ledger.clocks import offsets
from agent.core.evidence.ledger.findings import Flaw, FlawCode
from agent.core.evidence.ledger.row import Row

NEAR_MS = 2_000         # less is no gap: a film begins with the first frame that is shown, and frames last


def check_files(told: Sequence[FileTold], files: Mapping[str, FoundFile], strangers: bool) -> Iterator[Flaw]:
    """Whether each file is there as it was; `strangers`: whether there may be no other one."""
    digests = {each.sha256: each.file for each in told}
    for each in told:
        found = files.get(each.file)
        if found is None or found.trouble:
            why = f"it can't be read: {found.trouble}" if found else "it is missing"
            yield Flaw(FlawCode.FILE_MISSING, why, clip=each.file)
        elif found.sha256 != each.sha256:
            yield _changed(each, found, digests)
    for name in sorted(files.keys() - {each.file for each in told}) if strangers else ():
        yield Flaw(FlawCode.FILE_UNKNOWN, "the manifest does not name it, so nothing vouches for it", clip=name)


def _changed(told: FileTold, found: FoundFile, digests: Mapping[str, str]) -> Flaw:
    if other := digests.get(found.sha256):
        return Flaw(FlawCode.FILE_SWAPPED, f"it holds what {other} held", clip=told.file)
    if found.size_b < told.bytes:
        return Flaw(FlawCode.FILE_TRUNCATED, f"{told.bytes - found.size_b} of {told.bytes} bytes are missing",
                    clip=told.file)
    return Flaw(FlawCode.FILE_EDITED, "it is not what was exported", clip=told.file)


def check_sources(manifest: Manifest, checked: Checked) -> Iterator[Flaw]:
    """Whether the rows tell of each clip what the manifest does. A row that does not hold is a finding already."""
    rows, told = {row.n: row for row in checked.rows}, offsets(checked.rows)
    is_whole = len(rows) == manifest.last.n - manifest.after.n      # else the row that dates a clip may be missing
    for clip in manifest.claim.clips:
        row = rows.get(clip.n)
        if row is None:
            outside = not manifest.after.n < clip.n <= manifest.last.n
            if outside:
                yield Flaw(FlawCode.SOURCE_WITHOUT_ROW, f"row {clip.n} is not in the export", clip.n, clip.clip)
        elif not _tells(row, clip):
            yield Flaw(FlawCode.SOURCE_WITHOUT_ROW, f"row {clip.n} does not tell of it as the manifest does", clip.n,
                       clip.clip)
        elif is_whole and not _dates(row, clip, told.get(row.body["boot"], set())):
            yield Flaw(FlawCode.CLIP_REDATED, "the manifest dates it as no signed row does", clip.n, clip.clip)
    if missing := {name for film in manifest.claim.films for name in film.clips} - {
            clip.clip for clip in manifest.claim.clips}:
        yield Flaw(FlawCode.SOURCE_WITHOUT_ROW, f"films were cut from {', '.join(sorted(missing))}, of which the "
                                               "manifest tells no row")


def check_time(claim: Claim) -> Iterator[Flaw]:
    """Whether all of the time that was asked for is in the films, or told as missing."""
    told = [(each.begin_ms, each.end_ms) for each in (*claim.gaps, *(
        stretch for film in claim.films for stretch in film.stretches))]
    reached_ms = claim.wish.begin_ms
    for begin_ms, end_ms in sorted([*told, (claim.wish.end_ms, claim.wish.end_ms)]):
        if begin_ms - reached_ms > NEAR_MS:
            yield Flaw(FlawCode.GAP_UNNAMED, f"{(begin_ms - reached_ms) / 1000:.1f} s of the time that was asked for "
                                             "are in no film, and the manifest does not say that they are missing")
        reached_ms = max(reached_ms, end_ms)


def check_identity(manifest: Manifest, checked: Checked) -> Iterator[Flaw]:
    """Whether the newest row about the ward's certificate names the one that the manifest does."""
    told = [row for row in checked.rows if row.kind == WardIdentity.KIND]
    ward = manifest.claim.ward
    if ward and (not told or told[-1].body != msgspec.to_builtins(ward)):
        yield Flaw(FlawCode.IDENTITY_WITHOUT_ROW, f"no row says that the ward knows this recorder as {ward.name}, by "
                                                  "the certificate that the manifest names")


def _tells(row: Row, clip: ClipTold) -> bool:
    try:
        signed = msgspec.convert(row.body, ClipSigned) if row.kind == ClipSigned.KIND else None
    except msgspec.ValidationError:
        return False
    return signed is not None and (
        (signed.clip, signed.sha256, signed.dur_ms, signed.clock, signed.settings, signed.masks, signed.masked_by,
         signed.detector)
        == (clip.clip, clip.sha256, clip.dur_ms, clip.clock, clip.settings, clip.masks, clip.masked_by, clip.detector)
        and clip.begin_ms - clip.off_ms == signed.wall_ms)


def _dates(row: Row, clip: ClipTold, told: set[int]) -> bool:
    signed = msgspec.convert(row.body, ClipSigned)
    known = {signed.wall_ms - signed.mono_ms, *told} | ({signed.offset_ms} - {None})
    return clip.begin_ms - signed.mono_ms in known
