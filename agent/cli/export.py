"""`taimat export`: footage as a package that a stranger can check, or as a plain film."""
import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from agent.cli import values
from agent.cli.options import Config, Force, From, Json, To
from agent.cli.place import open_store
from agent.cli.processes import at_work
from agent.cli.terminal import console, json_line, length, size, working
from agent.cli.typed import length_ms, moment_ms, recorded
from agent.config.settings import Settings
from agent.core.evidence.encrypted import LockedError
from agent.core.evidence.ledger.claim import ExportWish, GapTold
from agent.core.evidence.ledger.row import fingerprint
from agent.host.clock import SystemClock
from agent.host.datagram import Outlet
from agent.host.users import as_before, give_to_caller
from agent.store import boots, clips, holds
from agent.store.bound import as_told
from agent.store.clips import Clip, cameras
from agent.store.database import StoreError
from agent.store.encryption.file_keys import Keyring
from agent.store.export import Export, ExportError, Written, prepare, prepare_clip, write
from agent.store.export.package import ENDING, Made, Packer, listed_recipients, name, require_keys
from agent.store.export.prepare import ExportGap, spell, spell_gap
from agent.store.export.signature import AskKeeper, Sign, signed_until, unsigned
from agent.store.export.write import Tell
from agent.store.folders import Folders
from agent.store.holds import HoldError

ASK = Path("-")
CLOSED = ("done", "recovered")
EXIT_OK, EXIT_DAMAGED = 0, 1
UNSURE = "[dim]~ the clock was not sure of this time[/dim]"
LETTERS_MAX = 200
UNSIGNED = "nobody signed this export: it says so itself, and a check will"

ClipName = Annotated[str | None, typer.Argument(
    metavar="[CLIP]", autocompletion=values.clips, show_default=False,
    help="Export this whole clip instead of a time.")]
WhoseCamera = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", autocompletion=values.cameras, show_default=False,
    help="The camera. Not needed if there is only one.")]
LastTime = Annotated[str | None, typer.Option(
    "--last", metavar="LENGTH", show_default=False, help="The last 10m, 2h or 1d, instead of --from and --to.")]
Film = Annotated[bool, typer.Option("--film", help="Export only the film, as one MP4, unsigned and without proofs.")]
Case = Annotated[str | None, typer.Option("--case", metavar="NUMBER", show_default=False,
    help="The case number. It is signed, like --purpose and --officer.")]
Purpose = Annotated[str | None, typer.Option("--purpose", metavar="TEXT", show_default=False, help="The purpose.")]
Officer = Annotated[str | None, typer.Option(
    "--officer", metavar="NAME", show_default=False, help="The officer who asked for it.")]
Recipients = Annotated[list[str] | None, typer.Option("--recipient", "-r", metavar="KEY", show_default=False,
    help="Seal the export for this age1... or ssh-ed25519 key, so that nobody else can open it. May be repeated.")]
RecipientsFile = Annotated[Path | None, typer.Option("--recipients-file", "-R", metavar="FILE", show_default=False,
    help="Seal the export for the keys in this file.")]
Unsigned = Annotated[bool, typer.Option("--unsigned",
    help="Export without a signature, for example from a card in a reader. Such films prove nothing.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="NAME", show_default=False,
    help="The folder, sealed file or film to write. Default: one here, named after camera and time.")]
HouseholdKey = Annotated[Path | None, typer.Option("--household-key", metavar="FILE", show_default=False,
    help="Open encrypted recordings with the household's key in this file; - asks for the key.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class FootageOptions:
    """The footage that the command line names, and the file with the household's key, if given."""

    clip: str | None
    camera: str | None
    since: str | None
    until: str | None
    last: str | None
    household_key: Path | None

    def __post_init__(self) -> None:
        """Raises typer.BadParameter unless the time is given in exactly one way."""
        if sum((self.clip is not None, self.last is not None, self.since is not None or self.until is not None)) != 1:
            raise typer.BadParameter('say which time: --from "2026-11-25 14:00" --to 14:10, or --last 10m, '
                                     "or the name of a clip")

    def named_clip(self, db: sqlite3.Connection, states: Sequence[str], kind: str) -> Clip:
        clip = clips.get(db, str(self.clip).removesuffix(".mp4"))
        if clip is None or clip.state not in states:
            raise typer.BadParameter(f"there is no {kind} {self.clip}; taimat clips list tells which there are")
        return clip

    def span(self, settings: Settings, db: sqlite3.Connection) -> tuple[str, int, int]:
        """Returns camera, begin and end (Unix milliseconds) of a given time."""
        if self.camera:
            return recorded(settings.camera, cameras(db), self.camera), *self._range_ms(db)
        known = list(dict.fromkeys([*(camera.name for camera in settings.camera), *cameras(db)]))
        if len(known) != 1:
            raise typer.BadParameter(f"say which camera: --camera NAME; known: {', '.join(known) or 'none'}")
        return known[0], *self._range_ms(db)

    def _range_ms(self, db: sqlite3.Connection) -> tuple[int, int]:
        now = SystemClock().now()
        offset_ms = boots.offset_ms(db, now.boot)
        now_ms = now.wall_ms if offset_ms is None else now.mono_ms + offset_ms
        if self.last is not None:
            return now_ms - length_ms(self.last, "--last"), now_ms
        if self.since is None:
            raise typer.BadParameter("--to needs --from: from when on?")
        begin_ms = moment_ms(self.since, "--from", now_ms)
        end_ms = now_ms if self.until is None else min(now_ms, moment_ms(self.until, "--to", begin_ms))
        if end_ms <= begin_ms:
            raise typer.BadParameter(f"nothing lies between {spell(begin_ms)} and {spell(end_ms)}; "
                                     "--to comes after --from, and both in the past")
        return begin_ms, end_ms

    def keyring(self, settings: Settings, folders: Folders) -> Keyring:
        """Returns the keeper's keys, or the household's. Raises LockedError and typer.BadParameter."""
        path = self.household_key
        if path is None:
            return Keyring(folders, Path(settings.store.runtime))
        from agent.store.encryption.household import opener  # only here: it needs the cryptography library

        if path == ASK:
            return Keyring(folders, household=opener(folders, typer.prompt("The household's key", hide_input=True)))
        try:
            with as_before():
                typed = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is no text"
            raise typer.BadParameter(f"--household-key {path}: {reason}") from error
        return Keyring(folders, household=opener(folders, typed))


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageOptions:
    case: str | None = None
    purpose: str | None = None
    officer: str | None = None
    recipients: Sequence[str] = ()
    recipients_file: Path | None = None
    unsigned: bool = False

    def keys(self) -> list[str]:
        """Returns all recipients. Raises ExportError for an unusable key."""
        keys = [*self.recipients, *(listed_recipients(self.recipients_file) if self.recipients_file else ())]
        require_keys(keys)
        return keys

    def wish(self, camera: str, begin_ms: int, end_ms: int, keys: list[str]) -> ExportWish:
        """Returns what is signed of the options. Raises typer.BadParameter."""
        return ExportWish(
            camera=camera, begin_ms=begin_ms, end_ms=end_ms, by="command", case=_text(self.case, "--case"),
            purpose=_text(self.purpose, "--purpose"), officer=_text(self.officer, "--officer"), recipients=keys)


def _text(value: str | None, option: str) -> str | None:
    text = (value or "").strip()
    if len(text) > LETTERS_MAX or not text.isprintable():
        raise typer.BadParameter(f"{option} takes up to {LETTERS_MAX} letters on one line")
    return text or None


def export(clip: ClipName = None, camera: WhoseCamera = None, since: From = None, until: To = None,
           last: LastTime = None, film: Film = False, force: Force = False, case: Case = None, purpose: Purpose = None,
           officer: Officer = None, recipient: Recipients = None, recipients_file: RecipientsFile = None,
           unsigned: Unsigned = False, output: Output = None, json: Json = False, household_key: HouseholdKey = None,
           config: Config = None) -> None:
    footage = FootageOptions(clip=clip, camera=camera, since=since, until=until, last=last,
                             household_key=household_key)
    package = PackageOptions(case=case, purpose=purpose, officer=officer, recipients=recipient or (),
                             recipients_file=recipients_file, unsigned=unsigned)
    if film and package != PackageOptions():
        raise typer.BadParameter("--film is only the film, and only a package is signed or sealed: leave out --film, "
                                 "or --case, --purpose, --officer, --recipient, --recipients-file and --unsigned")
    if force and not film:
        raise typer.BadParameter("--force goes with --film: a package never replaces anything")
    settings, folders, db = open_store(config)
    run = _ExportRun(settings, folders, db, footage, json)
    try:
        is_damaged = run.film(output, force) if film else run.package(package, output)
    except (ExportError, LockedError, HoldError) as error:
        raise StoreError(str(error)) from error
    raise typer.Exit(EXIT_DAMAGED if is_damaged else EXIT_OK)


@dataclass(frozen=True, slots=True)
class _ExportRun:
    settings: Settings
    folders: Folders
    db: sqlite3.Connection
    footage: FootageOptions
    as_json: bool

    def film(self, output: Path | None, replace: bool) -> bool:
        """Writes the film and prints the result. Returns whether footage of it is damaged."""
        file_key = self.footage.keyring(self.settings, self.folders).file_key
        if self.footage.clip is None:
            camera, begin_ms, end_ms = self.footage.span(self.settings, self.db)
            found = prepare(self.db, self.folders, camera, begin_ms, end_ms, file_key=file_key)
        else:
            clip = self.footage.named_clip(self.db, ("open", "done", "recovered"), "clip")
            found = prepare_clip(self.db, self.folders, clip, file_key)
        target = output or Path(f"{found.camera}-{spell(found.films[0].begin_ms, '%Y%m%d-%H%M%S')}.mp4")
        with as_before(), self._progress(found) as tell:
            written = write(found, target, replace, tell)
            for one in written:
                give_to_caller(one.path)
        if self.as_json:
            for one in written:
                json_line(_film_json(found, one))
        else:
            _show_film(found, written)
        return any(gap.is_damage for gap in found.gaps)

    def package(self, package: PackageOptions, output: Path | None) -> bool:
        """Writes the package and prints the result. Returns whether footage of it is damaged."""
        with as_before():
            keys = package.keys()
        made = self._made(package, keys, output)
        if self.as_json:
            manifest = made.manifest
            json_line({
                "package": str(made.path), "signed": manifest.signed, "device": manifest.dev, "key": _key(made),
                "n": manifest.last.n, "head": manifest.last.hash, "claim": msgspec.to_builtins(manifest.claim)})
        else:
            _show_package(made)
        return any(gap.is_damage for gap in made.manifest.claim.gaps)

    def _made(self, package: PackageOptions, keys: list[str], output: Path | None) -> Made:
        db, signed = self.db, not package.unsigned
        until = partial(signed_until, db, is_there=self._keeper_runs, runtime=Path(self.settings.store.runtime))
        if self.footage.clip is None:
            camera, begin_ms, end_ms = self.footage.span(self.settings, db)
        else:
            clip = self.footage.named_clip(db, ("open", "done", "recovered") if signed else CLOSED, "clip")
            if clip.state == "open":
                until(clip.camera, clip.wall_ms, clip.wall_ms + 1)
                clip = self.footage.named_clip(db, CLOSED, "finished clip")
            camera, begin_ms, end_ms = clip.camera, clip.wall_ms, clip.wall_ms + (clip.dur_ms or 0)
        until_ms = until(camera, begin_ms, end_ms) if signed else None
        file_key = self.footage.keyring(self.settings, self.folders).file_key
        found = prepare(db, self.folders, camera, begin_ms, end_ms, file_key=file_key, until_ms=until_ms,
                        vouches=as_told if signed else None)
        wish = package.wish(camera, begin_ms, end_ms, keys)
        with contextlib.closing(Outlet(Path(self.settings.store.runtime))) as outlet:
            sign: Sign = AskKeeper(db, outlet, self._keeper_runs) if signed else (
                lambda claim: unsigned(db, found.clips, claim))
            packer = Packer(db, sign, signed)
            with as_before(), self._progress(found) as tell, holds.while_read(db, found.clips, SystemClock().now()):
                made = (packer.sealed(found, wish, output or Path(name(found) + ENDING), tell) if keys else
                        packer.folder(found, wish, output or Path(name(found)), tell))
                give_to_caller(made.path)
                return made

    def _keeper_runs(self) -> bool:
        return "keeper" in at_work(self.folders.root)

    @contextlib.contextmanager
    def _progress(self, found: Export) -> Iterator[Tell]:
        all_b = max(1, sum(film.size_b for film in found.films))
        with working("copying ...", self.as_json) as tick:
            yield lambda done_b: tick(f"copying {size(all_b)}, {100 * done_b // all_b} % ...")


def _key(package: Made) -> str | None:
    key = package.manifest.key
    return fingerprint(bytes.fromhex(key)) if key else None


def _show_package(package: Made) -> None:
    out, claim = console(), package.manifest.claim
    mark = "" if claim.sure else "~"
    out.print(f"[green]wrote[/green]   {package.path}")
    for film in claim.films:
        out.print(f"film    {film.file}: {mark}{spell(film.stretches[0].begin_ms)} to "
                  f"{spell(film.stretches[-1].end_ms)}, {length(film.dur_ms)}, {size(film.bytes)}")
    _show_gaps(claim.gaps, mark)
    if claim.wish.recipients:
        out.print(f"sealed  for {len(claim.wish.recipients)}: nobody else can open it, not even this recorder")
    if package.manifest.signed:
        out.print(f"signed  row {package.manifest.last.n} of {package.manifest.dev}, key {_key(package)}")
    else:
        out.print(f"[yellow]unsigned[/yellow] {UNSIGNED}")
    if mark:
        out.print(UNSURE)


def _show_film(found: Export, written: list[Written]) -> None:
    out = console()
    mark = "" if found.sure else "~"
    for one in written:
        film = one.film
        out.print(f"[green]wrote[/green]   {one.path} ({size(one.size_b)})")
        out.print(f"first   {mark}{spell(film.begin_ms)}\nlast    {mark}{spell(film.end_ms)}")
        out.print(f"plays   {length(film.dur_us // 1000)}, {film.frames_n} frames"
                  f"{', with sound' if film.sounds_n else ''}")
        out.print(f"sha256  {one.sha256}")
    _show_gaps(found.gaps, mark)
    if len(written) > 1:
        out.print("[dim]several files: the camera's picture settings changed in between[/dim]")
    if mark:
        out.print(UNSURE)


def _show_gaps(gaps: Iterable[GapTold | ExportGap], mark: str) -> None:
    for gap in gaps:
        console().print(f"[yellow]missing[/yellow] {mark}{spell_gap(gap.begin_ms, gap.end_ms)}: "
                        f"{gap.why or 'nothing was recorded'}")


def _film_json(found: Export, written: Written) -> dict[str, object]:
    film = written.film
    return {"file": str(written.path), "bytes": written.size_b, "sha256": written.sha256, "camera": found.camera,
            "begin_ms": film.begin_ms, "end_ms": film.end_ms, "clock_sure": found.sure, "frames": film.frames_n,
            "sounds": film.sounds_n, "dur_ms": film.dur_us // 1000,
            "clips": [found.clips[number].name for number in film.strips],
            "stretches": [asdict(stretch) for stretch in film.stretches],
            "missing": [gap._asdict() for gap in found.gaps]}
