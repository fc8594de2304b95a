"""Frames of a camera library's threads on their way to the source's own thread; and calls into it with a time limit."""
import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from agent.core.media.gop_queue import GopQueue
from agent.core.vision.luma import Luma

T = TypeVar("T")


class TooLate(Exception):
    """The call has not come back in time; the thread that made it is left behind."""


def within(limit_s: float, call: Callable[[], T]) -> T:
    """Make a call and return what it returns. Raises what it raises, or TooLate after `limit_s`."""
    outcome: concurrent.futures.Future[T] = concurrent.futures.Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:      # handed to the caller, whatever it is
            outcome.set_exception(error)

    threading.Thread(target=work, name="camera-call", daemon=True).start()
    if not concurrent.futures.wait([outcome], limit_s).done:
        raise TooLate(f"not back within {limit_s:.0f} s")
    return outcome.result()


PACKETS_MAX, BYTES_MAX = 600, 8 << 20       # 20 s and more: a source that fetches so late has other troubles


class EncodedFrame(NamedTuple):
    """One encoded frame as the encoder gave it."""

    data: bytes
    pts_us: int


def _size_b(frame: EncodedFrame) -> int:
    return len(frame.data)


class FrameQueue:
    """Bounded. The side that puts never blocks and never raises; the side that fetches waits for frames."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frames: GopQueue[EncodedFrame] = GopQueue(_size_b, BYTES_MAX, PACKETS_MAX, refuses=True)
        self._luma: Luma | None = None
        self._error: Exception | None = None
        self.wants_luma = False         # set by the fetching side, cleared by the putting one
        self.frames_n = 0               # frames that the putting side has seen

    @property
    def dropped_n(self) -> int:
        """Encoded frames given up because nobody fetched."""
        return self._frames.dropped_n

    def guarded(self, call: Callable[..., None]) -> Callable[..., None]:
        """The same callback, but its first exception ends the run in the fetching thread, and none is called any more.

        So a picture whose masks could not be painted is never handed on.
        """
        def callback(*arguments: Any) -> None:
            if self._error is not None:
                return
            try:
                call(*arguments)
            except Exception as error:
                with self._changed:
                    self._error = error
                    self._changed.notify()
        return callback

    def put(self, data: bytes, pts_us: int, key: bool) -> None:
        """Add one encoded frame. When there is no room, it and the rest of its GOP are dropped and counted."""
        with self._changed:
            if self._frames.offer(EncodedFrame(data, pts_us), key):
                self._changed.notify()

    def put_luma(self, luma: Luma) -> None:
        """Add a small picture; it replaces one that nobody has fetched."""
        with self._changed:
            self._luma = luma
            self._changed.notify()

    def fetch(self, wait_s: float) -> tuple[list[EncodedFrame], Luma | None]:
        """All that was added, after at most `wait_s`. Raises the exception that a callback met."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._luma or self._error, wait_s)
            if self._error is not None:
                raise self._error
            frames, luma, self._luma = self._frames.pop_all(), self._luma, None
        return frames, luma
