"""Gives libcamera's virtual camera the raw modes of a sensor: what picamera2 and our source ask a Pi's camera for."""
from collections.abc import Sequence
from typing import Any

# size, frames a second, and the part of the field that it reads
MODES = (((640, 360), 60.0, (320, 180, 640, 360)), ((1280, 720), 21.0, (0, 0, 1280, 720)))
Modes = Sequence[tuple[tuple[int, int], float, tuple[int, int, int, int]]]


class _Formats:
    def __init__(self, libcamera: Any, modes: Modes) -> None:
        self.pixel_formats = [libcamera.PixelFormat("SRGGB10"), libcamera.PixelFormat("YUYV")]
        self._sizes = [libcamera.Size(*size) for size, _, _ in modes]

    def sizes(self, pixels: Any) -> list[Any]:
        return self._sizes if str(pixels).startswith("S") else []


class _Raw:
    """The one stream of a raw configuration, with a sensor's formats."""

    def __init__(self, stream: Any, formats: _Formats) -> None:
        self.__dict__.update(stream=stream, formats=formats)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "pixel_format":              # the virtual pipeline has one of its own
            setattr(self.stream, name, value)


class _Configuration:
    def __init__(self, real: Any, formats: _Formats) -> None:
        self.real, self._stream = real, _Raw(real.at(0), formats)

    def at(self, _: int) -> _Raw:
        return self._stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def play_sensor(modes: Modes) -> list[int]:
    """From now on cameras have these modes. Returns a list that grows by the number of buffers that are allocated."""
    import libcamera
    import picamera2.picamera2
    from picamera2 import Picamera2

    from agent.cameras.picamera.session import PicameraSession
    camera, native = libcamera.Camera, libcamera.StreamRole.Raw
    generate, configure = camera.generate_configuration, camera.configure
    properties, controls = camera.properties.fget, camera.controls.fget
    now: list[Any] = list(modes[:1])
    allocated: list[int] = []

    def generate_configuration(self: Any, roles: Any) -> Any:
        made = generate(self, roles)
        return _Configuration(made, _Formats(libcamera, modes)) if list(roles) == [native] and PLAYS[0] else made

    def configure_camera(self: Any, wanted: Any) -> Any:
        if isinstance(wanted, _Configuration):
            size = wanted.at(0).size
            now[:] = [mode for mode in modes if mode[0] == (size.width, size.height)]
            wanted = wanted.real
        return configure(self, wanted)

    def with_crop(self: Any) -> dict[Any, Any]:
        return {**dict(properties(self).items()), libcamera.properties.ScalerCropMaximum:
                libcamera.Rectangle(*now[0][2])}

    def with_rate(self: Any) -> dict[Any, Any]:
        known = dict(controls(self).items())
        limits = known[libcamera.controls.FrameDurationLimits]
        return {**known, libcamera.controls.FrameDurationLimits:
                type("Info", (), {"min": int(1e6 / now[0][1]), "max": limits.max, "default": limits.default})}

    opened, create = PicameraSession._open, Picamera2.create_video_configuration

    def open_sensor(self: PicameraSession, number: int) -> Any:
        PLAYS[0] = False                        # picamera2 itself asks when it opens
        device = opened(self, number)
        device._is_rpi_camera = lambda: False   # a real one's raw stream is not here
        device.camera_properties_["ColorFilterArrangement"] = 0
        PLAYS[0] = True
        return device

    def create_configuration(self: Any, *arguments: Any, **named: Any) -> Any:
        if wanted := named.get("sensor"):
            now[:] = [mode for mode in modes if mode[0] == tuple(wanted["output_size"])]
        return create(self, *arguments, **named)

    allocate = picamera2.picamera2.DmaAllocator.allocate

    def note_buffers(self: Any, streams: Any, use_case: str) -> None:
        allocate(self, streams, use_case)
        allocated.append(sum(len(buffers) for buffers in self.frame_buffers.values()))

    camera.generate_configuration, camera.configure = generate_configuration, configure_camera
    camera.properties, camera.controls = property(with_crop), property(with_rate)
    PicameraSession._open, Picamera2.create_video_configuration = open_sensor, create_configuration
    picamera2.picamera2.DmaAllocator.allocate = note_buffers
    return allocated


PLAYS = [False]


def note_requests() -> list[Any]:
    """Returns a list that grows by what picamera2 is asked of the sensor."""
    from picamera2 import Picamera2
    create, asked = Picamera2.create_video_configuration, []

    def note(self: Any, *arguments: Any, **named: Any) -> Any:
        asked.extend([named["sensor"]] if "sensor" in named else [])
        return create(self, *arguments, **named)

    Picamera2.create_video_configuration = note
    return asked
