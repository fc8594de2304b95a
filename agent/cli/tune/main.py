"""The whole of a replay: what footage, which variants, what came of it."""
import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import typer
from rich.console import Console

from agent.cli.terminal import console, length
from agent.cli.tune import show
from agent.cli.tune.choose import Choice, choose
from agent.cli.tune.options import Wishes, variants
from agent.cli.tune.times import FileTimes, Times, WallTimes
from agent.config.motion import as_set
from agent.core.vision.replay import FootageReplay, FootageStretch, VariantOutcome
from agent.core.vision.replay.plot import ENGLISH, PlotClock, plot, svg
from agent.footage import reel, whatif
from agent.footage.film import FootageError
from agent.footage.reel import Played, ReelFile
from agent.store.database import StoreError

EXIT_OK, EXIT_TOLD = 0, 1


def tune(wishes: Wishes) -> int:
    """Replay, print and draw; returns 1 if some of the footage could not be looked at, and says which.

    Raises typer.BadParameter for wishes that can't be, ConfigError, StoreError.
    """
    if wishes.plot and wishes.plot.suffix.lower() != ".svg":
        raise typer.BadParameter(f"--plot takes a file that ends in .svg; it is {str(wishes.plot)!r}")
    try:
        choice = choose(wishes)
    except FootageError as error:
        return _tell([str(error)])
    cv2.setNumThreads(1)        # the recorder may be at work beside us
    replay = whatif.replay(choice.camera, variants(wishes, as_set(choice.camera)))
    played = list(_played(choice, replay, quiet=wishes.json))
    outcomes, seen = replay.end(), [each for each in played if each.ended_s > each.began_s]
    if seen:
        _show(wishes, choice, replay, outcomes, _times(choice, seen))
    return _tell([each.trouble for each in played if each.trouble])


def _played(choice: Choice, replay: FootageReplay, quiet: bool) -> Iterator[Played]:
    out = console()
    with _telling(out, choice, quiet or not out.is_terminal) as tell:
        yield from reel.play(choice.takes, replay, tell)


@contextlib.contextmanager
def _telling(out: Console, choice: Choice, quiet: bool) -> Iterator[Callable[[ReelFile, float], None]]:
    """How far it is, on a terminal."""
    if quiet:
        yield lambda take, done_s: None
        return
    numbers = {take: number for number, take in enumerate(choice.takes, 1)}
    with out.status(" replaying ...") as status:
        yield lambda take, done_s: status.update(
            f" replaying {numbers[take]} of {len(numbers)}, {length(int(done_s * 1000))} ...")


def _times(choice: Choice, seen: list[Played]) -> Times:
    return FileTimes(seen) if choice.wall_s is None else WallTimes(choice.wall_s)


def _show(wishes: Wishes, choice: Choice, replay: FootageReplay, outcomes: list[VariantOutcome], times: Times) -> None:
    if wishes.json:
        show.as_json(outcomes, times)
    else:
        show.as_tables(choice.title, outcomes, replay.stretches, times)
    if wishes.plot:
        _draw(wishes.plot, choice.title, outcomes, replay.stretches, times)


def _draw(path: Path, title: str, outcomes: list[VariantOutcome], stretches: tuple[FootageStretch, ...],
          times: Times) -> None:
    drawing = plot(title, outcomes, stretches, PlotClock(times.reading_s, times.spell), ENGLISH)
    try:
        path.write_bytes(svg(drawing).encode())
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; choose another place with --plot FILE") from error


def _tell(troubles: list[str]) -> int:
    for line in troubles:
        print(line, file=sys.stderr)
    return EXIT_TOLD if troubles else EXIT_OK
