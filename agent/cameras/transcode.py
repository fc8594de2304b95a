"""Paints masks for cameras whose video arrives encoded. None of the original packets or pictures gets past."""
import logging
import threading
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import NamedTuple

from agent.cameras import Sink, Source, SourceStuck
from agent.cameras.reencode import Reencoder
from agent.config.settings import Camera
from agent.core.media.gop_queue import GopQueue
from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.core.vision.luma import Luma
from agent.host.clock import Clock
from agent.host.meter import Rate
from agent.host.stop import Stop

LOOK_FOR_STOP_S = 0.25
DRAIN_S = 10.0              # packets that wait when the camera is gone are worth keeping
LOG_EVERY_S = 60.0

_log = logging.getLogger(__name__)


PACKETS_MAX, BYTES_MAX = 90, 8 << 20        # three seconds of pictures and more: later ones would not help
OTHERS_MAX = 1000                           # mostly sound

Work = Callable[[], None]


class _Item(NamedTuple):
    work: Work
    size_b: int
    is_packet: bool


class WorkQueue:
    """Passes work from the receiving thread to the painting one; each only waits for work."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: GopQueue[_Item] = GopQueue(attrgetter("size_b"), BYTES_MAX, PACKETS_MAX, refuses=True,
                                                is_packet=attrgetter("is_packet"))
        self._closed = False

    def packet(self, work: Work, size_b: int, key: bool) -> bool:
        """Adds a packet's work; returns False if there is no room: then the rest of its GOP is refused, too."""
        with self._changed:
            self._changed.notify()
            return self._items.offer(_Item(work, size_b, True), key)

    def other(self, work: Work, size_b: int) -> None:
        """Adds work between the packets; dropped while packets are refused."""
        with self._changed:
            self._items.insert(_Item(work, size_b, False), OTHERS_MAX)
            self._changed.notify()

    def close(self, last: Work) -> None:
        with self._changed:
            self._closed = True
            self._items.append(_Item(last, 0, False))
            self._changed.notify()

    def next(self, wait_s: float) -> Work | None:
        """Returns the oldest work; None if none comes within `wait_s`. Raises EOFError if none will ever come."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed, wait_s)
            if self._items:
                return self._items.pop().work
            if self._closed:
                raise EOFError
            return None


class MaskTranscoder:
    """Wraps another source and is its sink. The inner source may receive for many cameras in one thread, so the work
    has its own thread. If that cannot keep up, the ends of GOPs are dropped, counted and logged."""

    def __init__(self, inner: Source, camera: Camera, clock: Clock, came: Rate) -> None:
        """`came` counts the camera's own pictures, across attempts."""
        self._inner, self._camera, self._clock, self._came = inner, camera, clock, came
        self._queue = WorkQueue()
        self.dropped_n = 0                          # pictures that were not painted, because the machine was too slow
        self._logged_mono_s = float("-inf")           # when this was last logged
        self._format: StreamInfo | None = None      # a new format that waits for its first keyframe
        self._error: Exception | None = None

    def run(self, sink: Sink, stop: Stop) -> None:
        """Makes one attempt of the inner source, with masks. Raises SourceError, and what painting raises."""
        self._sink, self._reencoder, inner_stop = sink, Reencoder(self._camera, sink, self._clock), Stop()
        worker = threading.Thread(target=self._work, args=(stop, inner_stop), name=f"paint-{self._camera.name}",
                                  daemon=True)
        worker.start()
        try:
            self._inner.run(self, inner_stop)
        finally:
            self._end(worker)
        if self._error is not None:
            raise self._error

    def adjust(self, camera: Camera) -> bool:
        """Returns False: a changed mask must not miss a picture that waits, so settings need a new attempt."""
        return False

    def _end(self, worker: threading.Thread) -> None:
        self._queue.close(self._reencoder.flush)
        worker.join(DRAIN_S)
        if worker.is_alive():
            raise SourceStuck("camera_no_frames", f"{self._camera.name}: painting its masks hangs",
                              "its process is being restarted; if it recurs, please report it")

    def _work(self, stop: Stop, inner_stop: Stop) -> None:
        try:
            while not stop.is_set():
                work = self._queue.next(LOOK_FOR_STOP_S)
                if work is not None:
                    work()
        except EOFError:
            pass
        except Exception as error:          # the pump, which runs us, judges it
            self._error = error
        finally:
            inner_stop.set()

    # Called by the inner source.

    def stream(self, info: StreamInfo) -> None:
        """Takes the camera's own format; ours follows with the first encoded picture."""
        self._format = info

    def packet(self, packet: Packet) -> None:
        self._came.total += 1
        info = self._format if packet.key else None
        if not self._queue.packet(partial(self._paint, info, packet), len(packet.data), packet.key):
            self.dropped_n += 1
            self._log_drops()
        elif info is not None:
            self._format = None

    def _paint(self, info: StreamInfo | None, packet: Packet) -> None:
        if info is not None:
            self._reencoder.stream(info)
        self._reencoder.packet(packet)

    def audio(self, info: AudioInfo | None, unsupported: str = "") -> None:
        """Queues the sound's format, in its place among the pictures."""
        self._queue.other(partial(self._sink.audio, info, unsupported), 0)

    def sound(self, sound: Sound) -> None:
        self._queue.other(partial(self._sink.sound, sound), len(sound.data))

    def wants_luma(self, mono_s: float = 0.0) -> bool:
        """Returns False, because the camera's own pictures have no masks."""
        return False

    wants_main_luma = wants_luma

    def luma(self, picture: Luma) -> None:
        """Drops it, because it has no masks."""

    def _log_drops(self) -> None:
        now_mono_s = self._clock.mono_s()
        if now_mono_s - self._logged_mono_s >= LOG_EVERY_S:
            self._logged_mono_s = now_mono_s
            _log.warning("%s: this machine is too slow to paint every picture (%d left out so far); set the camera to "
                         "fewer pictures a second or to a smaller picture", self._camera.name, self.dropped_n)
