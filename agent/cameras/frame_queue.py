"""Passes frames from a camera library's threads to the source's thread, and limits the time of calls into it."""
import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from agent.core.media.gop_queue import GopQueue
from agent.core.vision.luma import Luma

T = TypeVar("T")


class TooLate(Exception):
    """The call did not return in time; its thread is left behind."""


def within(limit_s: float, call: Callable[[], T]) -> T:
    """Makes a call and returns its result. Raises what it raises, or TooLate after `limit_s`."""
    outcome: concurrent.futures.Future[T] = concurrent.futures.Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:      # passed to the caller, whatever it is
            outcome.set_exception(error)

    threading.Thread(target=work, name="camera-call", daemon=True).start()
    if not concurrent.futures.wait([outcome], limit_s).done:
        raise TooLate(f"not back within {limit_s:.0f} s")
    return outcome.result()


PACKETS_MAX, BYTES_MAX = 600, 8 << 20       # 20 s and more: a source that fetches so late has other problems


class EncodedFrame(NamedTuple):
    data: bytes
    pts_us: int


def _size_b(frame: EncodedFrame) -> int:
    return len(frame.data)


class FrameQueue:
    """Bounded. `put` never blocks and never raises; `fetch` waits for frames."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frames: GopQueue[EncodedFrame] = GopQueue(_size_b, BYTES_MAX, PACKETS_MAX, refuses=True)
        self._luma: Luma | None = None
        self._error: Exception | None = None
        self.wants_luma = False         # set by the fetching thread, cleared by the putting one
        self.frames_n = 0               # frames that the putting thread has seen

    @property
    def dropped_n(self) -> int:
        """Returns how many encoded frames were dropped because they were not fetched in time."""
        return self._frames.dropped_n

    def guarded(self, call: Callable[..., None]) -> Callable[..., None]:
        """Wraps a callback: its first exception ends the run in the fetching thread, and later calls do nothing."""
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
        """Adds one encoded frame. If there is no room, it and the rest of its GOP are dropped and counted."""
        with self._changed:
            if self._frames.offer(EncodedFrame(data, pts_us), key):
                self._changed.notify()

    def put_luma(self, luma: Luma) -> None:
        """Adds a small picture, replacing one that was not fetched."""
        with self._changed:
            self._luma = luma
            self._changed.notify()

    def fetch(self, wait_s: float) -> tuple[list[EncodedFrame], Luma | None]:
        """Returns everything added, after at most `wait_s`. Raises the exception of a callback."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._luma or self._error, wait_s)
            if self._error is not None:
                raise self._error
            frames, luma, self._luma = self._frames.pop_all(), self._luma, None
        return frames, luma
