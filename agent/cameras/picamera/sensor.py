"""Plans a session without picamera2, so that its tests run on any computer: controls, tuning, mode, memory layout.

A sensor's modes differ in what they see: an imx219 gives 1920x1080 of the middle of its field, 59 % of the width.
libcamera itself only looks at the size, so a smaller picture would show more, and masks would be elsewhere. So a camera
with masks or zones keeps the view on which they were drawn, and another view is not recorded.
"""
import hashlib
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from agent.config.settings import Camera, Sensor

AF_MANUAL, AF_ONCE, AF_CONTINUOUS = 0, 1, 2     # libcamera's AfMode; AfTrigger 0 starts a single scan
FLIPS = {"none": {}, "horizontal": {"hflip": 1}, "vertical": {"vflip": 1}, "both": {"hflip": 1, "vflip": 1}}
NOIR = "_noir"
START = attrgetter("source", "width", "height", "fps", "bitrate_kbps", "sensor.flip", "sensor.tuning")
SHARES = ("/usr/local/share", "/usr/share")      # libcamera's folders, its own build first
TUNING_VARIABLE = "LIBCAMERA_RPI_TUNING_FILE"
WHOLE_SHARE = 0.98          # modes lose so much at the edges by rounding
VIEW_SLACK = 0.01           # of the width: less than a mask's own inexactness
FPS_SLACK = 0.98            # a mode of 14.98 a second is enough for 15
LORES_WIDTH_PX = 320        # the camera's memory needs a multiple of 64
SMALL_RAM_B = 600 << 20     # 512 MB board: with four buffers its camera memory has room for the encoder


def controls(camera: Camera) -> dict[str, Any]:
    """Returns all controls by libcamera's names, also those that the sensor may not have."""
    sensor, shortest_us = camera.sensor, 1_000_000 // camera.fps
    longest_us = 1_000_000 // sensor.night_fps if sensor.night_fps else shortest_us
    return {"FrameDurationLimits": (shortest_us, longest_us), "ExposureValue": float(sensor.exposure_ev),
            **_focus(sensor)}


def _focus(sensor: Sensor) -> dict[str, Any]:
    if sensor.focus == "fixed":
        return {"AfMode": AF_MANUAL, "LensPosition": 1 / sensor.focus_m if sensor.focus_m else 0.0}     # in dioptres
    return {"AfMode": AF_ONCE, "AfTrigger": 0} if sensor.focus == "once" else {"AfMode": AF_CONTINUOUS}


def unknown(camera: Camera, known: Collection[str]) -> list[str]:
    """Returns the keys of [camera.sensor] that need controls which are not in `known`."""
    default, wanted = Sensor(), camera.sensor
    needs = {"exposure_ev": "ExposureValue", "night_fps": "FrameDurationLimits", "focus": "AfMode"}
    return [key for key, control in needs.items()
            if getattr(wanted, key) != getattr(default, key) and control not in known]


def same_session(old: Camera, new: Camera) -> bool:
    """Whether a running camera can change from `old` to `new`: only controls, masks and others' keys differ."""
    return START(old) == START(new)


def tuning_file(sensor: Sensor, model: str, platform: str) -> Path | None:
    """Returns the tuning file for a camera of this model; None for libcamera's own choice. `platform` is "vc4" or
    "pisp" (Pi 5). Raises FileNotFoundError, with the searched paths."""
    if sensor.tuning != "noir":
        return _existing([Path(sensor.tuning)]) if sensor.tuning else None
    if model.endswith(NOIR):        # newer sensors report it, and libcamera then chooses right
        return None
    name = f"ipa/rpi/{platform}/{model}{NOIR}.json"
    return _existing([Path(share, "libcamera", name) for share in SHARES])


def _existing(candidates: list[Path]) -> Path:
    for path in candidates:
        if path.is_file():
            return path
    raise FileNotFoundError(f"there is no {' nor '.join(map(str, candidates))}")


def announce_tuning(path: Path | None) -> None:
    """Sets the tuning file's name for libcamera, which reads it when it looks for cameras, long before one opens."""
    if path is None:
        os.environ.pop(TUNING_VARIABLE, None)
    else:
        os.environ[TUNING_VARIABLE] = str(path)


class Mode(Struct, frozen=True):
    """A mode of a sensor; `crop` is the part of its whole field that it reads: left, top, width, height."""

    size: tuple[int, int]
    bit_depth: int
    fps: float
    crop: tuple[int, int, int, int]


class SensorView(Struct, frozen=True):
    """The part of the sensor's whole field that the picture shows, in the sensor's own pixels, and how it is turned."""

    left: float
    top: float
    width: float
    height: float
    flip: str = "none"

    def same(self, other: "SensorView") -> bool:
        """Whether a mask lies over the same things in both, but for a rounding of the edges."""
        slack_px = VIEW_SLACK * max(self.width, other.width)
        edges = zip(self._edges(), other._edges(), strict=True)
        return self.flip == other.flip and all(abs(mine - its) <= slack_px for mine, its in edges)

    def _edges(self) -> tuple[float, float, float, float]:
        return self.left, self.top, self.left + self.width, self.top + self.height


def view(crop: tuple[int, int, int, int], size: tuple[int, int], flip: str) -> SensorView:
    """Returns what a picture of this size shows, because the camera cuts the middle of its shape out of `crop`."""
    left, top, width, height = crop
    wide, tall = min(width, height * size[0] / size[1]), min(height, width * size[1] / size[0])
    return SensorView(left + (width - wide) / 2, top + (height - tall) / 2, wide, tall, flip)


def areas(camera: Camera) -> str:
    """Returns a digest of all that is drawn on the camera's picture; "" if nothing is."""
    if not camera.masks and not camera.zone:
        return ""
    drawn = camera.masks, [(zone.area, zone.line) for zone in camera.zone]
    return hashlib.sha256(msgspec.json.encode(drawn)).hexdigest()


@dataclass(frozen=True, slots=True)
class SensorMode:
    """A mode to request, and what it shows."""

    size: tuple[int, int]
    bit_depth: int
    share: float                # of the width that the sensor can see in this shape of picture, 0..1
    whole_up_to_fps: int        # the highest rate with the whole width in this size; 0: never

    @property
    def pct(self) -> int:
        return 100 if self.share >= WHOLE_SHARE else round(100 * self.share)


def choose(modes: Iterable[Mode], size: tuple[int, int], fps: int,
           drawn: SensorView | None = None) -> SensorMode | None:
    """Returns the mode for pictures of this size (from the settings) and rate.

    If masks or zones were `drawn` on a view, a mode with this view comes first. It must be sharp enough, then show the
    most, then be the smallest, because pixels that are scaled away cost memory. None if no mode is fast enough: then
    libcamera chooses.
    """
    known = list(modes)
    quick = [mode for mode in known if mode.fps >= FPS_SLACK * fps]
    if not quick:
        return None
    widest_px = max(view(mode.crop, size, "").width for mode in known)

    def rank(mode: Mode) -> tuple[bool, bool, float, int, int]:
        seen = view(mode.crop, size, drawn.flip if drawn else "")
        share = min(seen.width / widest_px, WHOLE_SHARE)
        return (drawn is not None and drawn.same(seen), _sharp(mode, size), share, -mode.size[0] * mode.size[1],
                mode.bit_depth)

    best = max(quick, key=rank)
    whole = [mode.fps for mode in known
             if _sharp(mode, size) and view(mode.crop, size, "").width >= WHOLE_SHARE * widest_px]
    return SensorMode(best.size, best.bit_depth, view(best.crop, size, "").width / widest_px,
                      int(max(whole, default=0) / FPS_SLACK))


def _sharp(mode: Mode, size: tuple[int, int]) -> bool:
    """Whether the mode, cut to the picture's shape, has at least as many pixels as the picture."""
    width, height = mode.size
    return min(width, height * size[0] / size[1]) >= size[0]


def lores_size(main: tuple[int, int]) -> tuple[int, int]:
    """Returns the size of the small stream for a main stream of (width, height): same shape, even, never larger."""
    width, height = main
    if width <= LORES_WIDTH_PX:
        return main
    return LORES_WIDTH_PX, max(2, round(LORES_WIDTH_PX * height / width / 2) * 2)


def buffers_n(ram_b: int | None) -> int:
    """Returns how many frames the camera may hold. Unknown memory counts as a small board: four work on any."""
    return 4 if (ram_b or 0) <= SMALL_RAM_B else 6


def planes(array: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns Y, U and V as views into picamera2's YUV420 array (height * 3 / 2, stride); `size` is (width, height)."""
    width, height = size
    u, v = array[height:].reshape(2, height // 2, array.shape[1] // 2)[:, :, :width // 2]
    return array[:height, :width], u, v
