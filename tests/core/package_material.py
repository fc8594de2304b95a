"""Exports of the honest device in memory, as plain values, and what a check makes of them once somebody was at them."""
import hashlib
from dataclasses import dataclass, field

import msgspec

from agent.core.evidence.ledger import seals, stretch
from agent.core.evidence.ledger.card_check import FoundFile
from agent.core.evidence.ledger.claim import (
    Claim,
    ClipTold,
    ExportWish,
    FileTold,
    FilmTold,
    GapTold,
    Manifest,
    RowRef,
    StretchTold,
)
from agent.core.evidence.ledger.findings import FlawCode
from agent.core.evidence.ledger.package import Package, PackageVerdict, check_package
from agent.core.evidence.ledger.row import Row, RowHead, canonical, follow
from tests.core.ledger_material import Device, public, verifies

OF_EXPORTS = {FlawCode.MANIFEST_EDITED, FlawCode.MANIFEST_MALFORMED, FlawCode.EXPORT_UNSIGNED,
              FlawCode.EXPORT_WITHOUT_ROW, FlawCode.SEAL_BROKEN, FlawCode.KEY_FILE_DIFFERS,
              FlawCode.FILE_EDITED, FlawCode.FILE_TRUNCATED, FlawCode.FILE_SWAPPED,
              FlawCode.FILE_MISSING, FlawCode.FILE_UNKNOWN, FlawCode.SOURCE_WITHOUT_ROW, FlawCode.GAP_UNNAMED,
              FlawCode.IDENTITY_WITHOUT_ROW, FlawCode.SOURCE_FOREIGN}
CASE = {"case": "12/2026", "purpose": "a theft at the gate", "officer": "Lê Văn Tám"}


def hand_out(device: Device, first: int = 0, last: int | None = None, after_n: int = 0,
             signed: bool = True) -> "Parcel":
    """The clips from `first` to `last`, by the order of their rows, in two films; the rows begin behind `after_n`."""
    while device.waiting:
        device.seal()
    rows = [device.row(n) for n in range(1, len(device.lines) + 1)]
    filmed = [row for row in rows if row.kind == "clip"][first:last]
    boots = {row.body["boot"] for row in filmed}        # the rows that date them go along
    after_n = min([after_n, *(row.n - 1 for row in rows if row.kind == "clock" and row.at.boot in boots),
                   *(row.n - 1 for row in filmed)])
    clips = [_clip(device, row) for row in filmed]
    half = (len(clips) + 1) // 2
    films = [_film(f"film-{n}.mp4", part) for n, part in enumerate((clips[:half], clips[half:]), 1) if part]
    begin_ms, end_ms = _span(clips)
    claim = Claim(wish=ExportWish(camera="gate", begin_ms=begin_ms, end_ms=end_ms, by="command", **CASE),
                  films=films, clips=clips, gaps=_between(clips, end_ms),
                  sure=True, software="1.0", files=[FileTold(file="summary.vi.html", bytes=900, sha256="5" * 64),
                                                    FileTold(file="verify.py", bytes=5000, sha256="6" * 64)])
    if signed:
        device.tell(claim.act())
    return Parcel.of(device, claim, after_n, signed)


def _span(clips: list[ClipTold]) -> tuple[int, int]:
    """A time that begins with the first of them and goes on for a minute behind the last."""
    return (min((each.begin_ms for each in clips), default=0),
            max((each.begin_ms + each.dur_ms for each in clips), default=0) + 60_000)


def _between(clips: list[ClipTold], end_ms: int) -> list[GapTold]:
    """What is missing between them and behind them."""
    gaps, reached_ms = [], _span(clips)[0]
    for begin_ms, until_ms in sorted([*((each.begin_ms, each.begin_ms + each.dur_ms) for each in clips),
                                      (end_ms, end_ms)]):
        gaps += [GapTold(begin_ms=reached_ms, end_ms=begin_ms)] if begin_ms > reached_ms else []
        reached_ms = max(reached_ms, until_ms)
    return gaps


def _clip(device: Device, row: Row) -> ClipTold:
    begin_ms = row.body["mono_ms"] + max(device.boots.get(row.body["boot"],
                                                          {row.body["wall_ms"] - row.body["mono_ms"]}))
    return ClipTold(clip=row.body["clip"], n=row.n, sha256=row.body["sha256"], begin_ms=begin_ms,
                    dur_ms=row.body["dur_ms"], clock=row.body["clock"], off_ms=begin_ms - row.body["wall_ms"])


def _film(name: str, clips: list[ClipTold]) -> FilmTold:
    content = "".join(clip.sha256 for clip in clips).encode()
    stretches = [StretchTold(begin_ms=clip.begin_ms, end_ms=clip.begin_ms + clip.dur_ms, at_ms=0) for clip in clips]
    return FilmTold(file=name, bytes=1000 * len(clips), sha256=hashlib.sha256(content).hexdigest(),
                    dur_ms=10_000 * len(clips), frames=150, sounds=0, codec="h264", width=1280, height=720,
                    clips=[clip.clip for clip in clips], stretches=stretches)


@dataclass
class Parcel:
    """What lies in the folder, to be tampered with."""

    device: Device
    manifest: bytes
    ledger: list[bytes]
    small: dict[str, bytes]
    files: dict[str, FoundFile]
    heads: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, device: Device, claim: Claim, after_n: int, signed: bool) -> "Parcel":
        key, lines = public(device.key), device.lines[after_n:]
        after = RowHead(after_n, device.lines[after_n - 1].hash) if after_n else RowHead()
        last = lines[-1] if lines else after
        manifest = canonical(Manifest(dev=device.dev, key=key.hex(), serial=device.serial,
                                      after=RowRef(n=after.n, hash=after.hash.hex()),
                                      last=RowRef(n=last.n, hash=last.hash.hex()), claim=claim, signed=signed))
        small = seals.keys(key, device.dev) | seals.signatures(manifest, key, device.key.sign) if signed else {}
        files = {each.file: FoundFile(each.bytes, each.sha256) for each in [*claim.films, *claim.files]}
        return cls(device, manifest, stretch.write(lines).splitlines(keepends=True), small, files)

    def told(self) -> Manifest:
        return msgspec.json.decode(self.manifest, type=Manifest)

    def change_manifest(self, sign_with=None, **fields) -> None:
        """Write it anew; `sign_with` is a key with which its signatures are, too."""
        self.manifest = canonical(msgspec.structs.replace(self.told(), **fields))
        if sign_with:
            self.small |= seals.signatures(self.manifest, public(sign_with), sign_with.sign)

    def change_claim(self, sign_with=None, **fields) -> None:
        self.change_manifest(sign_with, claim=msgspec.structs.replace(self.told().claim, **fields))

    def change_row(self, n: int, old: bytes, new: bytes) -> None:
        """In the text of the file, where quotes within a row are escaped."""
        at = n - self.told().after.n - 1
        assert old in self.ledger[at]
        self.ledger[at] = self.ledger[at].replace(old, new)

    def sign_rows_anew(self, change) -> None:
        """What a device does that lies: each row that `change` gives back, chained and signed with its own key."""
        first = self.told().after
        head, lines = RowHead(first.n, bytes.fromhex(first.hash)), []
        for line in stretch.read(b"".join(self.ledger)):
            row = change(msgspec.json.decode(line.doc, type=Row))
            lines.append(follow(head, row, self.device.key.sign))
            head = RowHead(row.n, lines[-1].hash)
        self.ledger = stretch.write(lines).splitlines(keepends=True)
        self.change_manifest(self.device.key, last=RowRef(n=head.n, hash=head.hash.hex()))

    def check(self, **anchors) -> PackageVerdict:
        package = Package(self.manifest, b"".join(self.ledger), self.small, self.files)
        return check_package(package, verifies, **{"heads": self.heads} | anchors)

    def codes(self, **anchors) -> set[tuple[str, int | str | None]]:
        """Each finding's code, with its row or else its file."""
        return {(each.code.value, each.n or each.clip) for each in self.check(**anchors).findings}
