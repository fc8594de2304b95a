"""One opened Pi camera: its frames before the encoder, and the encoder. Any call may hang: use a time limit.

The encoder is the one of the board, or x264. `Frames` runs for each frame on the thread of libcamera: it paints masks,
and makes the small picture if motion detection wants one.
"""
import contextlib
import gc
import logging
from collections.abc import Sequence
from typing import Any

import av
import libcamera
from picamera2 import MappedArray, Picamera2
from picamera2.encoders.encoder import Encoder
from picamera2.outputs import Output

from agent.cameras import SourceError
from agent.cameras.effort import HEADROOM, Effort
from agent.cameras.encode import GOP_US, KeyWatch, SoftwareEncoder
from agent.cameras.frame_queue import FrameQueue
from agent.cameras.masks import Masks
from agent.cameras.picamera import modes, sensor
from agent.cameras.picamera.memory import Memory
from agent.cameras.picamera.sensor import SensorMode, buffers_n, choose, lores_size, planes
from agent.config.settings import Camera
from agent.core.media.headroom import HARDWARE, Level
from agent.core.vision.luma import Luma
from agent.host.board import Board
from agent.host.clock import Clock


class X264(Encoder):
    """Our x264 encoder for picamera2. It runs in the camera's event loop: the camera drops frames if it is too slow."""

    def __init__(self, level: Level, camera: Camera, queue: FrameQueue, effort: Effort) -> None:
        """`effort` measures each picture; an exception goes to `queue` and ends the run."""
        super().__init__(framerate=camera.fps)
        self._level, self._camera, self._effort = level, camera, effort
        self._show = queue.guarded(self._encode_one)

    def _start(self) -> None:
        self._x264 = SoftwareEncoder(self.width, self.height, self._camera.fps, self._camera.bitrate_kbps,
                                     self._level.preset, threads_n=1)

    def _encode(self, stream: str, request: Any) -> None:
        self._show(stream, request)

    def _encode_one(self, stream: str, request: Any) -> None:
        pts_us = self._timestamp(request)
        with self._effort, MappedArray(request, stream, write=False) as mapped:
            frame = av.VideoFrame.from_numpy_buffer(mapped.array, format="yuv420p", width=self.width)
            data = self._x264.encode(frame, pts_us)
        self.outputframe(data, self._x264.gave_key, pts_us)


def make_encoder(level: Level, camera: Camera, queue: FrameQueue, effort: Effort) -> Encoder:
    """Makes a new encoder for each session, because a failed one stays broken. Its output writes to `queue`."""
    if level.encoder == HARDWARE:
        # its own module, because on a Pi 5 the package's H264Encoder is x264
        from picamera2.encoders.h264_encoder import H264Encoder
        encoder = H264Encoder(bitrate=camera.bitrate_kbps * 1000, repeat=True, framerate=camera.fps,
                              iperiod=camera.fps * GOP_US // 1_000_000)
    else:
        encoder = X264(level, camera, queue, effort)
    encoder.output = QueueOutput(encoder, camera.fps, queue)
    return encoder


class QueueOutput(Output):
    """Puts each encoded frame into our queue. Runs in picamera2's threads: never raises, never blocks."""

    def __init__(self, encoder: Any, fps: int, queue: FrameQueue) -> None:
        super().__init__()
        self._encoder, self._queue = encoder, queue
        # only the hardware encoder counts frames
        self._keys = KeyWatch(fps) if hasattr(encoder, "force_key_frame") else None
        self._guarded = queue.guarded(self._put)

    def outputframe(self, frame: bytes, keyframe: bool = True, timestamp: int | None = None, packet: Any = None,
                    audio: bool = False) -> None:
        """`timestamp` counts from the encoder's first frame, in microseconds."""
        self._guarded(frame, keyframe, timestamp)

    def _put(self, frame: bytes, key: bool, timestamp_us: int) -> None:
        self._queue.put(bytes(frame), self._encoder.firsttimestamp + timestamp_us, key)   # on the sensor's clock
        if self._keys is not None and self._keys.due(timestamp_us, key):
            self._encoder.force_key_frame()


class Frames:
    """picamera2's pre_callback: runs in its event loop, with its lock held."""

    def __init__(self, main: tuple[int, int], lores: tuple[int, int], queue: FrameQueue, clock: Clock) -> None:
        self._main, self._lores, self._queue, self._clock = main, lores, queue, clock
        self.hide(())

    def hide(self, polygons: Sequence[Sequence[tuple[float, float]]]) -> None:
        """Uses these masks from the next frame on, in both pictures at once. For any thread."""
        self._masks = Masks(polygons, *self._main), Masks(polygons, *self._lores)

    def prepare(self, request: Any) -> None:
        """Paints one frame, and makes the small picture of it if motion detection wants one."""
        main_masks, lores_masks = self._masks
        self._queue.frames_n += 1
        if main_masks:
            with MappedArray(request, "main", write=True) as mapped:
                main_masks.paint(*planes(mapped.array, self._main))
        if not self._queue.wants_luma:
            return
        self._queue.wants_luma = False
        width, height = self._lores
        with MappedArray(request, "lores", write=False) as mapped:
            y = mapped.array[:height, :width].copy()        # the buffer goes back to the camera at once
        lores_masks.paint_luma(y)
        mono_s, found = self._clock.mono_s(), request.get_metadata()
        gain = found["AnalogueGain"] * found.get("DigitalGain", 1.0) if "AnalogueGain" in found else None
        self._queue.put_luma(Luma(y, mono_s, found.get("ExposureTime"), gain, found.get("Lux"),
                                  focus=found.get("FocusFoM"), limited=True))


LOCK_S = 1.0            # picamera2 holds this lock for microseconds, or hangs

_log = logging.getLogger(__name__)


class PicameraSession:
    def __init__(self, name: str, number: int, camera: Camera, memory: Memory) -> None:
        """Opens the camera with this number. Raises SourceError."""
        self._name, self.camera, self._memory = name, camera, memory
        self._encoder: Any = None
        self.mode: SensorMode | None = None         # chosen by `start`; None: libcamera chooses
        self._device = self._open(number)

    def _open(self, number: int) -> Picamera2:
        sensor.announce_tuning(None)
        found = Picamera2.global_camera_info()
        if number >= len(found):
            raise SourceError("camera_not_found", f"{self._name}: there is no such camera",
                              "switch the device off, seat the ribbon cable, then look with: rpicam-hello "
                              "--list-cameras")
        tuning = self._tuning(found[number]["Model"])
        try:
            return Picamera2(number, tuning=tuning)
        except (RuntimeError, IndexError) as error:
            raise SourceError("camera_no_frames", f"{self._name}: can't be opened ({error})",
                              "end the other program that uses it, which this shows: fuser -v /dev/media*") from None

    def _tuning(self, model: str) -> str | None:
        """The tuning file from the settings, announced to libcamera; without one, recording works too."""
        try:
            path = sensor.tuning_file(self.camera.sensor, model, Picamera2.platform.name.lower())
        except FileNotFoundError as error:
            _log.warning("%s: libcamera chooses the tuning, for %s; correct sensor.tuning", self._name, error)
            return None
        if path is None:
            return None
        sensor.announce_tuning(path)
        Picamera2._cm.reset()       # libcamera read the tuning when it looked for cameras, so it must look again
        _log.info("%s: a %s, tuned by %s", self._name, model, path)
        return str(path)

    def start(self, level: Level, machine: Board, queue: FrameQueue, clock: Clock, effort: Effort) -> None:
        """Configures and starts the camera. Raises SourceError."""
        camera = self.camera
        try:
            self._configure(level, machine)
            given = self._device.camera_configuration()         # the camera may have adjusted our request
            main, lores = self._checked(given)
            self._hold_view()
            self._frames = Frames(main, lores, queue, clock)
            self._frames.hide(camera.masks)
            self._device.pre_callback = queue.guarded(self._frames.prepare)
            self._start_encoder(level, queue, effort)
            self._device.start()
        except (RuntimeError, OSError) as error:
            raise SourceError("camera_no_frames", f"{self._name}: can't be started ({error})",
                              "choose a smaller picture, or look into: dmesg | tail") from None
        _log.info("%s: %dx%d by %s, and %dx%d for motion", self._name, *main, level.encoder, *lores)
        if self.mode:
            _log.info("%s: the sensor gives %dx%d, %d %% of the width that it can see", self._name, *self.mode.size,
                      self.mode.pct)

    def _configure(self, level: Level, machine: Board) -> None:
        device, size = self._device, (level.width, level.height)
        if missing := sensor.unknown(self.camera, device.camera_controls):
            _log.warning("%s: this camera has no %s; left out", self._name, ", ".join(missing))
        self.mode = self._choose_mode()
        wanted = {"output_size": self.mode.size, "bit_depth": self.mode.bit_depth} if self.mode else {}
        device.configure(device.create_video_configuration(
            main={"size": size, "format": "YUV420"}, lores={"size": lores_size(size), "format": "YUV420"},
            sensor=wanted, buffer_count=buffers_n(machine.ram_b), queue=False, display=None,
            transform=libcamera.Transform(**sensor.FLIPS[self.camera.sensor.flip]),
            controls=self._known(sensor.controls(self.camera))))

    def _choose_mode(self) -> SensorMode | None:
        """By the size in the settings, not by what the encoder can do: the visible and masked areas stay the same."""
        camera, memory = self.camera, self._memory
        if "ColorFilterArrangement" not in self._device.camera_properties:      # not a Pi sensor, but a webcam
            return None
        if memory.known.origin != (origin := modes.origin(self._device)) or not memory.known.modes:
            try:
                memory.keep(origin=origin, modes=modes.find(self._device))
            except (RuntimeError, KeyError, OSError) as error:
                _log.warning("%s: the sensor does not tell its modes (%r), so libcamera chooses one", self._name, error)
                return None
        drawn = memory.known.view if sensor.areas(camera) == memory.known.areas else None
        return choose(memory.known.modes, (camera.width, camera.height), camera.fps, drawn)

    def _hold_view(self) -> None:
        """Remembers what masks and zones were drawn on. Raises SourceError if the camera shows something else now."""
        camera, known, crop = self.camera, self._memory.known, modes.read_crop(self._device)
        self._view = sensor.view(crop, (camera.width, camera.height), camera.sensor.flip) if crop else None
        drawn = known.view if sensor.areas(camera) == known.areas else None
        if drawn and self._view and not drawn.same(self._view):
            raise SourceError("masks_unsafe", f"{self._name}: shows another part of its sensor's view than the one on "
                              "which its masks and zones were drawn, so this camera is not recorded",
                              "set width, height, fps and flip as they were, or remove its masks and zones and draw "
                              "them anew")
        self._note_areas()

    def _note_areas(self) -> None:
        areas = sensor.areas(self.camera)
        self._memory.keep(areas=areas, view=self._view if areas else None)

    def _checked(self, given: dict[str, Any]) -> tuple[tuple[int, int], tuple[int, int]]:
        """The true sizes of main and lores stream. Raises SourceError if masks cannot be painted."""
        for stream in (given["main"], given["lores"]):
            if stream["format"] != "YUV420":
                raise SourceError("camera_stream_bad",
                                  f"{self._name}: gives {stream['format']}, and only YUV420 will do",
                                  "if it is a webcam, make it a v4l2: source")
        flips = sensor.FLIPS[self.camera.sensor.flip]
        if any(bool(getattr(given["transform"], flip)) != bool(flips.get(flip)) for flip in ("hflip", "vflip")):
            _log.warning("%s: this camera can't flip its picture; left out", self._name)
        return given["main"]["size"], given["lores"]["size"]

    def _known(self, controls: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in controls.items() if name in self._device.camera_controls}

    def _start_encoder(self, level: Level, queue: FrameQueue, effort: Effort) -> None:
        try:
            self._encoder = make_encoder(level, self.camera, queue, effort)
            self._device.start_encoder(self._encoder, name="main")
        except Exception as error:      # any error, because without an encoder there is no recording
            with contextlib.suppress(Exception):
                self._encoder.stop()    # it believes that it runs, and that its thread is needed
            if level.encoder == HARDWARE:
                HEADROOM.hardware_failed(self._name)
            raise SourceError("encoder_missing", f"{self._name}: the video encoder does not start ({error})",
                              "end other programs that use it, or choose a smaller picture") from None

    def adjust(self, camera: Camera) -> None:
        """Applies these settings, see `sensor.same_session`; what fails is tried again."""
        self._frames.hide(camera.masks)
        before = sensor.controls(self.camera)
        changed = {name: value for name, value in sensor.controls(camera).items() if before.get(name) != value}
        lock = self._device.request_lock    # without the lock, our change is lost if a frame is being returned
        if not lock.acquire(timeout=LOCK_S):
            return
        try:
            self._device.set_controls(self._known(changed))
        finally:
            lock.release()
        self.camera = camera
        self._note_areas()
        _log.info("%s: goes on with new settings", self._name)

    def close(self) -> None:
        """Stops the encoder and releases the camera. Raises what picamera2 raises."""
        if self._encoder is not None and self._encoder in self._device.encoders:
            self._device.stop_encoder(self._encoder)
        self._device.close()
        self._device = self._encoder = self._frames = None
        gc.collect()        # frame buffers are in reference cycles, and the next session needs their camera memory
