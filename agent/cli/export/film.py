"""`taimat export --film`: any time of a camera as one MP4, the pictures as they were recorded."""
import sqlite3
from dataclasses import asdict
from pathlib import Path

import typer

from agent.cli.footage import FootageOptions, keyring, telling
from agent.cli.place import open_store
from agent.cli.terminal import console, json_line, length, size
from agent.config.settings import Settings
from agent.core.evidence.encrypted import LockedError
from agent.host.users import as_before
from agent.store import clips
from agent.store.database import StoreError
from agent.store.export import Export, ExportError, Written, prepare, prepare_clip, write
from agent.store.export.errors import spell, spell_gap
from agent.store.folders import Folders

EXIT_OK, EXIT_DAMAGED = 0, 1


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
        out.print(f"[green]wrote[/green]   {each.path} ({size(each.size_b)})", soft_wrap=True)
        out.print(f"first   {mark}{spell(film.begin_ms)}\nlast    {mark}{spell(film.end_ms)}")
        out.print(f"plays   {length(film.dur_us // 1000)}, {film.frames_n} frames"
                  f"{', with sound' if film.sounds_n else ''}")
        out.print(f"sha256  {each.sha256}", soft_wrap=True)
    for gap in found.gaps:
        why = gap.why or "nothing was recorded"
        out.print(f"[yellow]missing[/yellow] {mark}{spell_gap(gap.begin_ms, gap.end_ms)}: {why}", soft_wrap=True)
    if len(written) > 1:
        out.print("[dim]several files: the camera's picture settings changed in between[/dim]", soft_wrap=True)
    if not found.sure:
        out.print("[dim]~ the clock was not sure of this time[/dim]")
