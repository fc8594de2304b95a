"""Which mode of the sensor is used, and how much of what it sees is then in the picture.

A sensor's modes differ in what they see: an imx219 gives 1920x1080 of the middle of its field, 59 % of the width. Left
to itself, libcamera goes by the size alone, so a picture that is made smaller shows more, and masks lie elsewhere then.
A file of its own, for it needs no picamera2: its tests run on any computer.
"""
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

WHOLE_SHARE = 0.98          # what a sensor's modes lose at the edges by rounding
FPS_SLACK = 0.98            # a mode of 14.98 a second will do for 15


@dataclass(frozen=True, slots=True)
class SensorMode:
    """A mode as it is asked for, and what it shows."""

    size: tuple[int, int]
    bit_depth: int
    share: float                # of the width that the sensor can see in this shape of picture, 0..1
    whole_up_to_fps: int        # so many pictures a second, and the whole width is seen in this size; 0: never

    @property
    def pct(self) -> int:
        """The share in percent, as people read it."""
        return 100 if self.share >= WHOLE_SHARE else round(100 * self.share)


def choose(modes: Iterable[Mapping[str, Any]], size: tuple[int, int], fps: int) -> SensorMode | None:
    """The mode for pictures of this size (as the household has set it) and rate, of picamera2's `sensor_modes`.

    First of all it must be sharp enough, then it should show as much as any, then be the smallest: pixels that are
    scaled away cost memory. None if no mode is quick enough, or none is described: then libcamera chooses.
    """
    known = [mode for mode in modes if {"size", "crop_limits", "fps", "bit_depth"} <= set(mode)]
    quick = [mode for mode in known if mode["fps"] >= FPS_SLACK * fps]
    if not quick:
        return None
    widest_px = max(_seen_px(mode, size) for mode in known)

    def rank(mode: Mapping[str, Any]) -> tuple[bool, float, int, int]:
        share = min(_seen_px(mode, size) / widest_px, WHOLE_SHARE)
        return _sharp(mode, size), share, -mode["size"][0] * mode["size"][1], mode["bit_depth"]

    best = max(quick, key=rank)
    whole = [mode["fps"] for mode in known
             if _sharp(mode, size) and _seen_px(mode, size) >= WHOLE_SHARE * widest_px]
    return SensorMode(tuple(best["size"]), best["bit_depth"], _seen_px(best, size) / widest_px,
                      int(max(whole, default=0) / FPS_SLACK))


def _seen_px(mode: Mapping[str, Any], size: tuple[int, int]) -> float:
    """How much of the sensor's full width ends up in a picture of this shape."""
    _, _, width, height = mode["crop_limits"]
    return min(width, height * size[0] / size[1])


def _sharp(mode: Mapping[str, Any], size: tuple[int, int]) -> bool:
    """Whether the mode has a pixel for each of the picture's, once it is cut to its shape."""
    width, height = mode["size"]
    return min(width, height * size[0] / size[1]) >= size[0]
