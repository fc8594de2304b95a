"""A USB webcam, or any camera with a V4L2 node: its own H.264 unchanged, else its pictures encoded here.

The board's encoder (V4L2 memory-to-memory) is called with a time limit, because libav has none.
"""
import contextlib
import errno
import logging
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter

import av

from agent.cameras import RecordSink, Sink, SourceError, SourceStuck, WatchSink
from agent.cameras.effort import HEADROOM, Effort
from agent.cameras.encode import GOP_US, AccessUnits, KeyTimes, SoftwareEncoder, create, stamped
from agent.cameras.frame_converter import JPEG, RAW, FrameConverter
from agent.cameras.frame_queue import EncodedFrame, TooLate, within
from agent.cameras.videodev import DeviceFormat, GrabbedFrame, VideoDevice
from agent.config.settings import Camera
from agent.core.media.headroom import HARDWARE, Level
from agent.core.media.nal import BitstreamError
from agent.host import board
from agent.host.clock import Clock
from agent.host.luma import luma_of
from agent.host.stop import Stop

CODEC = "h264_v4l2m2m"
ENCODER_OPEN_S, ENCODE_S = 10.0, 4.0        # usually some hundredths of a second


class HardwareEncoder:
    def __init__(self, name: str, width: int, height: int, fps: int, kbps: int) -> None:
        """`name` is the camera's. Raises SourceError if the encoder cannot be opened, and SourceStuck."""
        self._name = name
        self._keys = KeyTimes()
        try:
            self._codec = create(CODEC, width, height, fps, kbps)
            self._codec.gop_size = fps * GOP_US // 1_000_000
            within(ENCODER_OPEN_S, self._codec.open)
        except TooLate as error:
            raise self._stuck(error) from None
        except (av.error.FFmpegError, ValueError) as error:
            raise self._failed(error) from None

    def encode(self, frame: av.VideoFrame, pts_us: int) -> list[EncodedFrame]:
        """Takes one yuv420p picture; returns the frames that are ready, mostly one. Raises SourceError, SourceStuck."""
        asked = stamped(frame, pts_us, self._keys.due(pts_us))
        try:
            packets = within(ENCODE_S, lambda: self._codec.encode(asked))
        except TooLate as error:
            raise self._stuck(error) from None
        except av.error.FFmpegError as error:
            raise self._failed(error) from None
        return [EncodedFrame(bytes(packet), round(packet.pts * packet.time_base * 1_000_000)) for packet in packets]

    def _failed(self, error: Exception) -> SourceError:
        HEADROOM.hardware_failed(self._name)
        return SourceError("encoder_missing", f"{self._name}: the board's video encoder does not work ({error})",
                           "end other programs that use it, or choose a smaller picture")

    def _stuck(self, error: TooLate) -> SourceStuck:
        return SourceStuck("camera_no_frames", f"{self._name}: the board's video encoder is {error}",
                           "its process is being restarted; if it recurs, set a higher bitrate_kbps")


OPEN_S, CLOSE_S = 15.0, 10.0        # USB's own time limits are 5 s per request
NO_FRAMES_S = 4.5                   # with GRAB_S and a frame, silence is reported within five seconds
GRAB_S = 0.25                       # how soon a stop is noticed
START = attrgetter("source", "width", "height", "fps", "bitrate_kbps")     # only a new start changes these
RAW_PIXELS_MAX = 640 * 480          # above, USB 2 has no room for raw pictures at 15 a second and more

_log = logging.getLogger(__name__)

# The kernel's error: a condition, its meaning, and a remedy.
TROUBLES = {
    errno.ENOENT: ("camera_not_found", "there is no such device", "plug it in, and find it: ls /dev/v4l/by-id/"),
    errno.ENODEV: ("camera_not_found", "the camera is gone", "plug it in again, check its cable and the power supply"),
    errno.ENXIO: ("camera_not_found", "the camera is gone", "plug it in again, check its cable and the power supply"),
    errno.ENOTTY: ("camera_not_found", "this is not a camera", "take another device of: ls /dev/v4l/by-id/"),
    errno.EACCES: ("camera_not_found", "the device may not be opened", "add the agent's user to the group video"),
    errno.EBUSY: ("camera_no_frames", "another program uses the camera", "find and end it: fuser -v /dev/video*"),
    errno.EINVAL: ("camera_stream_bad", "the camera refuses its settings", "choose of: v4l2-ctl --list-formats-ext"),
    errno.EIO: ("camera_no_frames", "USB fails", "check the cable and the power supply, connect it without a hub"),
    errno.ENOSPC: ("camera_no_frames", "USB has no room for this picture", "choose a smaller one, or another port"),
}
UNKNOWN_TROUBLE = ("camera_no_frames", "", "plug the camera in again, and look into: dmesg | tail")


class V4l2Source:
    def __init__(self, camera: Camera, device: str, clock: Clock,
                 open_device: Callable[[str], VideoDevice] = VideoDevice, machine: board.Board | None = None) -> None:
        """`device` is a node, best one of /dev/v4l/by-id/, because numbers change; `machine` defaults to this one."""
        self._camera, self._device, self._clock, self._open_device = camera, device, clock, open_device
        self._machine = machine or board.read()
        self._name = f"v4l2:{device}"
        self._encodes = False               # then masks can change at any moment

    def run(self, sink: Sink, stop: Stop) -> None:
        """Delivers the camera's video until `stop` is set; if our encoder falls behind, reopens the camera with less.
        Raises SourceError, or SourceStuck if only the end of the process frees the camera."""
        while not stop.is_set():
            with self._errors():
                grabber = within(OPEN_S, lambda: self._open_device(self._device))
                try:
                    self._serve(grabber, sink, stop)
                finally:
                    within(CLOSE_S, grabber.close)

    def adjust(self, camera: Camera) -> bool:
        """Uses other masks from the next picture on. Returns False if only a new source can."""
        if START(camera) != START(self._camera) or not (self._encodes or camera.masks == self._camera.masks):
            return False
        self._camera = camera
        return True

    def _serve(self, grabber: VideoDevice, sink: Sink, stop: Stop) -> None:
        camera, effort = self._camera, Effort(self._camera.fps)
        wanted = camera.width, camera.height, camera.fps, self._machine.encoder is not None
        fourcc = self._choose(grabber.offered())
        self._encodes = fourcc != "H264"
        level = HEADROOM.level(self._name, *wanted) if self._encodes else Level("", camera.width, camera.height)
        given = self._start(grabber, fourcc, level)
        handle = self._encode(given, level, effort, sink) if self._encodes else self._pass_on(sink)
        self._grab(grabber, handle, lambda: effort.falls_behind(self._clock.mono_s())
                   and HEADROOM.lower(self._name, *wanted), stop)

    def _start(self, grabber: VideoDevice, fourcc: str, level: Level) -> DeviceFormat:
        given = within(OPEN_S, lambda: grabber.start(fourcc, level.width, level.height, self._camera.fps))
        if given.fourcc != fourcc:      # above all not H.264 if masks must be painted
            raise SourceError("camera_stream_bad", f"{self._name}: offers {fourcc} but gives {given.fourcc}",
                              "choose another size, or take another camera")
        _log.info("%s: gives %s, %dx%d", self._name, given.fourcc, given.width, given.height)
        return given

    def _choose(self, offered: Sequence[str]) -> str:
        masked = bool(self._camera.masks)
        fourcc = choose_format(offered, self._camera.width * self._camera.height, masked)
        if fourcc is None:
            only_h264 = masked and "H264" in offered
            need = ("no mask can be painted into H.264: remove the masks, or take another camera" if only_h264
                    else f"needed is one of H264, {', '.join((*JPEG, *RAW))}: take another camera")
            raise SourceError("camera_stream_bad", f"{self._name}: offers {', '.join(offered) or 'nothing'}", need)
        return fourcc

    def _grab(self, grabber: VideoDevice, handle: Callable[[GrabbedFrame], bool], ended: Callable[[], bool],
              stop: Stop) -> None:
        """Reads pictures. `handle` returns whether one was usable: a camera with only damaged ones counts as silent."""
        last_mono_s, last_pts_us = self._clock.mono_s(), -1
        while not stop.is_set() and not ended():
            grabbed = grabber.grab(GRAB_S)
            now_mono_s = self._clock.mono_s()
            # Times that do not grow come from a broken clock.
            if grabbed is not None and grabbed.pts_us > last_pts_us and handle(grabbed):
                last_mono_s, last_pts_us = now_mono_s, grabbed.pts_us
            elif now_mono_s - last_mono_s > NO_FRAMES_S:
                raise SourceError("camera_no_frames",
                                  f"{self._name}: gives no picture for {NO_FRAMES_S:g} s and is being restarted",
                                  "if it recurs, check cable and power supply")

    def _encode(self, given: DeviceFormat, level: Level, effort: Effort, sink: Sink) -> Callable[[GrabbedFrame], bool]:
        camera = self._camera
        converter = FrameConverter(given.fourcc, given.width, given.height, given.row_b)
        encode = self._encoder(given, level)
        access_units = AccessUnits(encoder=level.encoder, reduced_from=level.reduced_from(camera.width, camera.height),
                                   stands_in=level.stands_in(self._machine.encoder is not None))
        pace = FramePacer(camera.fps)

        def handle(grabbed: GrabbedFrame) -> bool:
            if not pace.due(grabbed.pts_us):
                return True
            with effort:
                frame = converter.frame(grabbed.data, self._camera.masks)
                if frame is None or (frame.width, frame.height) != (given.width, given.height):
                    _log.warning("%s: left out a damaged picture", self._name)
                    return False
                self._show(sink, frame)
                units = encode(frame, grabbed.pts_us)
            for unit in units:
                access_units.give(sink, unit.data, unit.pts_us)
            return True
        return handle

    def _encoder(self, given: DeviceFormat, level: Level) -> Callable[[av.VideoFrame, int], list[EncodedFrame]]:
        wanted = given.width, given.height, self._camera.fps, self._camera.bitrate_kbps
        if level.encoder == HARDWARE:
            return HardwareEncoder(self._name, *wanted).encode
        x264 = SoftwareEncoder(*wanted, level.preset, threads_n=1)
        return lambda frame, pts_us: [EncodedFrame(x264.encode(frame, pts_us), pts_us)]

    def _pass_on(self, sink: RecordSink) -> Callable[[GrabbedFrame], bool]:
        access_units = AccessUnits()

        def handle(grabbed: GrabbedFrame) -> bool:
            access_units.give(sink, grabbed.data, grabbed.pts_us)
            return True
        return handle

    def _show(self, sink: WatchSink, frame: av.VideoFrame) -> None:
        now_mono_s = self._clock.mono_s()
        if sink.wants_main_luma() and sink.wants_luma(now_mono_s):
            sink.luma(luma_of(frame, now_mono_s))

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except TooLate as error:
            raise SourceStuck("camera_no_frames", f"{self._name}: a call to the camera is {error}",
                              "its process is being restarted; if that does not help, unplug the camera") from None
        except BitstreamError as error:
            raise SourceError("camera_stream_bad", f"{self._name}: sends no valid H.264 ({error})",
                              "plug the camera in again") from None
        except OSError as error:
            code, what, remedy = TROUBLES.get(error.errno or 0, UNKNOWN_TROUBLE)
            raise SourceError(code, ": ".join(filter(None, (self._name, error.strerror, what))), remedy) from None


class FramePacer:
    """Lets through as many pictures a second as wanted, because most webcams only know 30."""

    def __init__(self, fps: int) -> None:
        self._period_us = 1_000_000 // fps
        self._next_us: int | None = None

    def due(self, pts_us: int) -> bool:
        """Whether to use the picture of this time; a quarter of a period early is in time, because cameras jitter."""
        if self._next_us is None:
            self._next_us = pts_us
        if pts_us < self._next_us - self._period_us // 4:
            return False
        self._next_us = max(self._next_us + self._period_us, pts_us + self._period_us // 2)
        return True


def choose_format(offered: Sequence[str], pixels_n: int, masked: bool) -> str | None:
    """Returns the best of a camera's formats for a picture of this many pixels; None if none is usable.

    Its own H.264 costs nothing, but masks cannot be painted into it. Small raw pictures need no decoding. USB slows
    large ones down, so JPEG comes first there.
    """
    raw = [fourcc for fourcc in RAW if fourcc in offered]
    jpeg = [fourcc for fourcc in JPEG if fourcc in offered]
    encoded = ["H264"] if "H264" in offered and not masked else []
    best = encoded + (raw + jpeg if pixels_n <= RAW_PIXELS_MAX else jpeg + raw)
    return best[0] if best else None
