"""The Raspberry Pi camera through picamera2, which only this file imports.

picamera2 waits for ever by default, and its event loop dies of any exception in a callback. So calls into it have a
deadline, callbacks are guarded, and what comes from its threads is only laid down for ours to fetch.
"""
import contextlib
import gc
import logging
import os
from typing import Any

import numpy as np

from agent.capture.source import Sink, SourceError, SourceStuck
from agent.capture.source.deadline import TooLate, within
from agent.capture.source.encode import GOP_US, AccessUnits
from agent.capture.source.handover import Handover, Unit
from agent.capture.source.masks import Masks
from agent.config.settings import Camera
from agent.core.model import Luma
from agent.core.nal import BitstreamError
from agent.host import board
from agent.host.clock import Clock
from agent.host.stop import Stop

OPEN_S, CLOSE_S = 20.0, 10.0            # a healthy camera takes about one second and a tenth of one
NO_FRAMES_S = 5.0
FETCH_S = 0.25                          # how soon a stop is noticed
LORES_WIDTH_PX = 320                    # a multiple of 64, as the camera's memory wants it
HARDWARE_SIDE_MAX_PX = 1920             # of the encoder in Zero 2 W, 3 and 4
SMALL_RAM_B = 600 << 20                 # a 512 MB board: four buffers leave its camera memory room for the encoder

_log = logging.getLogger(__name__)


class PicameraSource:
    """One Pi camera: H.264 by the board's encoder, or by x264 where it has none."""

    def __init__(self, camera: Camera, number: int, clock: Clock, machine: board.Board | None = None) -> None:
        """`number` counts from 0, as rpicam-hello --list-cameras does; `machine` is read from this one if not given."""
        self._camera, self._number, self._clock = camera, number, clock
        self._machine = machine or board.read()
        self._name = f"picamera:{number}"
        self._handover = Handover()

    @property
    def dropped_n(self) -> int:
        """Packets given up because the sink was too slow."""
        return self._handover.dropped_n

    def run(self, sink: Sink, stop: Stop) -> None:
        """Hand on what the camera gives until `stop` is set.

        Raises SourceError, or SourceStuck when only the process's end frees the camera.
        """
        try:
            session = within(OPEN_S, self._open)
        except TooLate:
            raise self._stuck(f"does not open within {OPEN_S:.0f} s") from None
        try:
            self._hand_on(sink, stop)
        except BitstreamError as error:
            raise SourceError("camera_stream_bad", f"{self._name}: the encoder gives no valid video ({error}); "
                                                   f"it is being restarted") from None
        finally:
            if self.dropped_n:
                _log.warning("%s: %d packets were dropped, for they were not taken in time", self._name, self.dropped_n)
            self._close(session)

    def _close(self, session: "_Session") -> None:
        try:
            within(CLOSE_S, session.close)
        except Exception as error:
            _log.exception("%s: does not close", self._name)
            raise self._stuck(f"does not close ({error})") from None

    def _stuck(self, trouble: str) -> SourceStuck:
        return SourceStuck("camera_no_frames", f"{self._name}: {trouble}; its process is being restarted; "
                                               f"if that does not help, switch the device off and on")

    def _open(self) -> "_Session":
        picamera2 = _import(self._name)
        if not any(found["Num"] == self._number for found in picamera2.Picamera2.global_camera_info()):
            raise SourceError("camera_not_found", f"{self._name}: there is no such camera; switch the device off, seat "
                                                  f"the ribbon cable, then look with: rpicam-hello --list-cameras")
        try:
            device = picamera2.Picamera2(self._number)
        except (RuntimeError, IndexError) as error:
            raise SourceError("camera_no_frames", f"{self._name}: can't be opened ({error}); end the other program "
                                                  f"that uses it, which this shows: fuser -v /dev/media*") from None
        session = _Session(self._name, device)
        try:
            session.start(self._camera, self._machine, self._handover, self._clock)
        except BaseException:
            self._close(session)
            raise
        return session

    def _hand_on(self, sink: Sink, stop: Stop) -> None:
        handover, access_units = self._handover, AccessUnits()
        last_mono_s, frames_n = self._clock.mono_s(), 0
        while not stop.is_set():
            units, luma = self._fetch()
            now_mono_s = self._clock.mono_s()
            if luma is not None:
                sink.luma(luma)
            for unit in units:
                last_mono_s, frames_n = now_mono_s, handover.frames_n
                access_units.give(sink, unit.data, unit.pts_us)
            handover.wants_luma = sink.wants_main_luma() and sink.wants_luma(now_mono_s)
            if now_mono_s - last_mono_s > NO_FRAMES_S:
                raise self._silence(handover.frames_n - frames_n)

    def _fetch(self) -> tuple[list[Unit], Luma | None]:
        try:
            return self._handover.fetch(FETCH_S)
        except Exception as error:
            _log.exception("%s: a frame could not be handled", self._name)
            raise SourceError("camera_stream_bad", f"{self._name}: a frame can't be handled ({error!r}); the camera is "
                                                   f"being restarted; please report what the journal says") from None

    def _silence(self, frames_n: int) -> SourceError:
        """What it means that no packet comes, though this many frames did since the last one."""
        quiet = f"gives nothing for {NO_FRAMES_S:.0f} s and is being restarted; if it recurs,"
        if frames_n > NO_FRAMES_S:      # more than one a second: it is not the camera that is quiet
            return SourceError("camera_no_frames", f"{self._name}: the encoder {quiet} set a higher bitrate_kbps")
        return SourceError("camera_no_frames", f"{self._name}: the camera {quiet} check its ribbon cable and the power "
                                               f"supply")


class _Session:
    """One opened camera and its encoder."""

    def __init__(self, name: str, device: Any) -> None:
        self._name, self._device = name, device
        self._encoder: Any = None

    def start(self, camera: Camera, machine: board.Board, handover: Handover, clock: Clock) -> None:
        """Configure the camera and let it run. Raises SourceError."""
        main, frame_us = (camera.width & ~1, camera.height & ~1), 1_000_000 // camera.fps
        try:
            self._device.configure(self._device.create_video_configuration(
                main={"size": main, "format": "YUV420"}, lores={"size": lores_size(main), "format": "YUV420"},
                buffer_count=4 if (machine.ram_b or 0) <= SMALL_RAM_B else 6, queue=False, display=None,
                controls={"FrameDurationLimits": (frame_us, frame_us)}))
            given = self._device.camera_configuration()         # the camera may have adjusted what we asked for
            main, lores = given["main"]["size"], given["lores"]["size"]
            self._device.pre_callback = handover.guarded(_Frames(main, lores, camera, handover, clock).take)
            make_encoder = _encoder_class(machine, max(main))
            self._start_encoder(make_encoder, camera, handover)
            self._device.start()
            _log.info("%s: %dx%d by %s, and %dx%d for motion", self._name, *main, make_encoder.__name__, *lores)
        except (RuntimeError, OSError) as error:
            raise SourceError("camera_no_frames", f"{self._name}: can't be started ({error}); "
                                                  f"choose a smaller picture, or look into: dmesg | tail") from None

    def _start_encoder(self, make: Any, camera: Camera, handover: Handover) -> None:
        """A new one each time, for one that has failed stays broken. Raises SourceError."""
        try:
            self._encoder = make(bitrate=camera.bitrate_kbps * 1000, repeat=True, framerate=camera.fps,
                                 iperiod=camera.fps * GOP_US // 1_000_000)
            self._device.start_encoder(self._encoder, _make_output(self._encoder, handover), name="main")
        except Exception as error:      # whatever it is: without an encoder there is no recording
            with contextlib.suppress(Exception):
                self._encoder.stop()    # it takes itself for running, and its thread for needed
            raise SourceError("encoder_missing", f"{self._name}: the video encoder does not start ({error}); end other "
                                                 f"programs that use it, or choose a smaller picture") from None

    def close(self) -> None:
        """Stop the encoder and give the camera back. What picamera2 raises goes through."""
        if self._encoder is not None and self._encoder in self._device.encoders:
            self._device.stop_encoder(self._encoder)
        self._device.close()
        self._device = self._encoder = None
        gc.collect()        # frame buffers hang in cycles, and the next session needs the camera memory they hold


class _Frames:
    """Sees each frame before the encoder: hides what is masked, and makes the small picture if motion wants one."""

    def __init__(self, main: tuple[int, int], lores: tuple[int, int], camera: Camera, handover: Handover,
                 clock: Clock) -> None:
        self._main, self._lores, self._handover, self._clock = main, lores, handover, clock
        self._main_masks, self._lores_masks = Masks(camera.masks, *main), Masks(camera.masks, *lores)

    def take(self, request: Any) -> None:
        """picamera2's pre_callback; called in its event loop, with its lock held."""
        from picamera2 import MappedArray
        self._handover.frames_n += 1
        if self._main_masks:
            with MappedArray(request, "main", write=True) as mapped:
                self._main_masks.paint(*planes(mapped.array, self._main))
        if not self._handover.wants_luma:
            return
        self._handover.wants_luma = False
        width, height = self._lores
        with MappedArray(request, "lores", write=False) as mapped:
            y = mapped.array[:height, :width].copy()        # the buffer goes back to the camera at once
        self._lores_masks.paint_luma(y)
        self._handover.put_luma(_with_metadata(y, self._clock.mono_s(), request.get_metadata()))


def lores_size(main: tuple[int, int]) -> tuple[int, int]:
    """Size of the small stream for a main stream of (width, height): the same shape, even, never larger."""
    width, height = main
    if width <= LORES_WIDTH_PX:
        return main
    return LORES_WIDTH_PX, max(2, round(LORES_WIDTH_PX * height / width / 2) * 2)


def planes(array: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y, U and V as views into picamera2's YUV420 array (height * 3 / 2, stride), for a picture of (width, height)."""
    width, height = size
    u, v = array[height:].reshape(2, height // 2, array.shape[1] // 2)[:, :, :width // 2]
    return array[:height, :width], u, v


def _with_metadata(y: np.ndarray, mono_s: float, told: dict[str, Any]) -> Luma:
    analogue = told.get("AnalogueGain")
    gain = None if analogue is None else analogue * told.get("DigitalGain", 1.0)
    return Luma(y, mono_s, told.get("ExposureTime"), gain, told.get("Lux"))


def _encoder_class(machine: board.Board, side_px: int) -> Any:
    """The board tells which encoder there is; picamera2 itself would take any PC for a Pi 4."""
    if machine.encoder is not None and side_px <= HARDWARE_SIDE_MAX_PX:
        from picamera2.encoders.h264_encoder import H264Encoder
        return H264Encoder
    from picamera2.encoders import LibavH264Encoder
    return LibavH264Encoder


def _make_output(encoder: Any, handover: Handover) -> Any:
    from picamera2.outputs import Output

    def lay_down(frame: bytes, key: bool, timestamp_us: int) -> None:
        handover.put(bytes(frame), encoder.firsttimestamp + timestamp_us, key)     # since boot, on the sensor's clock

    guarded = handover.guarded(lay_down)

    class LayDown(Output):
        """Called in picamera2's own threads; timestamps count from the encoder's first frame."""

        def outputframe(self, frame: bytes, keyframe: bool = True, timestamp: int | None = None, packet: Any = None,
                        audio: bool = False) -> None:
            guarded(frame, keyframe, timestamp)

    return LayDown()


def _import(name: str) -> Any:
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:WARN")
    try:
        import picamera2
    except ImportError as error:
        raise SourceError("camera_not_found", f"{name}: needs picamera2 ({error}); on Raspberry Pi OS install it with: "
                                              f"sudo apt install --no-install-recommends python3-picamera2") from None
    logging.getLogger("picamera2").setLevel(logging.WARNING)
    return picamera2
