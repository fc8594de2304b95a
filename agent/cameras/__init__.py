"""Sources: where video comes from. Each is one small class with one method, `run`; `open_source` chooses by the scheme.

One attempt inside, one retry outside: a source returns or raises, and only `capture/pump.py` waits and tries again.
"""
from typing import TYPE_CHECKING, Protocol

from agent.config.settings import Camera
from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.host.stop import Stop

if TYPE_CHECKING:       # who only asks a camera something needs no OpenCV
    from agent.core.vision.luma import Luma


class SourceError(Exception):
    """A source could not go on.

    `code` is one of core.health's conditions (camera_auth, camera_unreachable, camera_no_frames, ...); `what` begins
    with the place, `remedy` may be "". The text is one line of both, never with a password.
    """

    def __init__(self, code: str, what: str, remedy: str = "") -> None:
        super().__init__("; ".join(filter(None, (what, remedy))))
        self.code, self.what, self.remedy = code, what, remedy


class SourceStuck(SourceError):
    """A native call does not come back: only the end of the process frees the camera."""


class RecordSink(Protocol):
    """The receiver of what is recorded. Every method is quick, never blocks and never raises."""

    def stream(self, info: StreamInfo) -> None:
        """Called before the first packet, and again whenever parameter sets or size change."""

    def packet(self, packet: Packet) -> None:
        """One packet in decode order, its times on the source's own clock (microseconds)."""

    def audio(self, info: AudioInfo | None, unsupported: str = "") -> None:
        """The format of the sound that follows; None without sound that can be kept as it is.

        Called only by a source that was told to bring sound, before the first `sound`, and again whenever the format
        changes. `unsupported` names the codec that can't be kept, for example "g726"; "" if there is no sound at all.
        """

    def sound(self, sound: Sound) -> None:
        """The next stretch of sound, its time on the sound's own clock, which needs not be the picture's."""


class WatchSink(Protocol):
    """The receiver of small pictures for motion. Every method is quick, never blocks and never raises."""

    def wants_luma(self, mono_s: float) -> bool:
        """Whether motion would look at a picture now; asked before one is made."""

    def wants_main_luma(self) -> bool:
        """Whether motion depends on this stream's pictures, because no smaller stream delivers any."""

    def luma(self, picture: "Luma") -> None:
        """A small picture; its array is only valid during the call."""


class Sink(RecordSink, WatchSink, Protocol):
    """The receiver of all that a source gives."""


class Source(Protocol):
    """A camera, a stream or a file."""

    def run(self, sink: Sink, stop: Stop) -> None:
        """One attempt: returns when the stream has ended or `stop` is set; raises SourceError."""

    def adjust(self, camera: Camera) -> bool:
        """Take over changed settings while running, soon and without a gap. Quick, never blocks; for any thread.

        True also when nothing that is this source's business has changed: motion, recording and names are not. False
        when only a fresh source can have them; nothing is taken over then, and the caller ends this one. Most sources
        inherit this answer, for what they do is all in how they were opened.
        """
        return False
