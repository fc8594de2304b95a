"""Our own reader: RTSP over TCP, plain or encrypted, H.264 and H.265; one thread for all cameras of the process."""
import contextlib
from collections.abc import Iterator

from agent.cameras import RecordSink, Sink, Source
from agent.cameras.rtsp.connect import ConnectStopped
from agent.cameras.rtsp.errors import in_plain_words
from agent.cameras.rtsp.handshake import Opened, open_camera
from agent.cameras.rtsp.hub import the_hub
from agent.cameras.rtsp.pins import CertificatePins
from agent.cameras.rtsp.stream import RtspStream
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
        return RtspStream(opened.line.socket, opened.dialogue, receiver, sink, self._name, self._clock.mono_s)

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
