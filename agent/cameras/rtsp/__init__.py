"""Network cameras: `open_rtsp` chooses our reader, libav, or libav only for streams that ours cannot read."""
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from agent.cameras import Sink, Source, SourceError
from agent.cameras.rtsp.own import OwnSource
from agent.cameras.rtsp.pins import CertificatePins
from agent.config.settings import Camera
from agent.core.passwords import redact
from agent.core.protocols.rtsp.sdp import UnfitStream
from agent.host.clock import Clock
from agent.host.stop import Stop

if TYPE_CHECKING:
    from agent.cameras.rtsp.libav import LibavSource

_log = logging.getLogger(__name__)
_for_libav: set[str] = set()        # addresses that only libav can read, as far as this process knows


def open_rtsp(camera: Camera, url: str, clock: Clock, audio: bool = False,
              pins: CertificatePins | None = None) -> Source:
    """Returns a new source for one attempt at one of the camera's streams, with sound if `audio`."""
    def libav(transport: str) -> "LibavSource":
        # imported here, because it takes 23 MB, and most cameras do not need it
        from agent.cameras.rtsp.libav import LibavSource
        return LibavSource(url, transport, clock, audio, pins)

    if camera.transport == "udp" or camera.reader == "libav":
        return libav(camera.transport)
    other = None if camera.reader == "own" else partial(libav, "any")
    return _ChosenReader(OwnSource(url, clock, audio, pins), url, other)


class _ChosenReader(Source):
    """Our reader first; `other` at once, and from then on, for a camera that ours cannot read."""

    def __init__(self, own: OwnSource, url: str, other: "Callable[[], LibavSource] | None") -> None:
        self._own, self._url, self._other = own, url, other

    def run(self, sink: Sink, stop: Stop) -> None:
        if self._other is not None and self._url in _for_libav:
            self._other().run(sink, stop)
            return
        try:
            self._own.run(sink, stop)
            return
        except UnfitStream as unfit:
            if self._other is None:
                raise SourceError("camera_stream_bad", f"{redact(self._url)}: our reader can't read it: {unfit}",
                                  'set reader = "auto"') from None
            _log.info("%s: is read by libav, for %s", redact(self._url), unfit)
        libav = self._other()
        try:
            libav.run(sink, stop)
        finally:
            if libav.delivered:     # else the camera may be at fault, and our reader can read it next time
                _for_libav.add(self._url)
