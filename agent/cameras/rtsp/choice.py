"""Chooses the reader of a network camera: ours, libav, or libav only for streams that ours does not know."""
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from agent.cameras import Sink, Source, SourceError
from agent.cameras.rtsp.own import OwnSource
from agent.cameras.rtsp.pins import CertificatePins
from agent.config.settings import Camera
from agent.core.passwords import redact
from agent.core.protocols.rtsp.offer import UnfitStream
from agent.host.clock import Clock
from agent.host.stop import Stop

if TYPE_CHECKING:
    from agent.cameras.rtsp.libav import LibavSource

_log = logging.getLogger(__name__)
_for_libav: set[str] = set()        # addresses that only libav can read, as far as this process has seen


def open_rtsp(camera: Camera, url: str, clock: Clock, audio: bool = False,
              pins: CertificatePins | None = None) -> Source:
    """A fresh source for one attempt at one of the camera's streams, with its sound if `audio`."""
    def libav(transport: str) -> "LibavSource":
        # Here, for it takes 23 MB, and most cameras can do without.
        from agent.cameras.rtsp.libav import LibavSource
        return LibavSource(url, transport, clock, audio, pins)

    if camera.transport == "udp" or camera.reader == "libav":
        return libav(camera.transport)
    own = OwnSource(url, clock, audio, pins)
    return _OnlyOwn(own, url) if camera.reader == "own" else _Either(own, url, partial(libav, "any"))


class _OnlyOwn(Source):
    """Ours, and nothing else."""

    def __init__(self, own: OwnSource, url: str) -> None:
        self._own, self._url = own, url

    def run(self, sink: Sink, stop: Stop) -> None:
        """One attempt. Raises SourceError."""
        try:
            self._own.run(sink, stop)
        except UnfitStream as unfit:
            raise SourceError("camera_stream_bad", f"{redact(self._url)}: our reader can't read it: {unfit}",
                              'set reader = "auto"') from None


class _Either(Source):
    """Ours first; libav at once, and from then on, for a camera that ours can't read."""

    def __init__(self, own: OwnSource, url: str, other: Callable[[], "LibavSource"]) -> None:
        self._own, self._url, self._other = own, url, other

    def run(self, sink: Sink, stop: Stop) -> None:
        """One attempt. Raises SourceError."""
        if self._url in _for_libav:
            self._other().run(sink, stop)
            return
        try:
            self._own.run(sink, stop)
            return
        except UnfitStream as unfit:
            _log.info("%s: is read by libav, for %s", redact(self._url), unfit)
        libav = self._other()
        try:
            libav.run(sink, stop)
        finally:
            if libav.delivered:     # else it may be the camera that was at fault, and ours can read it next time
                _for_libav.add(self._url)
