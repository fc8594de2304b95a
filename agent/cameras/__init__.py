"""Video sources. Each is a small class with one method, `run`; `open_source` chooses one by the scheme.

A source makes one attempt: it returns or raises. Only `capture/pump.py` waits and tries again.
"""
from typing import TYPE_CHECKING, Protocol

from agent.config.settings import Camera
from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.host.stop import Stop

if TYPE_CHECKING:       # a module that only asks a camera something needs no OpenCV
    from agent.core.vision.luma import Luma
from pathlib import Path
from typing import TYPE_CHECKING

from agent.config.settings import Camera as CameraSettings
from agent.config.source import NETWORK, parse_source
from agent.host.clock import Clock

if TYPE_CHECKING:
    from agent.cameras.rtsp.pins import CertificatePins


class SourceError(Exception):
    """A source could not continue.

    `code` is one of core.health's conditions (camera_auth, camera_unreachable, camera_no_frames, ...). `what` begins
    with the place; `remedy` may be "". The text is one line of both, without passwords.
    """

    def __init__(self, code: str, what: str, remedy: str = "") -> None:
        super().__init__("; ".join(filter(None, (what, remedy))))
        self.code, self.what, self.remedy = code, what, remedy


class SourceStuck(SourceError):
    """A native call does not return: only the end of the process frees the camera."""


class RecordSink(Protocol):
    """Receives what is recorded. Each method is quick, never blocks and never raises."""

    def stream(self, info: StreamInfo) -> None:
        """Called before the first packet, and whenever parameter sets or the size change."""

    def packet(self, packet: Packet) -> None:
        """Takes one packet in decode order; its times are on the source's own clock, in microseconds."""

    def audio(self, info: AudioInfo | None, unsupported: str = "") -> None:
        """Takes the format of the sound that follows; None if there is no sound that we can store unchanged.

        Only a source with sound switched on calls it: before the first `sound`, and whenever the format changes.
        `unsupported` names the codec that we cannot store, for example "g726"; "" if there is no sound at all.
        """

    def sound(self, sound: Sound) -> None:
        """Takes the next stretch of sound. Its time is on the sound's own clock, not the picture's."""


class WatchSink(Protocol):
    """Receives small pictures for motion detection. Each method is quick, never blocks and never raises."""

    def wants_luma(self, mono_s: float) -> bool:
        """Whether motion would look at a picture now; asked before one is made."""
        return False

    def wants_main_luma(self) -> bool:
        """Whether motion depends on this stream's pictures, because no smaller stream delivers any."""
        return False

    def luma(self, picture: "Luma") -> None:
        """Takes a small picture; its array is only valid during the call."""


class Sink(RecordSink, WatchSink, Protocol):
    """Receives everything that a source delivers."""


class Source(Protocol):
    """A camera, a stream or a file."""

    def run(self, sink: Sink, stop: Stop) -> None:
        """Makes one attempt: returns when the stream has ended or `stop` is set. Raises SourceError."""

    def adjust(self, camera: Camera) -> bool:
        """Applies changed settings to a running source, soon and without a gap. Quick, never blocks; for any thread.

        Returns True also if no change concerns this source (motion, recording and names do not). Returns False if only
        a new source can apply them; then nothing is applied, and the caller ends this one. Most sources inherit this
        answer, because opening them fixes all that they do.
        """
        return False


def open_source(camera: CameraSettings, url: str, clock: Clock, audio: bool = False,
                pins: "CertificatePins | None" = None, kept: Path | None = None) -> Source:
    """Returns a new source for one attempt, with sound if `audio`; `pins` hold network cameras' certificates, `kept` is
    capture's folder of facts about cameras."""
    spec = parse_source(url)
    if spec.scheme in NETWORK:
        from agent.cameras.rtsp import open_rtsp
        return open_rtsp(camera, spec.target, clock, audio, pins)
    if spec.scheme == "file":
        from agent.cameras.file import FileSource
        return FileSource(Path(spec.target), clock, camera.loop, audio)
    if spec.scheme == "v4l2":
        from agent.cameras.v4l2 import V4l2Source
        return V4l2Source(camera, spec.target, clock)
    from agent.cameras.picamera import PicameraSource
    return PicameraSource(camera, int(spec.target), clock, kept=kept)
