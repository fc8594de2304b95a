"""A reader of network cameras at work by itself, without pump and recorder, and all that it gives."""
import contextlib
import threading
import time
from collections.abc import Iterator

from agent.cameras import Source, SourceError
from agent.cameras.rtsp import OwnSource
from agent.cameras.rtsp.libav import LibavSource
from agent.cameras.rtsp.pins import CertificatePins
from agent.core.media.model import Packet
from agent.host.clock import SystemClock
from agent.host.stop import Stop
from tests.rigs.cameras.odd_camera import OddCamera
from tests.rigs.cameras.sink import Watcher
from tests.rigs.wait import HANG_S, Stopwatch, until


class Reading:
    """One attempt in a thread of its own, as under a pump; `watch` measures it, `ended_s` is on the monotonic clock."""

    def __init__(self, url: str, watcher: Watcher | None = None, reader: str = "own",
                 pins: CertificatePins | None = None) -> None:
        """`reader` is "own" or "libav"."""
        clock = SystemClock()
        source: Source = OwnSource(url, clock, pins=pins) if reader == "own" else LibavSource(url, "tcp", clock,
                                                                                              pins=pins)
        self.watcher, self.stop = watcher or Watcher(), Stop()
        self.error: Exception | None = None
        self.watch = Stopwatch()
        self.ended_s: float | None = None
        self._thread = threading.Thread(target=self._run, args=(source,), daemon=True)
        self._thread.start()

    def _run(self, source: Source) -> None:
        try:
            with self.watch:
                source.run(self.watcher, self.stop)
        except Exception as error:
            self.error = error
        self.ended_s = time.monotonic()

    def has(self, count: int) -> list[Packet]:
        """Wait for so many packets."""
        until(lambda: len(self.watcher.packets) >= count or self.ended_s, f"{count} packets")
        assert len(self.watcher.packets) >= count, self.error
        return self.watcher.packets

    def ends(self) -> Exception | None:
        """Wait for the end, and return what it was for."""
        self._thread.join(HANG_S)
        assert self.ended_s is not None, "it goes on"
        return self.error

    def fails(self) -> tuple[str, str]:
        """Wait for its end by a SourceError; returns code and text."""
        error = self.ends()
        assert isinstance(error, SourceError), error
        return error.code, str(error)


@contextlib.contextmanager
def read(camera: OddCamera, path: str = "/live", login: str | None = None, reader: str = "own",
         pins: CertificatePins | None = None) -> Iterator[Reading]:
    """A camera that is switched on and read, until the end of the block."""
    with camera:
        reading = Reading(camera.address(path, login), reader=reader, pins=pins)
        yield reading
        reading.stop.set()
        reading.ends()
