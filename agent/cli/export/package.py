"""`taimat export`: what is asked, the keeper's signature, the package, and what is told of it."""
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import typer

from agent.cli.footage import FootageOptions, keyring, telling
from agent.cli.place import open_store
from agent.cli.processes import at_work
from agent.cli.terminal import console, json_line, length, size
from agent.config.settings import Settings
from agent.core.evidence.encrypted import LockedError
from agent.core.evidence.ledger import fingerprint
from agent.core.evidence.ledger.claim import ExportWish
from agent.host.clock import SystemClock
from agent.host.datagram import Outlet
from agent.host.users import as_before
from agent.store import clips, holds
from agent.store.bound import as_told
from agent.store.database import StoreError
from agent.store.export import ExportError, prepare
from agent.store.export.package import ENDING, Made, Packer, listed_recipients, name, require_keys
from agent.store.export.prepare import spell, spell_gap
from agent.store.export.signature import AskKeeper, Sign, signed_until, unsigned
from agent.store.folders import Folders
from agent.store.holds import HoldError

EXIT_OK, EXIT_DAMAGED = 0, 1
LETTERS_MAX = 200
UNSIGNED = "nobody signed this export: it says so itself, and a check will"


@dataclass(frozen=True, slots=True)
class PackageOptions:
    case: str | None
    purpose: str | None
    officer: str | None
    recipients: Sequence[str]
    recipients_file: Path | None
    unsigned: bool

    def keys(self) -> list[str]:
        """All recipients. Raises ExportError for a key that can't be used."""
        keys = [*self.recipients, *(listed_recipients(self.recipients_file) if self.recipients_file else ())]
        require_keys(keys)
        return keys

    def wish(self, camera: str, begin_ms: int, end_ms: int, keys: list[str]) -> ExportWish:
        """What is signed of it. Raises typer.BadParameter."""
        return ExportWish(
            camera=camera, begin_ms=begin_ms, end_ms=end_ms, by="command", case=_text(self.case, "--case"),
            purpose=_text(self.purpose, "--purpose"), officer=_text(self.officer, "--officer"), recipients=keys)


def export_package(footage: FootageOptions, package: PackageOptions, output: Path | None, as_json: bool,
                   config: Path | None) -> int:
    """Make the package and tell; returns 1 if footage is damaged that should be in it.

    Raises typer.BadParameter for options that contradict the recordings, ConfigError, StoreError.
    """
    settings, folders, db = open_store(config)
    try:
        made = _made(footage, package, output, as_json, settings, folders, db)
    except (ExportError, LockedError, HoldError) as error:
        raise StoreError(str(error)) from error
    if as_json:
        json_line(_plain(made))
    else:
        _show(made)
    return EXIT_DAMAGED if any(gap.is_damage for gap in made.manifest.claim.gaps) else EXIT_OK


def _made(footage: FootageOptions, package: PackageOptions, output: Path | None, quiet: bool, settings: Settings,
          folders: Folders, db: sqlite3.Connection) -> Made:
    with as_before():
        keys = package.keys()
    camera, begin_ms, end_ms = _span(footage, settings, db)
    keeper = _keeper(folders)
    until_ms = None if package.unsigned else signed_until(db, camera, begin_ms, end_ms, keeper)
    file_key = keyring(settings, folders, db, footage.household_key).file_key
    found = prepare(db, folders, camera, begin_ms, end_ms, file_key, until_ms=until_ms,
                    vouches=None if package.unsigned else as_told)
    wish = package.wish(camera, begin_ms, end_ms, keys)
    with contextlib.closing(Outlet(Path(settings.store.runtime))) as outlet:
        sign: Sign = (lambda claim: unsigned(db, found.clips, claim)) if package.unsigned else AskKeeper(
            db, outlet, keeper)
        packer = Packer(db, sign, not package.unsigned)
        with as_before(), telling(found, quiet) as tell, holds.while_read(db, found.clips, SystemClock().now()):
            if keys:
                return packer.sealed(found, wish, output or Path(name(found) + ENDING), tell)
            return packer.folder(found, wish, output or Path(name(found)), tell)


def _span(footage: FootageOptions, settings: Settings, db: sqlite3.Connection) -> tuple[str, int, int]:
    """Camera, begin and end (Unix milliseconds) of the time or of the clip."""
    if footage.clip is None:
        return footage.span(settings, db)
    clip = clips.get(db, footage.clip.removesuffix(".mp4"))
    if clip is None or clip.state not in ("done", "recovered"):
        raise typer.BadParameter(f"there is no finished clip {footage.clip}; taimat clips list tells which there are")
    return clip.camera, clip.wall_ms, clip.wall_ms + (clip.dur_ms or 0)


def _keeper(folders: Folders) -> Callable[[], bool]:
    return lambda: "keeper" in at_work(folders.root)


def _text(value: str | None, option: str) -> str | None:
    text = (value or "").strip()
    if len(text) > LETTERS_MAX or not text.isprintable():
        raise typer.BadParameter(f"{option} takes up to {LETTERS_MAX} letters on one line")
    return text or None


def _plain(package: Made) -> dict[str, object]:
    manifest = package.manifest
    return {"package": str(package.path), "signed": manifest.signed, "device": manifest.dev, "key": _key(package),
            "n": manifest.last.n, "head": manifest.last.hash, "claim": msgspec.to_builtins(manifest.claim)}


def _key(package: Made) -> str | None:
    key = package.manifest.key
    return fingerprint(bytes.fromhex(key)) if key else None


def _show(package: Made) -> None:
    out, claim = console(), package.manifest.claim
    mark = "" if claim.sure else "~"
    out.print(f"[green]wrote[/green]   {package.path}")
    for film in claim.films:
        out.print(f"film    {film.file}: {mark}{spell(film.stretches[0].begin_ms)} to "
                  f"{spell(film.stretches[-1].end_ms)}, {length(film.dur_ms)}, {size(film.bytes)}")
    for gap in claim.gaps:
        why = gap.why or "nothing was recorded"
        out.print(f"[yellow]missing[/yellow] {mark}{spell_gap(gap.begin_ms, gap.end_ms)}: {why}")
    if claim.wish.recipients:
        out.print(f"sealed  for {len(claim.wish.recipients)}: nobody else can open it, nor can this recorder")
    if package.manifest.signed:
        out.print(f"signed  row {package.manifest.last.n} of {package.manifest.dev}, key {_key(package)}")
    else:
        out.print(f"[yellow]unsigned[/yellow] {UNSIGNED}")
    if not claim.sure:
        out.print("[dim]~ the clock was not sure of this time[/dim]")
