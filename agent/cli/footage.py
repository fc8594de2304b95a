"""Which footage a command means: a camera, from when until when, and the keys that open it."""
import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

from agent.cli.cameras import meant
from agent.cli.terminal import size, working
from agent.cli.times import length_ms, moment_ms
from agent.config.settings import Settings
from agent.host.clock import SystemClock
from agent.host.users import as_before
from agent.store import boots
from agent.store.clips import cameras
from agent.store.encryption.file_keys import Keyring
from agent.store.export import Export
from agent.store.export.prepare import spell
from agent.store.export.write import Tell
from agent.store.folders import Folders

ASK = Path("-")


@dataclass(frozen=True, slots=True)
class FootageOptions:
    """The clip or the time of one camera that the command line names, and the household's key to it, if it is given."""

    clip: str | None
    camera: str | None
    since: str | None
    until: str | None
    last: str | None
    household_key: Path | None

    def __post_init__(self) -> None:
        """Raises typer.BadParameter unless the time is said in one way."""
        if sum((self.clip is not None, self.last is not None, self.since is not None or self.until is not None)) != 1:
            raise typer.BadParameter('say which time: --from "2026-11-25 14:00" --to 14:10, or --last 10m, '
                                     "or the name of a clip")

    def span(self, settings: Settings, db: sqlite3.Connection) -> tuple[str, int, int]:
        """Camera, begin and end (Unix milliseconds) of a time that is named. Raises typer.BadParameter."""
        return camera_of(self.camera, settings, db), *range_ms(self.since, self.until, self.last, db)


def camera_of(name: str | None, settings: Settings, db: sqlite3.Connection) -> str:
    """The camera of that name, or the only one that there is. Raises typer.BadParameter."""
    known = list(dict.fromkeys([*(camera.name for camera in settings.camera), *cameras(db)]))
    name = name and meant(settings.camera, name)
    if name is None and len(known) == 1:
        return known[0]
    if name not in known:
        wrong = "say which camera: --camera NAME" if name is None else f"there is no camera called {name}"
        raise typer.BadParameter(f"{wrong}; known: {', '.join(known) or 'none'}")
    return name


def range_ms(since: str | None, until: str | None, last: str | None, db: sqlite3.Connection) -> tuple[int, int]:
    """Begin and end by the wall clock, of `--from` and `--to`, or of `--last`. Raises typer.BadParameter."""
    now = SystemClock().now()
    offset_ms = boots.offset_ms(db, now.boot)
    now_ms = now.wall_ms if offset_ms is None else now.mono_ms + offset_ms
    if last is not None:
        return now_ms - length_ms(last, "--last"), now_ms
    if since is None:
        raise typer.BadParameter("--to needs --from: from when on?")
    begin_ms = moment_ms(since, "--from", now_ms)
    end_ms = now_ms if until is None else min(now_ms, moment_ms(until, "--to", begin_ms))
    if end_ms <= begin_ms:
        raise typer.BadParameter(f"nothing lies between {spell(begin_ms)} and {spell(end_ms)}; "
                                 "--to comes after --from, and both in the past")
    return begin_ms, end_ms


def keyring(settings: Settings, folders: Folders, db: sqlite3.Connection, household_key: Path | None) -> Keyring:
    """The keeper's keys or the keeper itself, or the household's key out of that file ("-": it is asked for).

    Raises LockedError and typer.BadParameter.
    """
    if household_key is None:
        return Keyring(folders, Path(settings.store.runtime))
    from agent.store.encryption.household import opener  # only here: it needs the cryptography library

    if household_key == ASK:
        typed = typer.prompt("The household's key", hide_input=True)
    else:
        try:
            with as_before():
                typed = household_key.read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is no text"
            raise typer.BadParameter(f"--household-key {household_key}: {reason}") from error
    return Keyring(folders, household=opener(folders, typed))


@contextlib.contextmanager
def telling(found: Export, quiet: bool) -> Iterator[Tell]:
    all_b = max(1, sum(film.size_b for film in found.films))
    with working("copying ...", quiet) as tick:
        yield lambda done_b: tick(f"copying {size(all_b)}, {100 * done_b // all_b} % ...")
