"""The Raspberry Pi camera through picamera2, which is imported only here, and only when such a camera opens.

picamera2 waits for ever by default, and any exception in a callback ends its event loop. So calls into it have a time
limit, callbacks are guarded, and its threads only put frames into a queue for our thread.
"""
import logging
import os
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cameras import Sink, SourceError, SourceStuck
from agent.cameras.effort import HEADROOM, Effort
from agent.cameras.encode import AccessUnits
from agent.cameras.frame_queue import EncodedFrame, FrameQueue, TooLate, within
from agent.cameras.picamera.memory import Memory
from agent.cameras.picamera.sensor import same_session
from agent.config.settings import Camera
from agent.core.media.headroom import Level
from agent.core.media.nal import BitstreamError
from agent.core.vision.luma import Luma
from agent.host import board
from agent.host.clock import Clock
from agent.host.stop import Stop

if TYPE_CHECKING:
    from agent.cameras.picamera.session import PicameraSession


HIDES_FROM = (0, 3, 33)
REMEDY = "sudo apt update && sudo apt install python3-picamera2; until then remove its masks, or switch it off"


def hides_masks() -> bool:
    """Whether masks of a Pi camera are always in the video. An unknown version counts as no."""
    return _numbers(found_version()) >= HIDES_FROM


def found_version() -> str:
    """Returns the package's version; "of unknown version" if it has none."""
    try:
        return version("picamera2")
    except PackageNotFoundError:
        return "of unknown version"


def _numbers(text: str) -> tuple[int, ...]:
    digits = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in digits[0].split(".")) if digits else ()


OPEN_S, CLOSE_S = 20.0, 10.0            # a healthy camera takes about 1 s and 0.1 s
NO_FRAMES_S = 4.5                       # with FETCH_S and a frame, silence is reported within five seconds
FETCH_S = 0.25                          # how soon a stop or a change of settings is noticed

_log = logging.getLogger(__name__)


class PicameraSource:
    """One Pi camera: H.264 by the board's encoder, or by x264 if it has none."""

    def __init__(self, camera: Camera, number: int, clock: Clock, machine: board.Board | None = None,
                 kept: Path | None = None) -> None:
        """`number` counts from 0, as rpicam-hello --list-cameras does; `machine` defaults to this one. `kept` is the
        folder of what is remembered between openings, of which only capture's process may have one."""
        self._camera, self._number, self._clock = camera, number, clock
        self._memory = Memory(kept, camera.name)
        self._machine = machine or board.read()
        self._name = f"picamera:{number}"
        self._queue = FrameQueue()

    @property
    def dropped_n(self) -> int:
        return self._queue.dropped_n

    def adjust(self, camera: Camera) -> bool:
        """Applies changed settings within half a second, without a gap. Returns False if that is impossible."""
        if not same_session(self._camera, camera) or (camera.masks and not hides_masks()):
            return False
        self._camera = camera
        return True

    def run(self, sink: Sink, stop: Stop) -> None:
        """Delivers the camera's video until `stop` is set; if the encoder falls behind, reopens the camera with less.
        Raises SourceError, or SourceStuck if only the end of the process frees the camera."""
        while not stop.is_set():
            level, effort = self._level(), Effort(self._camera.fps)
            try:
                session = within(OPEN_S, lambda: self._open(level, effort))     # noqa: B023, called at once
            except TooLate:
                raise self._stuck(f"does not open within {OPEN_S:.0f} s") from None
            try:
                self._hand_on(session, level, effort, sink, stop)
            except BitstreamError as error:
                raise SourceError("camera_stream_bad", f"{self._name}: the encoder gives no valid video ({error})",
                                  "it is being restarted") from None
            finally:
                if self.dropped_n:
                    _log.warning("%s: %d packets were dropped, because they were not fetched in time", self._name,
                                 self.dropped_n)
                self._close(session)

    def _level(self) -> Level:
        """We ask the board, because picamera2 would take any PC for a Pi 4."""
        camera = self._camera
        return HEADROOM.level(self._name, camera.width, camera.height, camera.fps, self._machine.encoder is not None)

    def _open(self, level: Level, effort: Effort) -> "PicameraSession":
        _require_picamera2(self._name, hides=bool(self._camera.masks))
        from agent.cameras.picamera.session import PicameraSession
        session = PicameraSession(self._name, self._number, self._camera, self._memory)
        try:
            session.start(level, self._machine, self._queue, self._clock, effort)
        except BaseException:
            self._close(session)
            raise
        return session

    def _close(self, session: "PicameraSession") -> None:
        try:
            within(CLOSE_S, session.close)
        except Exception as error:
            _log.exception("%s: does not close", self._name)
            raise self._stuck(f"does not close ({error})") from None

    def _stuck(self, trouble: str) -> SourceStuck:
        return SourceStuck("camera_no_frames", f"{self._name}: {trouble}",
                           "its process is being restarted; if that does not help, switch the device off and on")

    def _hand_on(self, session: "PicameraSession", level: Level, effort: Effort, sink: Sink, stop: Stop) -> None:
        queue, access_units = self._queue, self._access_units(session, level)
        last_mono_s, frames_n = self._clock.mono_s(), queue.frames_n
        while not stop.is_set():
            units, luma = self._fetch()
            now_mono_s = self._clock.mono_s()
            if luma is not None:
                sink.luma(luma)
            for unit in units:
                last_mono_s, frames_n = now_mono_s, queue.frames_n
                access_units.give(sink, unit.data, unit.pts_us)
            queue.wants_luma = sink.wants_main_luma() and sink.wants_luma(now_mono_s)
            if session.camera is not self._camera:
                session.adjust(self._camera)
            if now_mono_s - last_mono_s > NO_FRAMES_S:
                raise self._silence(queue.frames_n - frames_n)
            if effort.falls_behind(now_mono_s) and self._lower(level):
                return

    def _access_units(self, session: "PicameraSession", level: Level) -> AccessUnits:
        view = {"view_pct": session.mode.pct, "whole_up_to_fps": session.mode.whole_up_to_fps} if session.mode else {}
        return AccessUnits(encoder=level.encoder,
                           reduced_from=level.reduced_from(self._camera.width, self._camera.height),
                           stands_in=level.stands_in(self._machine.encoder is not None), **view)

    def _lower(self, level: Level) -> bool:
        camera = self._camera
        lower = HEADROOM.lower(self._name, camera.width, camera.height, camera.fps, self._machine.encoder is not None)
        if lower:
            _log.warning("%s: %s does not keep up with %dx%d; goes on one step lower", self._name, level.encoder,
                         level.width, level.height)
        return lower

    def _fetch(self) -> tuple[list[EncodedFrame], Luma | None]:
        try:
            return self._queue.fetch(FETCH_S)
        except Exception as error:
            _log.exception("%s: a frame could not be handled", self._name)
            raise SourceError("camera_stream_bad", f"{self._name}: a frame can't be handled ({error!r})",
                              "the camera is being restarted; please report what the journal says") from None

    def _silence(self, frames_n: int) -> SourceError:
        part, remedy = "camera", "check its ribbon cable and the power supply"
        if frames_n > NO_FRAMES_S:      # more than one a second: the camera is not silent
            part, remedy = "encoder", "set a higher bitrate_kbps"
        return SourceError("camera_no_frames",
                           f"{self._name}: the {part} gives nothing for {NO_FRAMES_S:g} s and is being restarted",
                           f"if it recurs, {remedy}")


def _require_picamera2(name: str, hides: bool) -> None:
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:WARN")
    try:
        import picamera2  # noqa: F401
    except ImportError as error:
        raise SourceError("camera_not_found", f"{name}: needs picamera2 ({error})",
                          "on Raspberry Pi OS install it with: sudo apt install --no-install-recommends "
                          "python3-picamera2") from None
    logging.getLogger("picamera2").setLevel(logging.WARNING)
    if hides and not hides_masks():
        raise SourceError("masks_unsafe", f"{name}: picamera2 {found_version()} can let hidden places into the video, "
                          f"so this camera is not recorded; it takes {'.'.join(map(str, HIDES_FROM))} or newer",
                          REMEDY)
