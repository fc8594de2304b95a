"""`taimat tune` from start to end: what footage, which variants, what came of it."""
import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import cv2
import typer
from rich.console import Console

from agent.cli.options import Config, Json
from agent.cli.terminal import console, length
from agent.cli.tune import show
from agent.cli.tune.choose import Choice, choose
from agent.cli.tune.options import TuneOptions, variants
from agent.cli.tune.times import FileTimes, Times, WallTimes
from agent.config.motion import as_set
from agent.core.vision.replay import FootageReplay, FootageStretch, VariantOutcome
from agent.core.vision.replay.plot import PlotClock, plot, svg
from agent.footage import reel, whatif
from agent.footage.film import FootageError
from agent.footage.reel import Played, ReelFile
from agent.host.files import write_output
from agent.host.users import as_before
from agent.store.database import StoreError

EXIT_OK, EXIT_TOLD = 0, 1


Films = Annotated[list[Path] | None, typer.Argument(
    metavar="FILE", show_default=False, help="Recordings of ours, or any other video.")]
LastClips = Annotated[str | None, typer.Option(
    "--last", metavar="LENGTH", show_default=False,
    help="Instead of files: a camera's clips of the last 24h, 90m or 2d.")]
TunedCamera = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", show_default=False,
    help="Whose clips, and whose settings. Without it, files are looked at with the default settings.")]
SensitivityWord = Annotated[str | None, typer.Option(
    "--sensitivity", metavar="WORD", show_default=False, help="What if it were low, normal or high?")]
Smallest = Annotated[float | None, typer.Option(
    "--smallest", metavar="PCT", min=0.001, max=50, show_default=False,
    help="What if the smallest object were so many percent of the picture?")]
LookFps = Annotated[float | None, typer.Option(
    "--fps", metavar="N", min=1, max=15, show_default=False, help="What if motion looked so often in a second?")]
Ignore = Annotated[list[str] | None, typer.Option(
    "--ignore", metavar="AREA", show_default=False,
    help="What if this area were ignored, too? Corners as fractions: '0,0 1,0 1,0.3 0,0.3'.")]
WithoutZones = Annotated[bool, typer.Option(
    "--without-zones", help="What if no zone decided what counts? What is ignored stays so.")]
Plot = Annotated[Path | None, typer.Option(
    "--plot", metavar="FILE", show_default=False, help="Also draw it, as SVG.")]


def tune(files: Films = None, last: LastClips = None, camera: TunedCamera = None, sensitivity: SensitivityWord = None,
         smallest: Smallest = None, fps: LookFps = None, ignore: Ignore = None, without_zones: WithoutZones = False,
         plot: Plot = None, json: Json = False, config: Config = None) -> None:
    """Look at recorded footage again: which events, why not more, and what other settings would have made of it."""
    raise typer.Exit(replay(TuneOptions(files or [], last, camera, sensitivity, smallest, fps, ignore or [],
                                        without_zones, plot, json, config)))


def replay(options: TuneOptions) -> int:
    """Replay, print and draw; returns 1 if some of the footage could not be looked at, and says which.

    Raises typer.BadParameter for options that can't be, ConfigError, StoreError.
    """
    if options.plot and options.plot.suffix.lower() != ".svg":
        raise typer.BadParameter(f"--plot takes a file that ends in .svg; it is {str(options.plot)!r}")
    try:
        choice = choose(options)
    except FootageError as error:
        return _tell([str(error)])
    cv2.setNumThreads(1)        # the recorder may be at work beside us
    shown = whatif.replay(choice.camera, variants(options, as_set(choice.camera)))
    played = list(_played(choice, shown, quiet=options.json))
    outcomes, seen = shown.end(), [each for each in played if each.ended_s > each.began_s]
    if seen:
        _show(options, choice, shown, outcomes, _times(choice, seen))
    return _tell([each.trouble for each in played if each.trouble])


def _played(choice: Choice, replay: FootageReplay, quiet: bool) -> Iterator[Played]:
    out = console()
    with _telling(out, choice, quiet or not out.is_terminal) as tell:
        yield from reel.play(choice.takes, replay, tell)


@contextlib.contextmanager
def _telling(out: Console, choice: Choice, quiet: bool) -> Iterator[Callable[[ReelFile, float], None]]:
    """Show on a terminal how far the replay is."""
    if quiet:
        yield lambda take, done_s: None
        return
    numbers = {take: number for number, take in enumerate(choice.takes, 1)}
    with out.status(" replaying ...") as status:
        yield lambda take, done_s: status.update(
            f" replaying {numbers[take]} of {len(numbers)}, {length(int(done_s * 1000))} ...")


def _times(choice: Choice, seen: list[Played]) -> Times:
    return FileTimes(seen) if choice.wall_s is None else WallTimes(choice.wall_s)


def _show(options: TuneOptions, choice: Choice, replay: FootageReplay, outcomes: list[VariantOutcome],
          times: Times) -> None:
    if options.json:
        show.as_json(outcomes, times)
    else:
        show.as_tables(choice.title, outcomes, replay.stretches, times)
        if choice.hint:
            show.hint(choice.hint, f"taimat tune --camera {choice.camera.name} --last {options.last}")
    if options.plot:
        _draw(options.plot, choice.title, outcomes, replay.stretches, times)


def _draw(path: Path, title: str, outcomes: list[VariantOutcome], stretches: tuple[FootageStretch, ...],
          times: Times) -> None:
    drawing = plot(title, outcomes, stretches, PlotClock(times.reading_s, times.spell))
    try:
        with as_before():
            write_output(path, svg(drawing).encode())
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; choose another place with --plot FILE") from error


def _tell(troubles: list[str]) -> int:
    for line in troubles:
        print(line, file=sys.stderr)
    return EXIT_TOLD if troubles else EXIT_OK
