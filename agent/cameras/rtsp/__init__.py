"""Network cameras: `open_rtsp` chooses our reader, libav, or libav only for streams that ours cannot read.

Our own reader knows RTSP over TCP, plain or encrypted, H.264 and H.265; one thread serves all cameras of the process.
"""
import contextlib
import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from agent.cameras import RecordSink, Sink, Source, SourceError
from agent.cameras.rtsp.connect import ConnectStopped
from agent.cameras.rtsp.handshake import Opened, in_plain_words, open_camera
from agent.cameras.rtsp.hub import the_hub
from agent.cameras.rtsp.pins import CertificatePins
from agent.cameras.rtsp.stream import RtspStream
from agent.config.settings import Camera
from agent.core.passwords import redact
from agent.core.protocols.rtp.audio import G711, Aac
from agent.core.protocols.rtp.receiver import Receiver
from agent.core.protocols.rtp.track import RtpTrack as Received
from agent.core.protocols.rtp.video import H264, H265
from agent.core.protocols.rtsp.address import parse
from agent.core.protocols.rtsp.message import Unreadable
from agent.core.protocols.rtsp.sdp import OfferedTrack, UnfitStream
from agent.host.clock import Clock
from agent.host.stop import Stop

if TYPE_CHECKING:
    from agent.cameras.rtsp.libav import LibavSource


VIDEO_HZ = 90_000       # RFC 6184 §5.1 and RFC 7798 §4.1 allow no other
VIDEO = {"h264": H264, "h265": H265}
LENGTHS = {"sizelength": 13, "indexlength": 3, "indexdeltalength": 3}      # bits, RFC 3640 §3.3.6


def received(track: OfferedTrack) -> Received:
    """Returns the receiver for a track. Raises UnfitStream for an invalid description."""
    form = track.format
    if track.sound is None:
        return VIDEO[track.codec](form.payload, form.clock_hz or VIDEO_HZ, form.parameter_sets())
    if track.codec != "aac":
        return G711(form.payload, form.clock_hz)
    try:
        lengths = (int(form.parameter(name)[:3] or usual) for name, usual in LENGTHS.items())
        return Aac(form.payload, form.clock_hz or track.sound.rate_hz, track.sound.config, *lengths)
    except ValueError as error:
        raise UnfitStream(f"its sound makes no sense: {error}") from None


class OwnSource(Source):
    """One RTSP stream; nothing is decoded."""

    def __init__(self, url: str, clock: Clock, audio: bool = False, pins: CertificatePins | None = None) -> None:
        self._url, self._clock, self._audio, self._pins = url, clock, audio, pins
        self._name = redact(url)

    def run(self, sink: Sink, stop: Stop) -> None:
        """Receives until the camera ends the stream (an error) or `stop` is set. Raises SourceError, UnfitStream."""
        with self._errors(), contextlib.suppress(ConnectStopped):
            address = parse(self._url)
            opened = open_camera(address, self._audio, stop, self._clock.mono_s, self._pins)
            try:
                stream = self._stream(opened, sink)
                stream.handle(opened.early)
            except BaseException:
                opened.line.socket.close()
                raise
            the_hub().serve(stream, stop)

    def _stream(self, opened: Opened, sink: RecordSink) -> RtspStream:
        tracks = opened.dialogue.tracks
        receiver = Receiver({track.channel: received(track) for track in tracks})
        if self._audio:
            sound = next((track.sound for track in tracks if track.sound), None)
            sink.audio(sound, opened.dialogue.unknown_sound)
        return RtspStream(opened.line.socket, opened.dialogue, receiver, sink, self._name, now=self._clock.mono_s)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except Unreadable as error:
            raise UnfitStream(str(error)) from None
        except Exception as error:
            known = in_plain_words(error, self._name, parse(self._url).host)
            if known is None:
                raise
            raise known from None


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
    """Tries our reader first. If it cannot read the camera, uses `other` at once and from then on."""

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
