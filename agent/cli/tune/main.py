"""`taimat tune` from start to end: what footage, which variants, what came of it."""
import mmap
import resource
import struct
import sys
from bisect import bisect_right
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import cv2
import typer

from agent.cli.options import Config, Json
from agent.cli.terminal import length, working
from agent.cli.tune import show
from agent.cli.tune.choose import Choice, TuneOptions, choose, variants
from agent.config.motion import as_set
from agent.core.vision.replay import Variant, VariantOutcome
from agent.footage import reel, whatif
from agent.footage.film import FootageError
from agent.footage.reel import Played
from agent.host.apart import CallFailed, apart

EXIT_OK, EXIT_TOLD = 0, 1
# Of each file when it began and ended on the replay's line of time, and what was wrong; then what came of it all, and
# how long it was.
ReplayEnd = tuple[list[tuple[float, float, str]], list[VariantOutcome], float]
DONE = struct.Struct("Id")      # which file, and how many seconds of it


Films = Annotated[list[Path] | None, typer.Argument(
    metavar="FILE", show_default=False, help="Recordings of ours, or any other video.")]
LastClips = Annotated[str | None, typer.Option("--last", metavar="LENGTH", show_default=False,
    help="Instead of files: a camera's clips of the last 24h, 90m or 2d.")]
TunedCamera = Annotated[str | None, typer.Option("--camera", metavar="NAME", show_default=False,
    help="Whose clips, and whose settings. Without it, files are looked at with the default settings.")]
SensitivityWord = Annotated[str | None, typer.Option(
    "--sensitivity", metavar="WORD", show_default=False, help="What if it were low, normal or high?")]
Smallest = Annotated[float | None, typer.Option("--smallest", metavar="PCT", min=0.001, max=50, show_default=False,
    help="What if the smallest object were so many percent of the picture?")]
LookFps = Annotated[float | None, typer.Option(
    "--fps", metavar="N", min=1, max=15, show_default=False, help="What if motion looked so often in a second?")]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", metavar="AREA", show_default=False,
    help="What if this area were ignored, too? Corners as fractions: '0,0 1,0 1,0.3 0,0.3'.")]
WithoutZones = Annotated[bool, typer.Option(
    "--without-zones", help="What if no zone decided what counts? What is ignored stays so.")]


def tune(files: Films = None, last: LastClips = None, camera: TunedCamera = None, sensitivity: SensitivityWord = None,
         smallest: Smallest = None, fps: LookFps = None, ignore: Ignore = None, without_zones: WithoutZones = False,
         json: Json = False, config: Config = None) -> None:
    raise typer.Exit(replay(TuneOptions(files or [], last, camera, sensitivity, smallest, fps, ignore or [],
                                        without_zones, json, config)))


def replay(options: TuneOptions) -> int:
    """Replay and print; returns 1 if some of the footage could not be looked at, and says which.

    Raises typer.BadParameter for options that can't be, ConfigError, StoreError.
    """
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)    # one a clip
    try:
        choice = choose(options)
        told, outcomes, footage_s = _replayed(choice, variants(options, as_set(choice.camera)), quiet=options.json)
    except FootageError as error:
        return _tell([str(error)])
    except CallFailed as error:
        return _tell([f"the replay came to a sudden end: {error}"])
    played = [Played(take, *each) for take, each in zip(choice.takes, told, strict=True)]
    seen = [each for each in played if each.ended_s > each.began_s]
    if seen:
        _show(options, choice, outcomes, footage_s, _speller(choice, seen))
    return _tell([each.trouble for each in played if each.trouble])


def _replayed(choice: Choice, tried: list[Variant], quiet: bool) -> ReplayEnd:
    """Replay in a process of its own, for whatever a file holds: it is no process of root's. Raises CallFailed."""
    numbers, done = {take: number for number, take in enumerate(choice.takes, 1)}, mmap.mmap(-1, DONE.size)

    def replayed() -> ReplayEnd:
        cv2.setNumThreads(1)        # the recorder may be at work beside us
        shown = whatif.replay(choice.camera, tried)
        played = reel.play(choice.takes, shown, lambda take, done_s: DONE.pack_into(done, 0, numbers[take], done_s))
        return [each[1:] for each in played], shown.end(), sum(each.ended_s - each.began_s for each in shown.stretches)

    with working("replaying ...", quiet) as tell:
        def tick() -> None:
            number, done_s = DONE.unpack_from(done)
            tell(f"replaying {max(1, number)} of {len(numbers)}, {length(int(done_s * 1000))} ...")

        ended: ReplayEnd = apart(replayed, ReplayEnd, tick)
    return ended


def _show(options: TuneOptions, choice: Choice, outcomes: list[VariantOutcome], footage_s: float,
          spell: Callable[[float], str]) -> None:
    if options.json:
        show.as_json(outcomes, spell)
        return
    show.as_tables(choice.title, outcomes, footage_s, spell)
    if choice.hint:
        show.hint(choice.hint, f"taimat tune --camera {choice.camera.name} --last {options.last}")


def _speller(choice: Choice, seen: list[Played]) -> Callable[[float], str]:
    """What a moment of the replay is called: the time of day where clips have one, else the time in a file."""
    begins_s = [each.began_s for each in seen]

    def spell(at_s: float) -> str:
        if choice.wall_s is not None:
            return datetime.fromtimestamp(choice.wall_s + at_s).strftime("%Y-%m-%d %H:%M:%S")
        played = seen[max(0, bisect_right(begins_s, at_s) - 1)]
        into_s = at_s - played.began_s
        return f"{played.take.path.name} {int(into_s) // 60}:{into_s % 60:04.1f}"

    return spell


def _tell(troubles: list[str]) -> int:
    for line in troubles:
        print(line, file=sys.stderr)
    return EXIT_TOLD if troubles else EXIT_OK
