"""Asks a sensor for its modes without camera memory.

picamera2's `sensor_modes` gives each mode four buffers: up to 318 MB, and a small board has 128 MB for all. libcamera
itself takes a configuration without any buffer, as `rpicam-hello --list-cameras` does.
"""
import platform
from typing import Any

import libcamera
from picamera2 import Picamera2, formats
from picamera2.sensor_format import SensorFormat

from agent.cameras.picamera.sensor import Mode


def origin(device: Picamera2) -> str:
    """Returns what the modes depend on: the sensor, libcamera's version, and the kernel's, which has its driver."""
    model = device.camera_properties.get("Model", "")
    return f"{model} libcamera {Picamera2._cm.cms.version} kernel {platform.release()}"


def find(device: Picamera2) -> tuple[Mode, ...]:
    """Returns the modes of a sensor. The camera must be configured anew afterwards. Raises RuntimeError."""
    camera, found = device.camera, []
    config = camera.generate_configuration([libcamera.StreamRole.Raw])
    if config is None:
        return ()
    known = config.at(0).formats
    for pixels in known.pixel_formats:
        if not formats.is_raw(str(pixels)):
            continue
        for size in known.sizes(pixels):
            config.at(0).pixel_format, config.at(0).size = pixels, size
            if config.validate() != libcamera.CameraConfiguration.Status.Invalid:
                camera.configure(config)
                if (crop := read_crop(device)) is not None:
                    found.append(Mode((size.width, size.height), SensorFormat(str(pixels)).bit_depth, _fps(camera),
                                      crop))
    return tuple(found)


def read_crop(device: Picamera2) -> tuple[int, int, int, int] | None:
    """Returns the part of its field that the configured sensor reads, by the kernel; None if it does not tell."""
    camera = device.camera
    crop = camera.properties.get(libcamera.properties.ScalerCropMaximum)
    return (crop.x, crop.y, crop.width, crop.height) if crop is not None and crop.width and crop.height else None


def _fps(camera: Any) -> float:
    return 1e6 / camera.controls[libcamera.controls.FrameDurationLimits].min
