"""Which footage a command means, as its words say: a camera, and from when until when."""
import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import datetime

import typer

from agent.cli.pause import length_ms
from agent.cli.terminal import console, size
from agent.config.settings import Settings
from agent.host.clock import SystemClock
from agent.store import boots
from agent.store.export import Export
from agent.store.export.errors import spell
from agent.store.export.find import cameras
from agent.store.export.write import Tell

FORMATS = ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")
TIMES = ("%H:%M", "%H:%M:%S")


def moment_ms(text: str, option: str, day_ms: int) -> int:
    """Wall time, Unix milliseconds, of "2026-11-25 14:00" or "14:00"; a time alone is on the day of `day_ms`.

    Raises typer.BadParameter with the name of the `option`.
    """
    day = datetime.fromtimestamp(day_ms / 1000)
    for form in (*FORMATS, *TIMES):
        try:
            found = datetime.strptime(text.strip(), form)
        except ValueError:
            continue
        return int((day.replace(hour=found.hour, minute=found.minute, second=found.second, microsecond=0)
                    if form in TIMES else found).timestamp() * 1000)
    raise typer.BadParameter(f'{option} takes a moment, as in "2026-11-25 14:00", 14:00 or 14:00:30; it is {text!r}')


def last_ms(text: str) -> int:
    """Milliseconds of the "10m" or "2h" that `--last` takes. Raises typer.BadParameter."""
    try:
        return length_ms(text)
    except typer.BadParameter:
        raise typer.BadParameter(f"--last takes a length, as in 10m, 2h or 1d; it is {text!r}") from None


def camera_of(name: str | None, settings: Settings, db: sqlite3.Connection) -> str:
    """The camera of that name, or the only one that there is. Raises typer.BadParameter."""
    known = list(dict.fromkeys([*(camera.name for camera in settings.camera), *cameras(db)]))
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
        return now_ms - last_ms(last), now_ms
    if since is None:
        raise typer.BadParameter("--to needs --from: from when on?")
    begin_ms = moment_ms(since, "--from", now_ms)
    end_ms = now_ms if until is None else min(now_ms, moment_ms(until, "--to", begin_ms))
    if end_ms <= begin_ms:
        raise typer.BadParameter(f"nothing lies between {spell(begin_ms)} and {spell(end_ms)}; "
                                 "--to comes after --from, and both in the past")
    return begin_ms, end_ms


def demand_one_way(clip: str | None, since: str | None, until: str | None, last: str | None) -> None:
    """See that the time is said in one way. Raises typer.BadParameter."""
    if sum((clip is not None, last is not None, since is not None or until is not None)) != 1:
        raise typer.BadParameter('say which time: --from "2026-11-25 14:00" --to 14:10, or --last 10m, '
                                 "or the name of a clip")


@contextlib.contextmanager
def telling(found: Export, quiet: bool) -> Iterator[Tell]:
    """How far the copying is, on a terminal."""
    out, all_b = console(), max(1, sum(film.size_b for film in found.films))
    if quiet or not out.is_terminal:
        yield lambda done_b: None
        return
    with out.status(" copying ...") as status:
        yield lambda done_b: status.update(f" copying {size(all_b)}, {100 * done_b // all_b} % ...")
