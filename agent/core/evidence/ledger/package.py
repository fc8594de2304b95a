"""Checks an export: manifest and signatures, its stretch of the ledger, its files, and the clips that it was cut from.

It is the check of a card (`check`) with what an export says of itself on top. Whatever one part no longer vouches
for, another may: the ledger's last row names the films, too.
"""
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from agent.core.evidence.ledger import seals
from agent.core.evidence.ledger.acts import Exported, KeyChange
from agent.core.evidence.ledger.card_check import FoundFile
from agent.core.evidence.ledger.chain import RowHead, fingerprint, message
from agent.core.evidence.ledger.check import Checked, Verifies, check
from agent.core.evidence.ledger.claim import FileTold, Manifest, digest
from agent.core.evidence.ledger.contents import check_files, check_identity, check_sources, check_time
from agent.core.evidence.ledger.findings import Flaw, FlawCode
from agent.core.evidence.ledger.row import LedgerLine, canonical, decode
from agent.core.evidence.ledger.stretch import read

KEY_OR_HASH_B = 32

_decoder = msgspec.json.Decoder(Manifest)


@dataclass(frozen=True, slots=True)
class Package:
    """What lies in an export's folder; b"" for what is not there."""

    manifest: bytes
    ledger: bytes
    small: Mapping[str, bytes]              # signatures and keys: the files of core.evidence.ledger.seals
    files: Mapping[str, FoundFile]              # everything else


@dataclass(slots=True)
class PackageVerdict:
    """What came of it."""

    manifest: Manifest | None
    checked: Checked
    findings: list[Flaw] = field(default_factory=list)
    compared_n: int = 0                     # heads that lie in the stretch
    told: list[FileTold] = field(default_factory=list)      # the files that something vouches for


def check_package(package: Package, verifies: Verifies, *, heads: Mapping[int, str] | None = None,
                  key: str = "") -> PackageVerdict:
    """Check an export. `heads` and `key` are as for `check`; a head beyond the stretch says nothing of it."""
    manifest = _manifest(package.manifest)
    if manifest is None:
        return _without_manifest(package, verifies)
    lines = read(package.ledger)
    wrong = list(seals.wrong(package.small, package.manifest, _key(manifest), verifies)) if manifest.signed else []
    signed = manifest.signed and len(wrong) < seals.FORMATS_N
    checked, compared_n = _rows(lines, manifest, signed, verifies, heads or {})
    own = _own_row(checked)
    told_of = own is not None and own.claim == digest(manifest.claim)
    verdict = PackageVerdict(manifest, checked, list(checked.findings), compared_n)
    verdict.findings += _manifest_holds(manifest, signed, told_of, wrong)
    verdict.findings += _keys(package, manifest, key)
    verdict.findings += _device(manifest, checked)
    if signed and not told_of and checked.rows and checked.rows[-1].n == manifest.last.n:
        verdict.findings.append(Flaw(FlawCode.EXPORT_WITHOUT_ROW, f"row {manifest.last.n} does not tell of this export",
                                     manifest.last.n))
    believed = signed or told_of or not manifest.signed
    verdict.told = _told(manifest, None if believed else own)
    verdict.findings += check_files(verdict.told, package.files, strangers=believed)
    if believed:
        verdict.findings += [*check_sources(manifest, checked), *check_time(manifest.claim),
                             *check_identity(manifest, checked)]
    return verdict


def _manifest(data: bytes) -> Manifest | None:
    try:
        told = _decoder.decode(data)
        canonical(told)
        if any(len(bytes.fromhex(text)) != KEY_OR_HASH_B
               for text in (told.key, told.after.hash, told.last.hash) if told.signed):
            return None
    except (msgspec.DecodeError, ValueError):       # NotCanonical among them
        return None
    return told


def _without_manifest(package: Package, verifies: Verifies) -> PackageVerdict:
    """The rows may still hold, by the key that lies beside them."""
    lines, key = read(package.ledger), seals.key_in(package.small.get(seals.PEM, b""))
    after = RowHead(lines[0].n - 1, lines[0].prev) if lines else RowHead()
    checked = check(lines, verifies, told_key=key, after=after)
    says = "there is no manifest.json" if not package.manifest else "manifest.json is none, or only a part of one"
    return PackageVerdict(None, checked, [Flaw(FlawCode.MANIFEST_MALFORMED, says), *checked.findings])


def _key(manifest: Manifest) -> bytes:
    return bytes.fromhex(manifest.key)


def _rows(lines: list[LedgerLine], manifest: Manifest, signed: bool, verifies: Verifies,
          heads: Mapping[int, str]) -> tuple[Checked, int]:
    """The stretch, and how many heads could be compared with it. Where the manifest does not hold, its borders are
    not believed."""
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
    """The key that signed the first rows: another one than today's, if a row in between tells of a change."""
    for line in lines:
        row = decode(line.doc) if KeyChange.KIND.encode() in line.doc else None
        if row and row.kind == KeyChange.KIND:
            with contextlib.suppress(KeyError, TypeError, ValueError):
                return bytes.fromhex(row.body["was"])
    return key


def _own_row(checked: Checked) -> Exported | None:
    """What the ledger's last row tells of an export; None if it tells of none, or does not hold."""
    row = checked.rows[-1] if checked.rows and checked.rows[-1].n == checked.last_n else None
    try:
        return msgspec.convert(row.body, Exported) if row and row.kind == Exported.KIND else None
    except msgspec.ValidationError:
        return None


def _device(manifest: Manifest, checked: Checked) -> Iterator[Flaw]:
    """Whether the manifest tells of the device and the board that the rows tell of."""
    if checked.rows and checked.rows[0].dev != manifest.dev:
        yield Flaw(FlawCode.DEVICE_DIFFERS, f"the rows are of the device {checked.rows[0].dev}, not {manifest.dev}",
                   checked.rows[0].n)
    boards = {row.body["serial"] for row in checked.rows if isinstance(row.body.get("serial"), str)}
    if manifest.serial is not None and boards and manifest.serial not in boards:
        yield Flaw(FlawCode.DEVICE_DIFFERS, f"the rows are of the board {', '.join(boards)}, not {manifest.serial}")


def _manifest_holds(manifest: Manifest, signed: bool, told_of: bool, wrong: list[str]) -> Iterator[Flaw]:
    if not manifest.signed:
        yield Flaw(FlawCode.EXPORT_UNSIGNED, "the device did not sign this export: nothing vouches for its films")
    elif not signed and not told_of:
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


def _told(manifest: Manifest, row: Exported | None) -> list[FileTold]:
    """The files to look for: by the manifest, or by the ledger's `row` where the manifest does not hold."""
    if row is None:
        return [*manifest.claim.films, *manifest.claim.files]
    return [FileTold(file=name, bytes=0, sha256=sha256) for name, sha256 in row.films.items()]
