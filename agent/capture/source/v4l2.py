"""A USB webcam, or any camera with a V4L2 node: its own H.264 as it comes, else its pictures encoded by x264 here."""
import contextlib
import errno
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import av

from agent.capture.source import Sink, SourceError, SourceStuck
from agent.capture.source.deadline import TooLate, within
from agent.capture.source.encode import AccessUnits, SoftwareEncoder
from agent.capture.source.pictures import JPEG, RAW, Darkroom, planes
from agent.capture.source.videodev import Format, Shot, VideoDevice
from agent.config.settings import Camera
from agent.core.model import Luma
from agent.core.nal import BitstreamError
from agent.host.clock import Clock
from agent.host.stop import Stop

OPEN_S, CLOSE_S = 15.0, 10.0        # USB's own time limits are 5 s a request
NO_FRAMES_S = 5.0
GRAB_S = 0.25                       # how soon a stop is noticed
RAW_PIXELS_MAX = 640 * 480          # beyond, USB 2 has no room for raw pictures at 15 a second and more

_log = logging.getLogger(__name__)

# What the kernel says, as a condition and a remedy.
TROUBLES = {
    errno.ENOENT: ("camera_not_found", "there is no such device; plug the camera in, and find it: ls /dev/v4l/by-id/"),
    errno.ENODEV: ("camera_not_found", "the camera is gone; plug it in again, check its cable and the power supply"),
    errno.ENXIO: ("camera_not_found", "the camera is gone; plug it in again, check its cable and the power supply"),
    errno.ENOTTY: ("camera_not_found", "this is no camera; take another device of: ls /dev/v4l/by-id/"),
    errno.EACCES: ("camera_not_found", "the device may not be opened; add the agent's user to the group video"),
    errno.EBUSY: ("camera_no_frames", "another program uses the camera; find and end it: fuser -v /dev/video*"),
    errno.EINVAL: ("camera_stream_bad", "the camera refuses its settings; choose of: v4l2-ctl --list-formats-ext"),
    errno.EIO: ("camera_no_frames", "USB fails; check the cable and the power supply, connect it without a hub"),
    errno.ENOSPC: ("camera_no_frames", "USB has no room for this picture; choose a smaller one, or another port"),
}
UNKNOWN_TROUBLE = ("camera_no_frames", "plug the camera in again, and look into: dmesg | tail")


class Grabber(Protocol):
    """What a camera must be able to do; `videodev.VideoDevice` is the real one."""

    def offered(self) -> list[str]:
        """The pixel formats it has, as four-letter codes."""

    def start(self, fourcc: str, width: int, height: int, fps: int) -> Format:
        """Begin with this format or, in size, a near one. Raises OSError."""

    def grab(self, wait_s: float) -> Shot | None:
        """The next picture, or None if none comes within `wait_s`. Raises OSError."""

    def close(self) -> None:
        """Give the camera back."""


class V4l2Source:
    """One webcam."""

    def __init__(self, camera: Camera, device: str, clock: Clock,
                 open_device: Callable[[str], Grabber] = VideoDevice) -> None:
        """`device` is a node, best one of /dev/v4l/by-id/, for the numbers of /dev/video* change."""
        self._camera, self._device, self._clock, self._open_device = camera, device, clock, open_device
        self._name = f"v4l2:{device}"

    def run(self, sink: Sink, stop: Stop) -> None:
        """Hand on what the camera gives until `stop` is set.

        Raises SourceError, or SourceStuck when only the process's end frees the camera.
        """
        with self._errors():
            grabber = within(OPEN_S, lambda: self._open_device(self._device))
            try:
                given = self._start(grabber)
                take = self._pass_on(sink) if given.fourcc == "H264" else self._encode(given, sink)
                self._grab(grabber, take, stop)
            finally:
                within(CLOSE_S, grabber.close)

    def _start(self, grabber: Grabber) -> Format:
        camera, fourcc = self._camera, self._choose(grabber.offered())
        given = within(OPEN_S, lambda: grabber.start(fourcc, camera.width, camera.height, camera.fps))
        if given.fourcc != fourcc:      # above all not H.264 where masks are to be painted
            raise SourceError("camera_stream_bad", f"{self._name}: offers {fourcc} but gives {given.fourcc}; "
                                                   f"choose another size, or take another camera")
        _log.info("%s: gives %s, %dx%d", self._name, given.fourcc, given.width, given.height)
        return given

    def _choose(self, offered: Sequence[str]) -> str:
        masked = bool(self._camera.masks)
        fourcc = choose_format(offered, self._camera.width * self._camera.height, masked)
        if fourcc is None:
            only_h264 = masked and "H264" in offered
            need = ("no mask can be painted into H.264: remove the masks, or take another camera" if only_h264
                    else f"needed is one of H264, {', '.join((*JPEG, *RAW))}: take another camera")
            raise SourceError("camera_stream_bad", f"{self._name}: offers {', '.join(offered) or 'nothing'}; {need}")
        return fourcc

    def _grab(self, grabber: Grabber, take: Callable[[Shot], bool], stop: Stop) -> None:
        """Picture after picture. `take` tells whether it was of use: a camera that only sends rubbish is silent."""
        last_mono_s, last_pts_us = self._clock.mono_s(), -1
        while not stop.is_set():
            shot = grabber.grab(GRAB_S)
            now_mono_s = self._clock.mono_s()
            if shot is not None and shot.pts_us > last_pts_us and take(shot):       # else the camera's clock is broken
                last_mono_s, last_pts_us = now_mono_s, shot.pts_us
            elif now_mono_s - last_mono_s > NO_FRAMES_S:
                raise SourceError("camera_no_frames", f"{self._name}: gives no picture for {NO_FRAMES_S:.0f} s and is "
                                                      f"being restarted; if it recurs, check cable and power supply")

    def _encode(self, given: Format, sink: Sink) -> Callable[[Shot], bool]:
        """For pictures: mask, show to motion, encode."""
        darkroom = Darkroom(given.fourcc, given.width, given.height, given.row_b, self._camera.masks)
        encoder = SoftwareEncoder(given.width, given.height, self._camera.fps, self._camera.bitrate_kbps)
        access_units, pace = AccessUnits(), Pace(self._camera.fps)

        def take(shot: Shot) -> bool:
            if not pace.due(shot.pts_us):
                return True
            frame = darkroom.develop(shot.data)
            if frame is None or (frame.width, frame.height) != (given.width, given.height):
                _log.warning("%s: left out a damaged picture", self._name)
                return False
            self._show(sink, frame)
            access_units.give(sink, encoder.encode(frame, shot.pts_us), shot.pts_us)
            return True
        return take

    def _pass_on(self, sink: Sink) -> Callable[[Shot], bool]:
        """For a camera's own H.264: nothing is decoded but what motion wants to see."""
        access_units, eye = AccessUnits(), _Eye()

        def take(shot: Shot) -> bool:
            access_units.give(sink, shot.data, shot.pts_us)
            for frame in eye.look(shot.data, sink.wants_main_luma()):
                self._show(sink, frame)
            return True
        return take

    def _show(self, sink: Sink, frame: av.VideoFrame) -> None:
        now_mono_s = self._clock.mono_s()
        if sink.wants_main_luma() and sink.wants_luma(now_mono_s):
            sink.luma(Luma(planes(frame)[0], now_mono_s))

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """What the kernel calls an error, as one clear line with a remedy."""
        try:
            yield
        except TooLate as error:
            raise SourceStuck("camera_no_frames", f"{self._name}: a call to the camera is {error}; its process is "
                                                  f"being restarted; if that is no help, unplug the camera") from None
        except BitstreamError as error:
            raise SourceError("camera_stream_bad", f"{self._name}: sends no valid H.264 ({error}); "
                                                   f"plug the camera in again") from None
        except OSError as error:
            code, remedy = TROUBLES.get(error.errno or 0, UNKNOWN_TROUBLE)
            raise SourceError(code, f"{self._name}: {error.strerror}: {remedy}") from None


class Pace:
    """Lets through as many pictures a second as wanted, for most webcams only know 30."""

    def __init__(self, fps: int) -> None:
        self._period_us = 1_000_000 // fps
        self._next_us: int | None = None

    def due(self, pts_us: int) -> bool:
        """Whether to take the picture of this time; a quarter of a period early is in time, for cameras jitter."""
        if self._next_us is None:
            self._next_us = pts_us
        if pts_us < self._next_us - self._period_us // 4:
            return False
        self._next_us = max(self._next_us + self._period_us, pts_us + self._period_us // 2)
        return True


class _Eye:
    """Decodes a camera's own H.264 while motion looks at it: from a keyframe on, without the loop filter."""

    def __init__(self) -> None:
        self._decoder: av.VideoCodecContext | None = None

    def look(self, data: bytes, wanted: bool) -> Sequence[av.VideoFrame]:
        """The frames of an access unit, none while `wanted` is False."""
        if not wanted:
            self._decoder = None
            return ()
        if self._decoder is None:
            self._decoder = av.CodecContext.create("h264", "r")
            self._decoder.thread_count = 1
            self._decoder.options = {"skip_loop_filter": "all"}
        try:
            return self._decoder.decode(av.Packet(data))
        except av.error.FFmpegError:        # before the first keyframe, and what USB has damaged
            return ()


def choose_format(offered: Sequence[str], pixels_n: int, masked: bool) -> str | None:
    """The best of a camera's formats for a picture of this many pixels; None if none will do.

    Its own H.264 costs nothing, but no mask can be painted into it. Small raw pictures need no decoding; large ones
    would be slowed down by USB, so JPEG goes first there.
    """
    raw = [fourcc for fourcc in RAW if fourcc in offered]
    jpeg = [fourcc for fourcc in JPEG if fourcc in offered]
    encoded = ["H264"] if "H264" in offered and not masked else []
    best = encoded + (raw + jpeg if pixels_n <= RAW_PIXELS_MAX else jpeg + raw)
    return best[0] if best else None
