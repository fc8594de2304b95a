"""Labelled clips, as the recorder decodes them and takes its turns; and the camera that looks at them."""
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from agent.config.settings import Camera
from agent.core.vision.luma import Luma
from agent.core.vision.replay.variant import Turns
from agent.footage.film import Film

CAMERA = Camera(name="yard", source="rtsp://yard")


def truth_of(folder: Path, clip: str) -> dict:
    """The content of gt/NAME.json."""
    return json.loads((folder / "gt" / f"{clip}.json").read_text())


def decoded(path: Path) -> list[Luma]:
    """The clip as the recorder decodes it. Raises FootageError."""
    with Film(path) as film:
        return [replace(luma, plane=luma.plane.copy()) for luma in film.lumas(lambda at_s: True)]


def thinned(lumas: Iterable[Luma], fps: float) -> list[Luma]:
    """Those that the recorder looks at when it is set to this rate."""
    turns, kept = Turns(fps), []
    for luma in lumas:
        if turns.due(luma.mono_s):
            turns.took(luma.mono_s)
            kept.append(luma)
    return kept
