"""Our own reader: RTSP over TCP, plain or encrypted, H.264 and H.265; all cameras of the process share one thread."""
import contextlib
from collections.abc import Iterator

from agent.cameras import RecordSink, Sink, Source, SourceError
from agent.cameras.rtsp.connect import ConnectStopped
from agent.cameras.rtsp.handshake import NeverPlays, Opened, RedirectRefused, open_camera
from agent.cameras.rtsp.hub import the_hub
from agent.cameras.rtsp.stream import RtspStream
from agent.core.passwords import redact
from agent.core.protocols.rtp.audio import G711, Aac
from agent.core.protocols.rtp.receiver import Receiver
from agent.core.protocols.rtp.track import RtpTrack as Received
from agent.core.protocols.rtp.video import H264, H265
from agent.core.protocols.rtsp.address import parse
from agent.core.protocols.rtsp.dialogue import RequestRefused
from agent.core.protocols.rtsp.message import Unreadable
from agent.core.protocols.rtsp.offer import OfferedTrack, UnfitStream
from agent.host.clock import Clock
from agent.host.stop import Stop

VIDEO_HZ = 90_000       # RFC 6184 §5.1 and RFC 7798 §4.1 allow no other
VIDEO = {"h264": H264, "h265": H265}
LENGTHS = {"sizelength": 13, "indexlength": 3, "indexdeltalength": 3}      # bits, RFC 3640 §3.3.6


def received(track: OfferedTrack) -> Received:
    """The receiver's side of a track. Raises Unfit for a description that makes no sense."""
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


REFUSALS = {
    401: ("camera_auth", "the camera refuses the user name or password", "correct them in the source's address"),
    403: ("camera_auth", "the camera does not let this user see the stream", "give it the right in the camera's menu"),
    404: ("camera_not_found", "the camera has no stream under this path", "its manual tells the right one"),
    453: ("camera_unreachable", "the camera has no more bandwidth", "fewer viewers, or a lower bitrate"),
    503: ("camera_unreachable", "the camera is busy", "are there too many viewers?"),
}


class OwnSource(Source):
    """One RTSP stream, as it comes; nothing is decoded."""

    def __init__(self, url: str, clock: Clock, audio: bool = False) -> None:
        self._url, self._clock, self._audio = url, clock, audio
        self._name = redact(url)

    def run(self, sink: Sink, stop: Stop) -> None:
        """Receive until the camera ends the stream, which is an error, or `stop` is set. Raises SourceError, Unfit."""
        with self._errors(), contextlib.suppress(ConnectStopped):
            address = parse(self._url)
            opened = open_camera(address, self._audio, stop, self._clock.mono_s)
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
        """Turn errors of camera and system into one clear line with a remedy and without the password."""
        try:
            yield
        except RequestRefused as refused:
            code, what, remedy = REFUSALS[refused.status]
            raise SourceError(code, f"{self._name}: {what}", remedy) from None
        except Unreadable as error:
            raise UnfitStream(str(error)) from None
        except RedirectRefused as refused:
            raise SourceError("camera_stream_bad", f"{self._name}: {refused}, and we don't follow",
                              "if the camera has a new address, enter that") from None
        except NeverPlays:
            raise SourceError("camera_stream_bad", f"{self._name}: talks without end and sends no video",
                              "is it a camera? If so, restart it") from None
        except ConnectionRefusedError:
            raise self._unreachable("refuses the connection", "is it a camera, and is RTSP on?") from None
        except ConnectionError:
            raise self._unreachable("closed the connection", "it may be restarting") from None
        except TimeoutError:
            raise self._unreachable("does not answer", "check its power and network") from None
        except OSError as error:
            raise self._unreachable(f"can't be reached ({error.strerror or type(error).__name__})",
                                    "check the camera's power, address and network") from None

    def _unreachable(self, what: str, remedy: str) -> SourceError:
        return SourceError("camera_unreachable", f"{self._name}: {parse(self._url).host} {what}", remedy)
