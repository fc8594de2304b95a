"""An export as a package that a stranger can check: a folder, or one file encrypted for named recipients.

In it is a page to print, in Vietnamese and English: what was exported, what is missing, and how to check it.
"""
import functools
import hashlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

import agent
from agent.core.evidence.ledger import seals, stretch
from agent.core.evidence.ledger.acts import ClipSigned, WardIdentity
from agent.core.evidence.ledger.claim import (
    NOT_AGREED,
    STILL_RECORDED,
    Claim,
    ClipTold,
    ExportWish,
    FileTold,
    FilmTold,
    GapTold,
    Manifest,
    StretchTold,
)
from agent.core.evidence.ledger.row import fingerprint
from agent.core.media.mp4.cut import CutFilm
from agent.core.moment import moment
from agent.host.files import write_durably
from agent.host.pieces import PieceReader
from agent.store import identity, ledger, meta
from agent.store.bound import Signed, rows_of
from agent.store.clips import Clip
from agent.store.database import StoreConnection
from agent.store.export.archive import Item, tar
from agent.store.export.prepare import BRIEF_MS, Export, ExportError, spell
from agent.store.export.signature import Sign, told_by
from agent.store.export.write import Tell, file_draft, folder_draft, require_room, stream, write

if TYPE_CHECKING:
    import jinja2

LANGUAGES = ("vi", "en")
REASONS = {STILL_RECORDED: "recording", NOT_AGREED: "not_agreed"}
HERE = Path(__file__).parent
NEAR_MS = 2_000                     # smaller differences do not matter
CHECKER = "verify.py"
ENDING = ".tar.age"
SOFTWARE = f"taimat {agent.__version__}"


@dataclass(frozen=True, slots=True)
class About:
    device: str
    serial: str | None              # the board's
    key: str | None                 # fingerprint of the device's key
    is_signed: bool


def summary(claim: Claim, about: About, language: str) -> bytes:
    words = _words()[language]
    page = _template().render(
        language=language, words=words, claim=claim, about=about, files=seals, clocks=_clocks(claim.clips, words),
        purposes=[(words[part], getattr(claim.wish, part)) for part in ("case", "purpose", "officer")])
    return page.encode()


@functools.cache
def _words() -> Mapping[str, Mapping[str, str]]:
    return {name: tomllib.loads((HERE / f"summary.{name}.toml").read_text()) for name in LANGUAGES}


@functools.cache
def _template() -> "jinja2.Template":
    import jinja2  # exports are rare, and the keeper would carry it in memory for good
    env = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined,
                             trim_blocks=True, lstrip_blocks=True)
    env.filters |= {
        "local": _local, "missing": _missing,
        "utc": lambda wall_ms: f"{moment(wall_ms, UTC):%Y-%m-%d %H:%M:%S}",
        "minutes": lambda dur_ms: f"{dur_ms // 60_000}:{dur_ms // 1000 % 60:02d}",
        "megabytes": lambda size_b: f"{size_b / 1e6:.1f} MB",
        "why": lambda gap, words: gap.why if gap.is_damage else words[REASONS.get(gap.why, "nothing")]}
    return env.get_template("summary.html")


def _clocks(clips: Sequence[ClipTold], words: Mapping[str, str]) -> list[str]:
    said = [words[f"clock_{state}"] for state in ("ntp", "rtc", "saved", "unset")
            if any(clip.clock == state for clip in clips)]
    off_ms = [clip.off_ms for clip in clips if abs(clip.off_ms) >= NEAR_MS]
    if off_ms:
        said.append(words["clock_off"].format(least=min(off_ms) // 1000, most=max(off_ms) // 1000))
    return said


def _local(wall_ms: int) -> str:
    zoned = moment(wall_ms).astimezone()
    return f"{zoned:%Y-%m-%d %H:%M:%S %z}"


def _missing(gap: GapTold, words: Mapping[str, str]) -> str:
    gap_ms = gap.end_ms - gap.begin_ms
    if gap_ms >= BRIEF_MS:
        return f"{_local(gap.begin_ms)} – {_local(gap.end_ms)}"
    return words["brief"].format(seconds=f"{gap_ms / 1000:.1f}".replace(".", words["decimal"]), at=_local(gap.begin_ms))


@dataclass(frozen=True, slots=True)
class Made:
    """A package that is whole and flushed."""

    path: Path
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Packer:
    """Makes packages from one store; `sign` returns the manifest, and `is_signed` says whether that has signatures."""

    db: StoreConnection
    sign: Sign
    is_signed: bool = True

    def folder(self, found: Export, wish: ExportWish, target: Path, tell: Tell = lambda done_b: None) -> Made:
        """Writes the package as the new folder `target`; tells the bytes done. Raises ExportError, sqlite3.Error."""
        with folder_draft(target) as draft:
            written = write(found, draft / f"{name(found)}.mp4", tell=tell)
            films = [FileTold(file=film.path.name, bytes=film.size_b, sha256=film.sha256) for film in written]
            manifest, papers = self._papers(found, wish, films)
            for file, data in papers.items():
                write_durably(draft / file, data)
        return Made(target, manifest)

    def sealed(self, found: Export, wish: ExportWish, target: Path, tell: Tell = lambda done_b: None) -> Made:
        """Writes the package as one file, NAME.tar.age, that only the wish's recipients can open."""
        require_keys(wish.recipients)
        with file_draft(target) as draft:
            require_room(target.parent, sum(film.size_b for film in found.films))
            manifest, items = self.items(found, wish, tell)
            pieces = tar(target.name.removesuffix(ENDING), items, wish.end_ms // 1000)
            _seal(PieceReader(pieces), draft, wish.recipients)
        return Made(target, manifest)

    def items(self, found: Export, wish: ExportWish, tell: Tell = lambda done_b: None) -> tuple[Manifest, list[Item]]:
        """Returns the signed package to send; films are read later. Raises ExportError, OSError, sqlite3.Error."""
        films = _hashed(found, tell)
        manifest, papers = self._papers(found, wish, films)
        return manifest, [*(Item(file, len(data), [data]) for file, data in papers.items()),
                          *(Item(file.file, file.bytes, stream(found, film))
                            for file, film in zip(films, found.films, strict=True))]

    def _papers(self, found: Export, wish: ExportWish,
                films: Sequence[FileTold]) -> tuple[Manifest, Mapping[str, bytes]]:
        signed = rows_of(self.db, found.clips)
        ward = identity.at_ward(self.db) if self.is_signed else None
        claim = describe(found, wish, films, signed, ward=ward, require_rows=self.is_signed)
        explained = self._explained(claim, signed)
        answer = self.sign(msgspec.structs.replace(claim, files=[
            FileTold(file=file, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
            for file, data in explained.items()]))
        manifest = told_by(answer)
        rows = stretch.write(line for line in ledger.lines(self.db, manifest.after.n) if line.n <= manifest.last.n)
        keys = seals.keys(bytes.fromhex(manifest.key), manifest.dev) if manifest.key else {}
        return manifest, {seals.MANIFEST: answer.manifest, stretch.FILE: rows, **explained, **answer.signatures, **keys}

    def _explained(self, claim: Claim, signed: Signed) -> dict[str, bytes]:
        """Returns the files that help people to understand and check it; the manifest names them too."""
        serial = next((row.serial for _, row in signed.values() if row.serial), None)
        key = bytes.fromhex(meta.get(self.db, ledger.KEY) or "")
        about = About(identity.named(self.db.store) or identity.UNNAMED, serial, fingerprint(key) if key else None,
                      self.is_signed)
        return {f"summary.{language}.html": summary(claim, about, language) for language in LANGUAGES} | {
            CHECKER: Path(__file__).with_name(CHECKER).read_bytes()}


def name(found: Export) -> str:
    """Returns the export's name: its camera, and when its first frame was filmed, in the machine's own zone."""
    return f"{found.camera}-{spell(found.films[0].begin_ms, '%Y%m%d-%H%M%S')}"


def _hashed(found: Export, tell: Tell) -> list[FileTold]:
    films, done_b = [], 0
    for number, film in enumerate(found.films, 1):
        digest, begun_b = hashlib.sha256(), done_b
        for piece in stream(found, film):
            digest.update(piece)
            done_b += len(piece)
            tell(done_b)
        file = f"{name(found)}.mp4" if number == 1 else f"{name(found)}-{number}.mp4"
        films.append(FileTold(file=file, bytes=done_b - begun_b, sha256=digest.hexdigest()))
    return films


def describe(found: Export, wish: ExportWish, films: Sequence[FileTold], signed: Signed, files: Sequence[FileTold] = (),
             ward: WardIdentity | None = None, require_rows: bool = True) -> Claim:
    """Returns the claim of an export whose `films` have these names and digests and whose clips have these rows. `ward`
    is the certificate by which a ward knows the recorder. Raises ExportError for a clip without a row; if rows are not
    demanded, the claim leaves the clip out. The keeper makes the claim again before it signs."""
    used = dict.fromkeys(number for film in found.films for number in film.strips)
    clips = [found.clips[number] for number in used]
    if require_rows and (unsigned := next((clip.name for clip in clips if clip.name not in signed), None)):
        raise ExportError(f"the clip {unsigned} is not signed yet, which takes the keeper a few seconds: try again; "
                          "if it stays so, taimat doctor says more")
    return Claim(wish=wish, films=[_film(found, film, file) for film, file in zip(found.films, films, strict=True)],
                 clips=[_clip(clip, *signed[clip.name]) for clip in clips if clip.name in signed],
                 gaps=[GapTold(begin_ms=gap.begin_ms, end_ms=gap.end_ms, why=gap.why) for gap in found.gaps],
                 sure=found.sure, software=SOFTWARE, until_ms=found.until_ms, ward=ward,
                 files=list(files))


def _film(found: Export, film: CutFilm, file: FileTold) -> FilmTold:
    stream = film.plan.stream
    return FilmTold(file=file.file, bytes=file.bytes, sha256=file.sha256, dur_ms=film.dur_us // 1000,
                    frames=film.frames_n, sounds=film.sounds_n, codec=stream.codec, width=stream.width,
                    height=stream.height, clips=list(dict.fromkeys(found.clips[number].name for number in film.strips)),
                    stretches=[StretchTold(begin_ms=part.begin_us // 1000, end_ms=part.end_us // 1000,
                                           at_ms=part.at_us // 1000) for part in film.stretches])


def _clip(clip: Clip, n: int, signed: ClipSigned) -> ClipTold:
    return ClipTold(clip=clip.name, n=n, sha256=signed.sha256, begin_ms=clip.wall_ms, dur_ms=signed.dur_ms,
                    clock=signed.clock, off_ms=clip.wall_ms - signed.wall_ms, settings=signed.settings,
                    masks=signed.masks, masked_by=signed.masked_by, detector=signed.detector)


def listed_recipients(path: Path) -> list[str]:
    """Reads the recipients in a file: one per line, # begins a comment. Raises ExportError."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{path}: {getattr(error, 'strerror', None) or 'is no text'}; a file of recipients has an "
                          "age1... or ssh-ed25519 key a line") from error
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise ExportError(f"{path} names no recipient: write an age1... or ssh-ed25519 key on a line of its own")
    return found


def _seal(source: PieceReader, target: BinaryIO, recipients: Sequence[str]) -> None:
    ends = _Ends(source, target)
    try:
        _pyrage().encrypt_io(ends, ends, require_keys(recipients))
    except _pyrage().EncryptError:
        if ends.error is None:
            raise
        raise ends.error from None


class _Ends:
    """Both ends at once. The library passes on only the text of their errors, so they are kept here."""

    def __init__(self, source: PieceReader, target: BinaryIO) -> None:
        self.error: Exception | None = None
        self.read, self.write, self.flush = map(self._keeping, (source.read, target.write, target.flush))

    def _keeping(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*values: Any) -> Any:
            try:
                return call(*values)
            except Exception as error:
                self.error = error
                raise
        return called


def require_keys(recipients: Sequence[str]) -> list[object]:
    """Returns the recipients' keys. Raises ExportError, which names the recipient that is not a key."""
    return [_key(text) for text in recipients]


def _key(text: str) -> object:
    pyrage = _pyrage()
    kind = pyrage.ssh if text.startswith("ssh-") else pyrage.x25519
    try:
        return kind.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise ExportError(f"{text} is no key to seal for ({error}): a recipient's public key begins with age1 "
                          "(age-keygen prints it) or ssh-ed25519") from error


def _pyrage() -> ModuleType:
    try:
        import pyrage
    except ImportError as error:
        raise ExportError("to seal an export the Python package pyrage is needed: pip install pyrage, or "
                          "export without recipients and seal it elsewhere with age") from error
    return pyrage
