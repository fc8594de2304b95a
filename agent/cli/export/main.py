"""`taimat export`: its options, and `--film`: any time of a camera as one MP4, the pictures as they were recorded."""
import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.export.package import EXIT_DAMAGED, EXIT_OK, PackageOptions, export_package
from agent.cli.footage import FootageOptions, keyring, telling
from agent.cli.options import Config, Force, From, Json, To
from agent.cli.place import open_store
from agent.cli.terminal import console, json_line, length, size
from agent.config.settings import Settings
from agent.core.evidence.encrypted import LockedError
from agent.host.users import as_before
from agent.store import clips
from agent.store.database import StoreError
from agent.store.export import Export, ExportError, Written, prepare, prepare_clip, write
from agent.store.export.prepare import spell, spell_gap
from agent.store.folders import Folders

ClipName = Annotated[str | None, typer.Argument(
    metavar="[CLIP]", show_default=False, help="All of this clip, instead of a time.")]
WhoseCamera = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", show_default=False, help="Whose recordings. Not needed where there is only one.")]
LastTime = Annotated[str | None, typer.Option(
    "--last", metavar="LENGTH", show_default=False, help="The last 10m, 2h or 1d, instead of --from and --to.")]
Film = Annotated[bool, typer.Option(
    "--film", help="The film alone, as one MP4: no signature, and nothing to check it with.")]
Case = Annotated[str | None, typer.Option(
    "--case", metavar="NUMBER", show_default=False, help="The number of the case. This and the next two are signed.")]
Purpose = Annotated[str | None, typer.Option("--purpose", metavar="TEXT", show_default=False, help="What it is for.")]
Officer = Annotated[str | None, typer.Option("--officer", metavar="NAME", show_default=False, help="Who asked for it.")]
Recipients = Annotated[list[str] | None, typer.Option("--recipient", "-r", metavar="KEY", show_default=False,
    help="Seal it for this age1... or ssh-ed25519 key, so that nobody else can open it; several times for several.")]
RecipientsFile = Annotated[Path | None, typer.Option(
    "--recipients-file", "-R", metavar="FILE", show_default=False, help="Seal it for the keys in this file.")]
Unsigned = Annotated[bool, typer.Option(
    "--unsigned", help="Without a signature, for example from a card in a reader. Nothing proves such films.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="NAME", show_default=False,
    help="The folder to make, the sealed file, or the film. Without it, one named after camera and time, here.")]
HouseholdKey = Annotated[Path | None, typer.Option("--household-key", metavar="FILE", show_default=False,
    help="Open encrypted recordings with the household's key, as it stands in this file; - asks for it.")]


def export_film(footage: FootageOptions, output: Path | None, replace: bool, as_json: bool, config: Path | None) -> int:
    """Cut, write and tell; returns 1 if footage is damaged that should be in it.

    Raises typer.BadParameter for options that contradict the recordings, ConfigError, StoreError.
    """
    settings, folders, db = open_store(config)
    try:
        found = _prepared(footage, settings, folders, db)
        target = output or Path(_name(found))
        with as_before(), telling(found, as_json) as tell:
            written = write(found, target, replace, tell)
    except (ExportError, LockedError) as error:
        raise StoreError(str(error)) from error
    if as_json:
        for each in written:
            json_line(_plain(found, each))
    else:
        _show(found, written)
    return EXIT_DAMAGED if any(gap.is_damage for gap in found.gaps) else EXIT_OK


def _prepared(footage: FootageOptions, settings: Settings, folders: Folders, db: sqlite3.Connection) -> Export:
    file_key = keyring(settings, folders, db, footage.household_key).file_key
    if footage.clip is None:
        return prepare(db, folders, *footage.span(settings, db), file_key)
    clip = clips.get(db, footage.clip.removesuffix(".mp4"))
    if clip is None or clip.state not in ("open", "done", "recovered"):
        raise typer.BadParameter(f"there is no clip {footage.clip}; taimat clips list tells which there are")
    return prepare_clip(db, folders, clip, file_key)


def _name(found: Export) -> str:
    return f"{found.camera}-{spell(found.films[0].begin_ms, '%Y%m%d-%H%M%S')}.mp4"


def _plain(found: Export, each: Written) -> dict[str, object]:
    film = each.film
    return {"file": str(each.path), "bytes": each.size_b, "sha256": each.sha256, "camera": found.camera,
            "begin_ms": film.begin_ms, "end_ms": film.end_ms, "clock_sure": found.sure, "frames": film.frames_n,
            "sounds": film.sounds_n, "dur_ms": film.dur_us // 1000,
            "clips": [found.clips[number].name for number in film.strips],
            "stretches": [asdict(stretch) for stretch in film.stretches],
            "missing": [gap._asdict() for gap in found.gaps]}


def _show(found: Export, written: list[Written]) -> None:
    out = console()
    mark = "" if found.sure else "~"
    for each in written:
        film = each.film
        out.print(f"[green]wrote[/green]   {each.path} ({size(each.size_b)})")
        out.print(f"first   {mark}{spell(film.begin_ms)}\nlast    {mark}{spell(film.end_ms)}")
        out.print(f"plays   {length(film.dur_us // 1000)}, {film.frames_n} frames"
                  f"{', with sound' if film.sounds_n else ''}")
        out.print(f"sha256  {each.sha256}")
    for gap in found.gaps:
        why = gap.why or "nothing was recorded"
        out.print(f"[yellow]missing[/yellow] {mark}{spell_gap(gap.begin_ms, gap.end_ms)}: {why}")
    if len(written) > 1:
        out.print("[dim]several files: the camera's picture settings changed in between[/dim]")
    if not found.sure:
        out.print("[dim]~ the clock was not sure of this time[/dim]")


def export(clip: ClipName = None, camera: WhoseCamera = None, since: From = None, until: To = None,
           last: LastTime = None, film: Film = False, force: Force = False, case: Case = None, purpose: Purpose = None,
           officer: Officer = None, recipient: Recipients = None, recipients_file: RecipientsFile = None,
           unsigned: Unsigned = False, output: Output = None, json: Json = False, household_key: HouseholdKey = None,
           config: Config = None) -> None:
    footage = FootageOptions(clip, camera, since, until, last, household_key)
    package = PackageOptions(case, purpose, officer, recipient or (), recipients_file, unsigned)
    if film and package != PackageOptions(None, None, None, (), None, False):
        raise typer.BadParameter("--film is the film alone, and only a package is signed or sealed: leave out --film, "
                                 "or --case, --purpose, --officer, --recipient, --recipients-file and --unsigned")
    if force and not film:
        raise typer.BadParameter("--force goes with --film: a package never replaces anything")
    raise typer.Exit(export_film(footage, output, force, json, config) if film else
                     export_package(footage, package, output, json, config))
