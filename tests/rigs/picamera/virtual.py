"""Lets the real picamera2 run on libcamera's own "virtual" camera: no sensor, no /dev/dma_heap, no screen.

    clock = install()        # before anything imports picamera2
    from picamera2 import Picamera2     # as it comes from PyPI

What Debian's libcamera 0.4.0 lacks for that is added below picamera2, one function a gap; of picamera2 itself only the
allocator is exchanged. The clock that `install` returns plays the sensor: it stalls, spoils frames and shows footage.
"""
import mmap
import os
import sys
import threading
import time
import types
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np


class SensorClock:
    """A sensor's pace: lets one queued request a frame period through to libcamera. Without one, the frame is lost."""

    def __init__(self, fps: float) -> None:
        self.limits_us = 1e6 / fps, 1e6 / fps   # of a frame's time, as the controls set them
        self.told: dict[str, Any] = {}          # all controls that it was given, by name
        self.dark = False                       # frames take as long as the limits allow, as in the dark
        self.stalled = False            # no frames and no error: what "Camera frontend has timed out" looks like
        self.error_frames = False       # frames come, marked as spoilt
        self.dropped_n = 0              # frame periods in which no request was waiting
        self.metadata: dict[Any, Any] = {}      # added to every frame's own, by libcamera control
        self.picture: Callable[[int, int, int], np.ndarray] | None = None   # (width, height, number) -> flat I420
        self.lock = threading.Lock()
        self.waiting: deque[Any] = deque()
        self._let_through: Callable[[Any], None] | None = None

    @property
    def period_us(self) -> float:
        """What a frame takes now."""
        return self.limits_us[1 if self.dark else 0]

    @property
    def running(self) -> bool:
        """Whether the camera streams."""
        return self._let_through is not None

    def start(self, let_through: Callable[[Any], None]) -> None:
        """Begin to hand requests to `let_through`, one a period."""
        self._let_through = let_through
        self._thread = threading.Thread(target=self._run, name="virtual-sensor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Hand out no more; the waiting requests are forgotten, as libcamera does on stop."""
        with self.lock:
            self._let_through = None
            self.waiting.clear()
        self._thread.join()

    def _run(self) -> None:
        due_s = time.monotonic()
        while self.running:
            due_s = max(due_s + self.period_us / 1e6, time.monotonic() - 0.5)
            time.sleep(max(0.0, due_s - time.monotonic()))
            with self.lock:
                if self.stalled or self._let_through is None:
                    continue
                if self.waiting:
                    self._let_through(self.waiting.popleft())
                else:
                    self.dropped_n += 1


def install(fps: float = 30) -> SensorClock:
    """Fill all the gaps in this process and return the sensor's clock. The sensor has a lens with a motor."""
    _stand_in_for_pykms()
    import libcamera

    clock = SensorClock(fps)
    _answer_raw_role(libcamera)
    _pace(libcamera, clock)
    _add_controls(libcamera)
    _complete_metadata(libcamera, clock)
    _allocate_in_memory(libcamera)
    _say_yuv420(libcamera, clock)
    return clock


def _stand_in_for_pykms() -> None:
    """picamera2 imports pykms always, though only its screen preview uses it."""

    class AnyName(type):
        def __getattr__(cls, name: str) -> str:
            return name

    stub = types.ModuleType("pykms")
    stub.PixelFormat = AnyName("PixelFormat", (), {})
    sys.modules.setdefault("pykms", stub)


def _answer_raw_role(libcamera: Any) -> None:
    """The virtual pipeline knows no raw stream; a USB camera answers with its native formats, and so do we."""
    generate = libcamera.Camera.generate_configuration
    roles = libcamera.StreamRole

    def generate_configuration(camera: Any, wanted: Any) -> Any:
        return generate(camera, [roles.Viewfinder if role == roles.Raw else role for role in wanted])

    libcamera.Camera.generate_configuration = generate_configuration


def _pace(libcamera: Any, clock: SensorClock) -> None:
    """The virtual pipeline completes a request at once; a sensor takes a frame period, and the controls set it."""
    start, stop, queue = libcamera.Camera.start, libcamera.Camera.stop, libcamera.Camera.queue_request
    set_control = libcamera.Request.set_control

    def note(control: Any, value: Any) -> None:
        clock.told[control.name] = value
        if control == libcamera.controls.FrameDurationLimits:
            clock.limits_us = max(1.0, float(value[0])), max(1.0, float(value[1]))

    def camera_start(camera: Any, controls: dict[Any, Any] | None = None) -> None:
        for control, value in (controls or {}).items():
            note(control, value)
        start(camera, controls or {})
        clock.start(lambda request: queue(camera, request))

    def camera_stop(camera: Any) -> None:
        clock.stop()
        stop(camera)

    def queue_request(_: Any, request: Any) -> None:
        with clock.lock:
            clock.waiting.append(request)

    def request_set_control(request: Any, control: Any, value: Any) -> Any:
        note(control, value)
        return set_control(request, control, value)

    libcamera.Camera.start, libcamera.Camera.stop = camera_start, camera_stop
    libcamera.Camera.queue_request, libcamera.Request.set_control = queue_request, request_set_control


def _add_controls(libcamera: Any) -> None:
    """The virtual pipeline has no exposure and no lens; what is set for them is noted by the clock, and ignored."""
    own, controls = libcamera.Camera.controls.fget, libcamera.controls
    added = {control: types.SimpleNamespace(min=low, max=high, default=low) for control, low, high in (
        (controls.ExposureValue, -8.0, 8.0), (controls.AfMode, 0, 2), (controls.AfTrigger, 0, 1),
        (controls.LensPosition, 0.0, 32.0))}
    libcamera.Camera.controls = property(lambda camera: {**dict(own(camera).items()), **added})


def _complete_metadata(libcamera: Any, clock: SensorClock) -> None:
    """Adds what a sensor tells, and a frame's status, which 0.4.0 leaves uninitialised (it is set from 0.5.0 on)."""
    controls, frame_status = libcamera.controls, libcamera.FrameMetadata.Status
    own, completion = libcamera.Request.metadata.fget, libcamera.Request.status.fget
    clock.metadata = {controls.ExposureTime: 9000, controls.AnalogueGain: 1.5, controls.DigitalGain: 2.0,
                      controls.Lux: 120.0, controls.ColourTemperature: 4500, controls.AeLocked: True,
                      controls.FocusFoM: 700}

    def metadata(request: Any) -> dict[Any, Any]:
        return {**clock.metadata, controls.FrameDuration: int(clock.period_us), **dict(own(request).items())}

    def status(_: Any) -> Any:
        return frame_status.Error if clock.error_frames else frame_status.Success

    def request_status(request: Any) -> Any:    # garbage that reads "cancelled" would lose the request for good
        return libcamera.Request.Status.Complete if clock.running else completion(request)

    libcamera.Request.metadata, libcamera.FrameMetadata.status = property(metadata), property(status)
    libcamera.Request.status = property(request_status)


def _allocate_in_memory(libcamera: Any) -> None:
    """Frame buffers in memfd pages instead of /dev/dma_heap, a plane for luma and one for chroma."""
    import picamera2.picamera2
    from picamera2.allocators import Allocator
    from picamera2.allocators.allocator import Sync

    class MemorySync(Sync):
        def __init__(self, allocator: Any, buffer: Any, write: bool) -> None:
            self._pages = allocator.mapped_buffers.get(buffer)

        def __enter__(self) -> mmap.mmap:
            if self._pages is None:
                raise RuntimeError("this buffer is not mapped")
            return self._pages

        def __exit__(self, *_: object) -> None:
            pass

    class MemoryAllocator(Allocator):
        def __init__(self) -> None:
            super().__init__()
            self.sync = MemorySync
            self._files: list[int] = []
            self.close()

        def allocate(self, stream_configurations: Any, use_case: str) -> None:
            self.close()
            for configuration in stream_configurations:
                self.frame_buffers[configuration.stream] = [self._buffer(configuration)
                                                            for _ in range(configuration.buffer_count)]

        def _buffer(self, configuration: Any) -> Any:
            luma_b = configuration.stride * configuration.size.height
            file = os.memfd_create("virtual-frame")
            os.ftruncate(file, luma_b * 3 // 2)
            self._files.append(file)
            planes = []
            for offset, length in ((0, luma_b), (luma_b, luma_b // 2)):
                plane = libcamera.FrameBuffer.Plane()
                plane.fd, plane.offset, plane.length = file, offset, length
                planes.append(plane)
            buffer = libcamera.FrameBuffer(planes)
            self.mapped_buffers[buffer] = mmap.mmap(file, luma_b * 3 // 2)
            self.sizes[buffer] = configuration.size.width, configuration.size.height
            return buffer

        def buffers(self, stream: Any) -> list[Any]:
            return self.frame_buffers[stream]

        def close(self) -> None:
            for file in self._files:
                os.close(file)
            self._files, self.frame_buffers, self.mapped_buffers, self.sizes = [], {}, {}, {}

        __del__ = close

    picamera2.picamera2.DmaAllocator = MemoryAllocator


def _say_yuv420(libcamera: Any, clock: SensorClock) -> None:
    """The virtual pipeline makes NV12, a Pi is asked for YUV420: frames become that, or the clock's picture."""
    from picamera2 import Picamera2
    fmt = libcamera.StreamConfiguration.pixel_format
    nv12, yuv420 = libcamera.PixelFormat("NV12"), libcamera.PixelFormat("YUV420")
    libcamera.StreamConfiguration.pixel_format = property(
        lambda self: yuv420 if str(fmt.fget(self)) == "NV12" else fmt.fget(self),
        lambda self, wanted: fmt.fset(self, nv12 if str(wanted) == "YUV420" else wanted))
    ready = libcamera.CameraManager.get_ready_requests
    number = 0

    def redraw(pixels: np.ndarray, size: tuple[int, int]) -> None:
        if clock.picture is not None:
            pixels[:] = clock.picture(*size, number)
            return
        luma_n = pixels.size * 2 // 3
        chroma = pixels[luma_n:].copy()
        pixels[luma_n:luma_n * 5 // 4], pixels[luma_n * 5 // 4:] = chroma[0::2], chroma[1::2]

    def get_ready_requests(manager: Any) -> Any:
        nonlocal number
        done = ready(manager)
        for request in done:
            camera = Picamera2._cm.cameras.get(request.cookie)
            if camera is None or request.status != libcamera.Request.Status.Complete:
                continue
            number += 1
            for buffer in request.buffers.values():
                pages = camera.allocator.mapped_buffers.get(buffer)
                if pages is not None:
                    redraw(np.frombuffer(pages, np.uint8), camera.allocator.sizes[buffer])
        return done

    libcamera.CameraManager.get_ready_requests = get_ready_requests
