"""Which footage is replayed, and with which camera's settings."""
from dataclasses import dataclass
from pathlib import Path

import typer

from agent.cli.cameras import find, known
from agent.cli.place import config_path, open_store
from agent.cli.times import length_ms
from agent.cli.tune.options import TuneOptions
from agent.config.derived import digest
from agent.config.load import load
from agent.config.settings import Camera, Settings
from agent.core.vision.zones.hint import ZoneHint, zone_hint
from agent.footage.film import FootageError
from agent.footage.recent import recent_clips, takes_of
from agent.footage.reel import ReelFile
from agent.host.clock import SystemClock
from agent.store import events
from agent.store.encryption.file_keys import Keyring

NO_CAMERA = Camera(name="file", source="")      # whose settings are the defaults


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be replayed."""

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
    takes, more_n = [ReelFile(path) for path in options.files], len(options.files) - 1
    return Choice(camera, takes, options.files[0].name + (f" and {more_n} more" if more_n else ""), None)


def _of_store(options: TuneOptions, last: str) -> Choice:
    long_ms = length_ms(last, "--last")
    settings, folders, db = open_store(options.config)
    camera = _named(settings, options.camera)
    since_ms = SystemClock().now().wall_ms - long_ms
    found = recent_clips(db, camera.name, since_ms)
    if not found:
        raise FootageError(f"no clip of {camera.name} is from the last {last}; ask for more, as in --last 7d, "
                           "or see what there is: taimat clips list")
    takes = takes_of(found, Keyring(folders, Path(settings.store.runtime)))
    hint = zone_hint(events.named(db, camera.name, digest(camera), since_ms))
    return Choice(camera, takes, f"{camera.name}, last {last}", found[0].wall_ms / 1000, hint)


def _named(settings: Settings, name: str | None) -> Camera:
    if name is None and len(settings.camera) == 1:
        return settings.camera[0]
    if name is None:
        raise typer.BadParameter(f"say which camera: --camera NAME; known: {known(settings.camera)}")
    return find(settings.camera, name)
