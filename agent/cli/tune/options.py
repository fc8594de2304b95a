"""The options of `taimat tune`, and the variants that they mean."""
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import typer

from agent.core.media.model import Point
from agent.core.vision.motion import Sensitivity
from agent.core.vision.replay import Variant
from agent.core.vision.replay.variant import Area
from agent.footage import whatif

CORNERS_MIN = 3


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
    plot: Path | None = None
    json: bool = False
    config: Path | None = None


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
