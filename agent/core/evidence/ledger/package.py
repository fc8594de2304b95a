"""Checks an export: manifest and signatures, its section of the ledger, its files, and the clips that it was cut from.

It adds the statements of the export to the check of a card (`check`). If one part is not valid, another may still
confirm the same: the ledger's last row names the films, too.
"""
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from agent.core import json_door
from agent.core.evidence.ledger import seals
from agent.core.evidence.ledger.acts import ClipSigned, Exported, KeyChange, WardIdentity
from agent.core.evidence.ledger.card_check import FoundFile
from agent.core.evidence.ledger.check import Checked, Verifies, check
from agent.core.evidence.ledger.claim import Claim, ClipTold, ExportWish, FileTold, Manifest, digest
from agent.core.evidence.ledger.clocks import offsets
from agent.core.evidence.ledger.findings import Flaw, FlawCode
from agent.core.evidence.ledger.row import LedgerLine, Row, RowHead, canonical, decode, fingerprint, message
from agent.core.evidence.ledger.stretch import read

KEY_OR_HASH_B = 32
NEAR_MS = 2_000         # a shorter gap is none, because a film begins with its first frame and frames last


@dataclass(frozen=True, slots=True)
class Package:
    """The files of an export, read but not checked."""

    manifest: bytes
    ledger: bytes
    small: Mapping[str, bytes]              # signatures and keys: the files of core.evidence.ledger.seals
    files: Mapping[str, FoundFile]              # all other files


@dataclass(slots=True)
class PackageVerdict:
    """The result of a check; `manifest` is None if it cannot be read."""

    manifest: Manifest | None
    checked: Checked
    findings: list[Flaw] = field(default_factory=list)
    compared_n: int = 0                     # heads within the section
    told: list[FileTold] = field(default_factory=list)      # the files that are confirmed


def check_package(package: Package, verifies: Verifies, *, heads: Mapping[int, str] | None = None,
                  key: str = "") -> PackageVerdict:
    """Checks an export. `heads` and `key` are those of `check`. Heads outside the section are ignored."""
    manifest = _manifest(package.manifest)
    if manifest is None:
        return _without_manifest(package, verifies)
    lines = read(package.ledger)
    wrong = list(seals.wrong(package.small, package.manifest, _key(manifest), verifies)) if manifest.signed else []
    signed = manifest.signed and len(wrong) < seals.FORMATS_N
    checked, compared_n = _rows(lines, manifest, signed, verifies, heads or {})
    own = _own_row(checked)
    has_row = own is not None and own.claim == digest(manifest.claim)
    verdict = PackageVerdict(manifest, checked, list(checked.findings), compared_n)
    verdict.findings += _manifest_holds(manifest, signed, has_row, wrong)
    verdict.findings += _keys(package, manifest, key)
    verdict.findings += _device(manifest, checked)
    if signed and not has_row and checked.rows and checked.rows[-1].n == manifest.last.n:
        verdict.findings.append(Flaw(FlawCode.EXPORT_WITHOUT_ROW, f"row {manifest.last.n} does not report this export",
                                     manifest.last.n))
    believed = signed or has_row or not manifest.signed
    verdict.told = _listed(manifest, None if believed else own)
    verdict.findings += _check_files(verdict.told, package.files, strangers=believed)
    if believed:
        verdict.findings += [*_check_sources(manifest, checked), *_check_time(manifest.claim),
                             *_check_identity(manifest, checked)]
    return verdict


def _manifest(data: bytes) -> Manifest | None:
    try:
        found = json_door.read(data, Manifest)
        canonical(found)
        if any(len(bytes.fromhex(text)) != KEY_OR_HASH_B
               for text in (found.key, found.after.hash, found.last.hash) if found.signed):
            return None
    except (msgspec.DecodeError, ValueError):       # including NotCanonical
        return None
    return found


def _without_manifest(package: Package, verifies: Verifies) -> PackageVerdict:
    lines, key = read(package.ledger), seals.key_in(package.small.get(seals.PEM, b""))
    after = RowHead(lines[0].n - 1, lines[0].prev) if lines else RowHead()
    checked = check(lines, verifies, told_key=key, after=after)
    says = "there is no manifest.json" if not package.manifest else "manifest.json is none, or only a part of one"
    return PackageVerdict(None, checked, [Flaw(FlawCode.MANIFEST_MALFORMED, says), *checked.findings])


def _key(manifest: Manifest) -> bytes:
    return bytes.fromhex(manifest.key)


def _rows(lines: list[LedgerLine], manifest: Manifest, signed: bool, verifies: Verifies,
          heads: Mapping[int, str]) -> tuple[Checked, int]:
    """Returns the checked section, and how many heads it could be compared with. If the manifest is invalid, its
    limits of the section are not used."""
    after = RowHead(manifest.after.n, bytes.fromhex(manifest.after.hash))
    if not signed and lines:
        after = RowHead(lines[0].n - 1, lines[0].prev)
    last_n = manifest.last.n if signed else max((line.n for line in lines), default=0)
    within = {n: digits for n, digits in heads.items() if after.n <= n <= last_n}
    differ = [n for n, digits in within.items() if n == manifest.last.n and not manifest.last.hash.startswith(digits)]
    key = _first_key(lines, _key(manifest))
    if lines and not any(verifies(key, line.sig, message(line.hash)) for line in lines):
        return Checked(findings=[Flaw(FlawCode.ROW_FOREIGN, "not one row is signed with the key that the manifest "
                                                           "names: they are another device's, or all made anew")]), 0
    anchors = ({manifest.last.n: manifest.last.hash} if signed else {}) | {
        n: digits for n, digits in within.items() if n not in differ}
    checked = check(lines, verifies, heads=anchors, told_key=key, after=after)
    checked.findings += [Flaw(FlawCode.HEAD_DIFFERS, f"row {n} is not the one that others have seen", n)
                         for n in differ]
    return checked, len(within)


def _first_key(lines: list[LedgerLine], key: bytes) -> bytes:
    """Returns the key of the first rows. It differs from the present one if a row in between changes the key."""
    for line in lines:
        row = decode(line.doc) if KeyChange.KIND.encode() in line.doc else None
        if row and row.kind == KeyChange.KIND:
            with contextlib.suppress(KeyError, TypeError, ValueError):
                return bytes.fromhex(row.body["was"])
    return key


def _own_row(checked: Checked) -> Exported | None:
    row = checked.rows[-1] if checked.rows and checked.rows[-1].n == checked.last_n else None
    try:
        return msgspec.convert(row.body, Exported) if row and row.kind == Exported.KIND else None
    except msgspec.ValidationError:
        return None


def _device(manifest: Manifest, checked: Checked) -> Iterator[Flaw]:
    if checked.rows and checked.rows[0].dev != manifest.dev:
        yield Flaw(FlawCode.DEVICE_DIFFERS, f"the rows are of the device {checked.rows[0].dev}, not {manifest.dev}",
                   checked.rows[0].n)
    boards = {row.body["serial"] for row in checked.rows if isinstance(row.body.get("serial"), str)}
    if manifest.serial is not None and boards and manifest.serial not in boards:
        yield Flaw(FlawCode.DEVICE_DIFFERS, f"the rows are of the board {', '.join(boards)}, not {manifest.serial}")


def _manifest_holds(manifest: Manifest, signed: bool, has_row: bool, wrong: list[str]) -> Iterator[Flaw]:
    if not manifest.signed:
        yield Flaw(FlawCode.EXPORT_UNSIGNED, "the device did not sign this export: nothing confirms its films")
    elif not signed and not has_row:
        yield Flaw(FlawCode.MANIFEST_EDITED, "manifest.json is not what was signed")
    else:
        yield from (Flaw(FlawCode.SEAL_BROKEN, "the signature is missing, or not the device's for this manifest",
                         clip=name) for name in wrong)


def _keys(package: Package, manifest: Manifest, key: str) -> Iterator[Flaw]:
    if key and fingerprint(_key(manifest)) != key.lower():
        yield Flaw(FlawCode.KEY_FOREIGN, "the export is not signed with the key that was named")
    if manifest.signed:
        for name, data in seals.keys(_key(manifest), manifest.dev).items():
            if package.small.get(name) != data:
                yield Flaw(FlawCode.KEY_FILE_DIFFERS, "it is missing, or brings another key than the manifest names",
                           clip=name)


def _listed(manifest: Manifest, row: Exported | None) -> list[FileTold]:
    if row is None:
        return [*manifest.claim.films, *manifest.claim.files]
    return [FileTold(file=name, bytes=0, sha256=sha256) for name, sha256 in row.films.items()]


def _check_files(listed: Sequence[FileTold], files: Mapping[str, FoundFile], strangers: bool) -> Iterator[Flaw]:
    """Checks that each file is there and unchanged. `strangers` forbids other files."""
    digests = {each.sha256: each.file for each in listed}
    for each in listed:
        found = files.get(each.file)
        if found is None or found.trouble:
            why = f"it can't be read: {found.trouble}" if found else "it is missing"
            yield Flaw(FlawCode.FILE_MISSING, why, clip=each.file)
        elif found.sha256 != each.sha256:
            yield _changed(each, found, digests)
    for name in sorted(files.keys() - {each.file for each in listed}) if strangers else ():
        yield Flaw(FlawCode.FILE_UNKNOWN, "the manifest does not name it, so nothing confirms it", clip=name)


def _changed(listed: FileTold, found: FoundFile, digests: Mapping[str, str]) -> Flaw:
    if other := digests.get(found.sha256):
        return Flaw(FlawCode.FILE_SWAPPED, f"it holds what {other} held", clip=listed.file)
    if found.size_b < listed.bytes:
        return Flaw(FlawCode.FILE_TRUNCATED, f"{listed.bytes - found.size_b} of {listed.bytes} bytes are missing",
                    clip=listed.file)
    return Flaw(FlawCode.FILE_EDITED, "it is not what was exported", clip=listed.file)


def _check_sources(manifest: Manifest, checked: Checked) -> Iterator[Flaw]:
    """Checks that the rows say the same about each clip as the manifest. Invalid rows are findings already."""
    rows, known = {row.n: row for row in checked.rows}, offsets(checked.rows)
    is_whole = len(rows) == manifest.last.n - manifest.after.n      # else the row that dates a clip may be missing
    for clip in manifest.claim.clips:
        row = rows.get(clip.n)
        if row is None:
            outside = not manifest.after.n < clip.n <= manifest.last.n
            if outside:
                yield Flaw(FlawCode.SOURCE_WITHOUT_ROW, f"row {clip.n} is not in the export", clip.n, clip.clip)
        elif not _matches(row, clip):
            yield Flaw(FlawCode.SOURCE_WITHOUT_ROW, f"row {clip.n} differs from the manifest about it", clip.n,
                       clip.clip)
        elif is_whole and not _dates(row, clip, known.get(row.body["boot"], set())):
            yield Flaw(FlawCode.CLIP_REDATED, "the manifest dates it as no signed row does", clip.n, clip.clip)
        else:
            yield from _foreign(row, clip, manifest.claim.wish)
    if missing := {name for film in manifest.claim.films for name in film.clips} - {
            clip.clip for clip in manifest.claim.clips}:
        yield Flaw(FlawCode.SOURCE_WITHOUT_ROW, f"films were cut from {', '.join(sorted(missing))}, and the "
                                               "manifest names no row for them")


def _check_time(claim: Claim) -> Iterator[Flaw]:
    """Checks that the films contain all of the requested time, except for the gaps that the manifest names."""
    listed = [(each.begin_ms, each.end_ms) for each in (*claim.gaps, *(
        stretch for film in claim.films for stretch in film.stretches))]
    reached_ms = claim.wish.begin_ms
    for begin_ms, end_ms in sorted([*listed, (claim.wish.end_ms, claim.wish.end_ms)]):
        if begin_ms - reached_ms > NEAR_MS:
            yield Flaw(FlawCode.GAP_UNNAMED, f"{(begin_ms - reached_ms) / 1000:.1f} s of the time that was asked for "
                                             "are in no film, and the manifest does not say that they are missing")
        reached_ms = max(reached_ms, end_ms)


def _check_identity(manifest: Manifest, checked: Checked) -> Iterator[Flaw]:
    """Checks that the newest row about the ward's certificate names the same one as the manifest."""
    listed = [row for row in checked.rows if row.kind == WardIdentity.KIND]
    ward = manifest.claim.ward
    if ward and (not listed or listed[-1].body != msgspec.to_builtins(ward)):
        yield Flaw(FlawCode.IDENTITY_WITHOUT_ROW, f"no row says that the ward knows this recorder as {ward.name}, by "
                                                  "the certificate that the manifest names")


def _foreign(row: Row, clip: ClipTold, wish: ExportWish) -> Iterator[Flaw]:
    if row.body["camera"] != wish.camera:
        yield Flaw(FlawCode.SOURCE_FOREIGN, f"it was filmed by the camera {row.body['camera']}, and {wish.camera} was "
                                           "asked for", clip.n, clip.clip)
    if clip.begin_ms > wish.end_ms + NEAR_MS or clip.begin_ms + clip.dur_ms < wish.begin_ms - NEAR_MS:
        yield Flaw(FlawCode.SOURCE_FOREIGN, "it lies outside the time that was asked for", clip.n, clip.clip)
    if wish.only is not None and clip.clip not in wish.only:
        yield Flaw(FlawCode.SOURCE_FOREIGN, "the household was not shown it when it agreed", clip.n, clip.clip)


def _matches(row: Row, clip: ClipTold) -> bool:
    try:
        signed = msgspec.convert(row.body, ClipSigned) if row.kind == ClipSigned.KIND else None
    except msgspec.ValidationError:
        return False
    return signed is not None and (
        (signed.clip, signed.sha256, signed.dur_ms, signed.clock, signed.settings, signed.masks, signed.masked_by,
         signed.detector)
        == (clip.clip, clip.sha256, clip.dur_ms, clip.clock, clip.settings, clip.masks, clip.masked_by, clip.detector)
        and clip.begin_ms - clip.off_ms == signed.wall_ms)


def _dates(row: Row, clip: ClipTold, offsets_ms: set[int]) -> bool:
    signed = msgspec.convert(row.body, ClipSigned)
    known = {signed.wall_ms - signed.mono_ms, *offsets_ms} | ({signed.offset_ms} - {None})
    return clip.begin_ms - signed.mono_ms in known
