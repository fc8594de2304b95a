"""`taimat tune`: replay recorded footage through the detector, as it is set and with other settings."""
import mmap
import resource
import struct
import sys
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_args

import cv2
import typer
from rich.markup import escape

from agent.cli import values
from agent.cli.options import Config, Json
from agent.cli.place import config_path, open_store
from agent.cli.terminal import console, json_line, length, table, working
from agent.cli.typed import find, known, length_ms
from agent.config.derived import digest
from agent.config.load import load
from agent.config.motion import as_set
from agent.config.settings import Camera, Settings
from agent.core.media.model import Box, Point
from agent.core.vision.motion import Sensitivity
from agent.core.vision.replay import NO_ZONE, Difference, ReplayEvent, Variant, VariantOutcome, differences
from agent.core.vision.replay.variant import Area
from agent.core.vision.zones.hint import ZoneHint, corners, zone_hint
from agent.footage import reel, whatif
from agent.footage.film import FootageError
from agent.footage.reel import Played, ReelFile, held, recent_clips, takes_of
from agent.host.apart import CallFailed, apart
from agent.host.clock import SystemClock
from agent.store import events
from agent.store.encryption.file_keys import Keyring

Word = StrEnum("Word", list(get_args(Sensitivity)))
CORNERS_MIN = 3
NO_CAMERA = Camera(name="file", source="")      # with the default settings
EXIT_OK, EXIT_TOLD = 0, 1
# For each file its begin and end in the replay, and what was wrong; then the outcomes, and the total seconds.
ReplayEnd = tuple[list[tuple[float, float, str]], list[VariantOutcome], float]
DONE = struct.Struct("Id")          # which file, and how many seconds of it
Spell = Callable[[float], str]      # names a moment of the replay

EVENTS = ("began", "long", "highest", "largest object", "zones")
VARIANTS = ("looked at with", "events", "motion", "missed", "added", "silent, seconds")
WHAT: Mapping[str, str] = {"animal": "animals", "other": "things",
                           "nothing": "nothing that the recorder knows, such as leaves or light,"}
WHERE: Mapping[tuple[str, str], str] = {       # from the left, from the top
    ("begin", "begin"): "in the upper left", ("middle", "begin"): "at the top", ("end", "begin"): "in the upper right",
    ("begin", "middle"): "at the left edge", ("middle", "middle"): "in the middle",
    ("end", "middle"): "at the right edge", ("begin", "end"): "in the lower left", ("middle", "end"): "at the bottom",
    ("end", "end"): "in the lower right"}
NAMED_N = 4                 # missed or added events to list; more are counted

Films = Annotated[list[Path] | None, typer.Argument(
    metavar="FILE", show_default=False, help="Recordings of Taimat, or any other video.")]
LastClips = Annotated[str | None, typer.Option("--last", metavar="LENGTH", show_default=False,
    help="Replay a camera's clips of the last 24h, 90m or 2d instead of files.")]
TunedCamera = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", autocompletion=values.cameras, show_default=False,
    help="The camera whose clips and settings to use. Files without it are replayed with the default settings.")]
SensitivityWord = Annotated[Word | None, typer.Option(
    "--sensitivity", autocompletion=lambda: list(map(str, Word)), show_default=False, help="Try this sensitivity.")]
Smallest = Annotated[float | None, typer.Option("--smallest", metavar="PCT", min=0.001, max=50, show_default=False,
    help="Try this size of the smallest object, in percent of the picture.")]
LookFps = Annotated[float | None, typer.Option("--fps", metavar="N", min=1, max=15, show_default=False,
    help="Try this many pictures a second for motion detection.")]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", metavar="AREA", show_default=False,
    help="Try to ignore this area, too. Corners are fractions: '0,0 1,0 1,0.3 0,0.3'.")]
WithoutZones = Annotated[bool, typer.Option(
    "--without-zones", help="Try without zones. Ignored areas stay ignored.")]


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen footage, and the camera whose settings are replayed."""

    camera: Camera
    takes: list[ReelFile]
    title: str
    wall_s: float | None = None     # the wall clock at the replay's second 0; None for files without a date
    hint: ZoneHint | None = None    # from the labels of the events of that time


def tune(files: Films = None, last: LastClips = None, camera: TunedCamera = None, sensitivity: SensitivityWord = None,
         smallest: Smallest = None, fps: LookFps = None, ignore: Ignore = None, without_zones: WithoutZones = False,
         json: Json = False, config: Config = None) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)    # one a clip
    if bool(files) == (last is not None):
        raise typer.BadParameter("say which footage: files, or --last 24h for the newest clips of a camera")
    try:
        choice = _of_files(files, camera, config) if files else _of_store(str(last), camera, config)
        now = as_set(choice.camera)
        changes = {**({} if sensitivity is None else {"sensitivity": str(sensitivity)}),
                   **({} if smallest is None else {"smallest_pct": smallest}),
                   **({} if fps is None else {"fps": fps}),
                   **({"ignore": (*now.ignore, *map(_area, ignore))} if ignore else {}),
                   **({"zones": _no_zones(now)} if without_zones else {})}
        spans, outcomes, footage_s = _replayed(choice, _variants(now, changes), quiet=json)
    except FootageError as error:
        _end([str(error)])
    except CallFailed as error:
        _end([f"the replay ended unexpectedly: {error}"])
    played = [Played(take, *found) for take, found in zip(choice.takes, spans, strict=True)]
    if seen := [part for part in played if part.ended_s > part.began_s]:
        spell = _speller(choice, seen)
        if json:
            _print_json(outcomes, spell)
        else:
            _print_tables(choice.title, outcomes, footage_s, spell)
            if choice.hint:
                _print_hint(choice.hint, f"taimat tune --camera {choice.camera.name} --last {last}")
    _end([part.trouble for part in played if part.trouble])


def _of_files(files: list[Path], camera: str | None, config: Path | None) -> Choice:
    missing = next((path for path in files if not path.exists()), None)
    if missing:
        raise typer.BadParameter(f"there is no file {missing}; taimat clips list tells where the recordings are")
    chosen = _named(load(config_path(config)), camera) if camera else NO_CAMERA
    more_n = len(files) - 1
    return Choice(chosen, list(map(_opened, files)), files[0].name + (f" and {more_n} more" if more_n else ""))


def _opened(path: Path) -> ReelFile:
    """Opens the file with this command's rights, because the process that reads it has fewer."""
    try:
        file = path.open("rb")
    except OSError:
        return ReelFile(path)       # the reader says why
    return ReelFile(path, opened=lambda: file)


def _of_store(last: str, camera: str | None, config: Path | None) -> Choice:
    """Raises FootageError if there is no footage."""
    long_ms = length_ms(last, "--last")
    settings, folders, db = open_store(config)
    chosen = _named(settings, camera)
    since_ms = SystemClock().now().wall_ms - long_ms
    found = recent_clips(db, chosen.name, since_ms)
    if not found:
        raise FootageError(f"no clip of {chosen.name} is from the last {last}; ask for more, as in --last 7d, "
                           "or see what there is: taimat clips list")
    keys = Keyring(folders, Path(settings.store.runtime))
    takes = [held(take, keys) for take in takes_of(found, keys)]
    hint = zone_hint(events.named(db, chosen.name, digest(chosen), since_ms))
    db.close()
    return Choice(chosen, takes, f"{chosen.name}, last {last}", found[0].wall_ms / 1000, hint)


def _named(settings: Settings, name: str | None) -> Camera:
    if name is None and len(settings.camera) == 1:
        return settings.camera[0]
    if name is None:
        raise typer.BadParameter(f"say which camera: --camera NAME; known: {known(settings.camera)}")
    return find(settings.camera, name)


def _variants(now: Variant, changes: Mapping[str, Any]) -> list[Variant]:
    """Returns the present settings, then the changed ones, or else those that are usually worth a look."""
    words = {"sensitivity": "sensitivity {}", "smallest_pct": "smallest {:g} %", "fps": "{:g} fps"}
    named = [words[key].format(value) for key, value in changes.items() if key in words]
    if "ignore" in changes:
        named.append(f"{len(changes['ignore']) - len(now.ignore)} more ignored")
    if "zones" in changes:
        named.append("without zones")
    return [now, replace(now, name=", ".join(named), **changes)] if changes else [now, *whatif.usual(now)]


def _no_zones(now: Variant) -> tuple[()]:
    if not now.zones:
        raise typer.BadParameter("--without-zones needs a camera with zones that decide, and there are none; "
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


def _replayed(choice: Choice, tried: list[Variant], quiet: bool) -> ReplayEnd:
    """Replays in a process without root's rights, because a file may hold anything. Raises CallFailed."""
    numbers, done = {take: number for number, take in enumerate(choice.takes, 1)}, mmap.mmap(-1, DONE.size)

    def replayed() -> ReplayEnd:
        cv2.setNumThreads(1)        # the recorder may run beside us
        shown = whatif.replay(choice.camera, tried)
        played = reel.play(choice.takes, shown, lambda take, done_s: DONE.pack_into(done, 0, numbers[take], done_s))
        return [part[1:] for part in played], shown.end(), sum(part.ended_s - part.began_s for part in shown.stretches)

    with working("replaying ...", quiet) as tell:
        def tick() -> None:
            number, done_s = DONE.unpack_from(done)
            tell(f"replaying {max(1, number)} of {len(numbers)}, {length(int(done_s * 1000))} ...")

        ended: ReplayEnd = apart(replayed, ReplayEnd, tick)
    return ended


def _end(troubles: list[str]) -> NoReturn:
    for line in troubles:
        print(line, file=sys.stderr)
    raise typer.Exit(EXIT_TOLD if troubles else EXIT_OK)


def _speller(choice: Choice, seen: list[Played]) -> Callable[[float], str]:
    """Names a moment of the replay by the time of day, or by the time in its file."""
    begins_s = [part.began_s for part in seen]

    def spell(at_s: float) -> str:
        if choice.wall_s is not None:
            return datetime.fromtimestamp(choice.wall_s + at_s).strftime("%Y-%m-%d %H:%M:%S")
        played = seen[max(0, bisect_right(begins_s, at_s) - 1)]
        into_s = at_s - played.began_s
        return f"{played.take.path.name} {int(into_s) // 60}:{into_s % 60:04.1f}"

    return spell


def _print_json(outcomes: Sequence[VariantOutcome], spell: Spell) -> None:
    """One object per variant, the present settings first; times in seconds of the replay, and for people."""
    now = outcomes[0]
    for outcome in outcomes:
        missed, added = differences(now.events, outcome.events)
        variant = outcome.variant
        json_line({
            "variant": variant.name, "sensitivity": variant.sensitivity, "smallest_pct": variant.smallest_pct,
            "fps": variant.fps, "ignore": variant.ignore, "zones": [zone.name for zone in variant.zones],
            "looks_n": outcome.looks_n, "events_n": outcome.events_n, "moving_s": round(outcome.moving_s, 1),
            "silent_s": {reason: round(value, 1) for reason, value in outcome.silent_s.items()},
            "events": [_plain(event, spell) for event in outcome.events],
            "missed": [_plain(event, spell) for event in missed], "added": [_plain(event, spell) for event in added]})


def _plain(event: ReplayEvent, spell: Spell) -> dict[str, object]:
    values = asdict(event) | {"largest": event.largest and [round(edge, 4) for edge in event.largest]}
    return {"at": spell(event.began_s)} | {
        key: round(value, 4) if isinstance(value, float) else value for key, value in values.items()}


def _print_tables(title: str, outcomes: Sequence[VariantOutcome], footage_s: float, spell: Spell) -> None:
    """Prints the events of the present settings, then what each variant would have changed."""
    now, out = outcomes[0], console()
    out.print(f"[bold]{escape(title)}[/bold], {length(int(footage_s * 1000))}, looked at with {_told(now.variant)}\n")
    if now.events:
        table(EVENTS, [_event(event, spell) for event in now.events], right=("long", "highest"))
    else:
        out.print(_why(now, spell))
    out.print()
    table(VARIANTS, [_row(now, outcome, spell) for outcome in outcomes], right=("events", "motion"),
          fold=("looked at with", "missed", "added", "silent, seconds"))


def _told(variant: Variant) -> str:
    ignored = f", areas ignored: {len(variant.ignore)}" if variant.ignore else ""
    zones = f", zones: {', '.join(zone.name for zone in variant.zones)}" if variant.zones else ""
    return (f"sensitivity {variant.sensitivity}, smallest object {variant.smallest_pct:g} %, "
            f"{variant.fps:g} pictures a second{ignored}{zones}")


def _event(event: ReplayEvent, spell: Spell) -> tuple[str, ...]:
    return (spell(event.began_s), length(round((event.ended_s - event.began_s) * 1000)),
            f"{100 * event.score:.2f} %", _box(event.largest) + (", continues" if event.continues else ""),
            ", ".join(event.zones))


def _box(box: Box | None) -> str:
    if box is None:
        return ""
    return (f"{100 * box.w * box.h:.2g} % of the picture: {100 * box.w:.0f} % x {100 * box.h:.0f} % "
            f"around {100 * (box.x + box.w / 2):.0f} %, {100 * (box.y + box.h / 2):.0f} %")


def _why(now: VariantOutcome, spell: Spell) -> str:
    peak, least = now.peak, now.variant.least_share
    if peak is None or peak.score < least:
        most = f"never more than {100 * peak.score:.2g} % of the picture changed" if peak else "no picture came"
        return f"no event: {most}, and it takes {100 * least:.2g} % in one place"
    if elsewhere_s := now.silent_s.get(NO_ZONE):
        return (f"no event: something moved for {length(round(elsewhere_s * 1000))}, but nothing fulfilled a zone; "
                "what there would be without them: --without-zones")
    return (f"no event: up to {100 * peak.score:.2g} % of the picture changed (at {spell(peak.at_s)}), "
            "but nothing of it moved as an object does")


def _row(now: VariantOutcome, outcome: VariantOutcome, spell: Spell) -> tuple[str, ...]:
    difference: Difference = differences(now.events, outcome.events)
    silent = ", ".join(f"{reason.replace('_', ' ')} {value:.0f}" for reason, value in sorted(outcome.silent_s.items()))
    return (outcome.variant.name, str(outcome.events_n), length(round(outcome.moving_s * 1000)),
            _listed(difference.missed, spell), _listed(difference.added, spell), silent)


def _listed(events: Sequence[ReplayEvent], spell: Spell) -> str:
    more = [f"and {len(events) - NAMED_N} more"] if len(events) > NAMED_N else []
    return ", ".join([*(spell(event.began_s) for event in events[:NAMED_N]), *more])


def _print_hint(found: ZoneHint, command: str) -> None:
    """Names the place of most events that were neither people nor vehicles, and the command to try without it."""
    drawn = " ".join(f"{x:g},{y:g}" for x, y in corners(found.area))
    console().print(
        f"\nOf {found.events_n} labelled events {found.here_n} were {WHAT[found.word]} {WHERE[found.place]} of the "
        f"picture. To try without that place: {command} --ignore '{drawn}'")
