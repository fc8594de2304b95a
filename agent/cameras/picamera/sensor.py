"""The settings of [camera.sensor] in libcamera's words: controls and tuning file. picamera2 is not needed here."""
import os
from collections.abc import Collection
from operator import attrgetter
from pathlib import Path
from typing import Any

from agent.config.settings import Camera, Sensor

AF_MANUAL, AF_ONCE, AF_CONTINUOUS = 0, 1, 2     # libcamera's AfMode; AfTrigger 0 starts a single scan
FLIPS = {"none": {}, "horizontal": {"hflip": 1}, "vertical": {"vflip": 1}, "both": {"hflip": 1, "vflip": 1}}
NOIR = "_noir"
START = attrgetter("source", "width", "height", "fps", "bitrate_kbps", "sensor.flip", "sensor.tuning")
SHARES = ("/usr/local/share", "/usr/share")      # where libcamera keeps its files, its own build first
TUNING_VARIABLE = "LIBCAMERA_RPI_TUNING_FILE"


def controls(camera: Camera) -> dict[str, Any]:
    """All controls by libcamera's names. Whether the sensor knows them is another question."""
    sensor, shortest_us = camera.sensor, 1_000_000 // camera.fps
    longest_us = 1_000_000 // sensor.night_fps if sensor.night_fps else shortest_us
    return {"FrameDurationLimits": (shortest_us, longest_us), "ExposureValue": float(sensor.exposure_ev),
            **_focus(sensor)}


def _focus(sensor: Sensor) -> dict[str, Any]:
    if sensor.focus == "fixed":
        return {"AfMode": AF_MANUAL, "LensPosition": 1 / sensor.focus_m if sensor.focus_m else 0.0}     # in dioptres
    return {"AfMode": AF_ONCE, "AfTrigger": 0} if sensor.focus == "once" else {"AfMode": AF_CONTINUOUS}


def unknown(camera: Camera, known: Collection[str]) -> list[str]:
    """The keys of [camera.sensor] that ask for what this sensor does not have, of the controls that it knows."""
    default, asked = Sensor(), camera.sensor
    needs = {"exposure_ev": "ExposureValue", "night_fps": "FrameDurationLimits", "focus": "AfMode"}
    return [key for key, control in needs.items()
            if getattr(asked, key) != getattr(default, key) and control not in known]


def same_session(old: Camera, new: Camera) -> bool:
    """Whether a camera that runs by `old` can go on by `new`: nothing differs but controls, masks and others' keys."""
    return START(old) == START(new)


def tuning_file(sensor: Sensor, model: str, platform: str) -> Path | None:
    """The tuning file for a camera of this model, or None for libcamera's own choice.

    `platform` is "vc4" or "pisp" (Pi 5). Raises FileNotFoundError, with where we looked.
    """
    if sensor.tuning != "noir":
        return _existing([Path(sensor.tuning)]) if sensor.tuning else None
    if model.endswith(NOIR):        # newer sensors tell it themselves, and libcamera then does the right thing
        return None
    name = f"ipa/rpi/{platform}/{model}{NOIR}.json"
    return _existing([Path(share, "libcamera", name) for share in SHARES])


def _existing(candidates: list[Path]) -> Path:
    for path in candidates:
        if path.is_file():
            return path
    raise FileNotFoundError(f"there is no {' nor '.join(map(str, candidates))}")


def announce_tuning(path: Path | None) -> None:
    """libcamera reads the name of the tuning file when it looks for cameras, long before one is opened."""
    if path is None:
        os.environ.pop(TUNING_VARIABLE, None)
    else:
        os.environ[TUNING_VARIABLE] = str(path)
