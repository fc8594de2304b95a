"""What is replayed: which footage, with which camera's settings, and in which variants of these."""
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import typer

from agent.cli.cameras import find, known
from agent.cli.place import config_path, open_store
from agent.cli.times import length_ms
from agent.config.derived import digest
from agent.config.load import load
from agent.config.settings import Camera, Settings
from agent.core.media.model import Point
from agent.core.vision.motion import Sensitivity
from agent.core.vision.replay import Variant
from agent.core.vision.replay.variant import Area
from agent.core.vision.zones.hint import ZoneHint, zone_hint
from agent.footage import whatif
from agent.footage.film import FootageError
from agent.footage.reel import ReelFile, held, recent_clips, takes_of
from agent.host.clock import SystemClock
from agent.store import events
from agent.store.encryption.file_keys import Keyring

CORNERS_MIN = 3
NO_CAMERA = Camera(name="file", source="")      # whose settings are the defaults


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """What the command line says; None and empty for options that were not given."""

    files: list[Path] = field(default_factory=list)
    last: str | None = None
    camera: str | None = None
    sensitivity: str | None = None
    smallest_pct: float | None = None
    fps: float | None = None
    ignore: list[str] = field(default_factory=list)
    without_zones: bool = False
    json: bool = False
    config: Path | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    camera: Camera
    takes: list[ReelFile]
    title: str
    wall_s: float | None        # the wall clock's seconds at the replay's second 0; None for files without a date
    hint: ZoneHint | None = None        # by the words of the events that were told in that time


def choose(options: TuneOptions) -> Choice:
    """Find footage and settings.

    Raises FootageError where there is no footage, typer.BadParameter, ConfigError, StoreError.
    """
    if bool(options.files) == (options.last is not None):
        raise typer.BadParameter("say which footage: files, or --last 24h for the newest clips of a camera")
    return _of_files(options) if options.files else _of_store(options, str(options.last))


def _of_files(options: TuneOptions) -> Choice:
    missing = next((path for path in options.files if not path.exists()), None)
    if missing:
        raise typer.BadParameter(f"there is no file {missing}; taimat clips list tells where the recordings are")
    camera = _named(load(config_path(options.config)), options.camera) if options.camera else NO_CAMERA
    takes, more_n = [_held(path) for path in options.files], len(options.files) - 1
    return Choice(camera, takes, options.files[0].name + (f" and {more_n} more" if more_n else ""), None)


def _held(path: Path) -> ReelFile:
    """The file, opened with this command's rights: who reads it has others."""
    try:
        file = path.open("rb")
    except OSError:
        return ReelFile(path)       # who reads it says why
    return ReelFile(path, opened=lambda: file)


def _of_store(options: TuneOptions, last: str) -> Choice:
    long_ms = length_ms(last, "--last")
    settings, folders, db = open_store(options.config)
    camera = _named(settings, options.camera)
    since_ms = SystemClock().now().wall_ms - long_ms
    found = recent_clips(db, camera.name, since_ms)
    if not found:
        raise FootageError(f"no clip of {camera.name} is from the last {last}; ask for more, as in --last 7d, "
                           "or see what there is: taimat clips list")
    keys = Keyring(folders, Path(settings.store.runtime))
    takes = [held(take, keys) for take in takes_of(found, keys)]
    hint = zone_hint(events.named(db, camera.name, digest(camera), since_ms))
    db.close()
    return Choice(camera, takes, f"{camera.name}, last {last}", found[0].wall_ms / 1000, hint)


def _named(settings: Settings, name: str | None) -> Camera:
    if name is None and len(settings.camera) == 1:
        return settings.camera[0]
    if name is None:
        raise typer.BadParameter(f"say which camera: --camera NAME; known: {known(settings.camera)}")
    return find(settings.camera, name)


def variants(options: TuneOptions, now: Variant) -> list[Variant]:
    """The present settings, then what was asked for, or else what is usually worth a look.

    Raises typer.BadParameter for a value that can't be.
    """
    changes, told = {}, []
    if options.sensitivity is not None:
        changes["sensitivity"] = _word(options.sensitivity)
        told.append(f"sensitivity {options.sensitivity}")
    if options.smallest_pct is not None:
        changes["smallest_pct"] = options.smallest_pct
        told.append(f"smallest {options.smallest_pct:g} %")
    if options.fps is not None:
        changes["fps"] = options.fps
        told.append(f"{options.fps:g} fps")
    if options.ignore:
        changes["ignore"] = (*now.ignore, *map(_area, options.ignore))
        told.append(f"{len(options.ignore)} more ignored")
    if options.without_zones:
        changes["zones"] = _no_zones(now)
        told.append("without zones")
    return [now, replace(now, name=", ".join(told), **changes)] if changes else [now, *whatif.usual(now)]


def _word(text: str) -> Sensitivity:
    words = get_args(Sensitivity)
    if text not in words:
        raise typer.BadParameter(f"--sensitivity takes {', '.join(words)}; it is {text!r}")
    return text


def _no_zones(now: Variant) -> tuple[()]:
    if not now.zones:
        raise typer.BadParameter("--without-zones is about a camera with zones that decide, and here are none; "
                                 "say which camera with --camera NAME, or leave it out")
    return ()


def _area(text: str) -> Area:
    try:
        corners = tuple(Point(*map(float, corner.split(","))) for corner in text.split())
    except (TypeError, ValueError):
        corners = ()
    if len(corners) < CORNERS_MIN or not all(0 <= edge <= 1 for corner in corners for edge in corner):
        raise typer.BadParameter("--ignore takes three or more corners as fractions of the picture, as in "
                                 f"'0,0 1,0 1,0.3 0,0.3'; it is {text!r}")
    return corners
