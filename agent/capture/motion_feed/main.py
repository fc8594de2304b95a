"""The eye on a camera's main stream, which is recorded as it comes: decoded only while motion depends on it."""
from agent.capture.motion_feed.main_decoder import MainDecoder
from agent.capture.pipe import Pipe
from agent.capture.pump import VideoGap
from agent.core.media.model import AudioInfo, Luma, Packet, Sound, StreamInfo
from agent.host.clock import Clock


class MainFeed:
    """The sink of a main stream: everything goes to the pipe, and pictures where the source brings none itself.

    A source that makes its own pictures asks whether one is wanted; the packets of one that asks are never decoded.
    """

    def __init__(self, pipe: Pipe, clock: Clock) -> None:
        self._pipe, self._clock = pipe, clock
        self._info: StreamInfo | None = None
        self._watcher: MainDecoder | None = None
        self._source_shows = False

    def stream(self, info: StreamInfo) -> None:
        """What comes next is of this format."""
        if info != self._info:
            self._look_away()
        self._info = info
        self._pipe.stream(info)

    def packet(self, packet: Packet) -> None:
        """Record it, and let it be looked at if motion depends on it."""
        self._pipe.packet(packet)
        if self._info is None or self._source_shows or not self._pipe.wants_main_luma():
            self._look_away()
            return
        now_mono_s = self._clock.mono_s()
        if self._watcher is None:
            self._watcher = MainDecoder(self._info, self._pipe, now_mono_s)
            self._watcher.start()
        self._watcher.take(packet, now_mono_s)

    def _look_away(self) -> None:
        if self._watcher is not None:
            self._watcher.end()
            self._watcher = None

    def audio(self, info: AudioInfo | None, unsupported: str = "") -> None:
        """How the sound is encoded."""
        self._pipe.audio(info, unsupported)

    def sound(self, sound: Sound) -> None:
        """The next stretch of it."""
        self._pipe.sound(sound)

    def gap(self, gap: VideoGap) -> None:
        """The camera delivered nothing for a while."""
        self._pipe.gap(gap)

    def wants_luma(self, mono_s: float) -> bool:
        """Asked by a source that makes its own pictures."""
        self._source_shows = True
        return self._pipe.wants_luma(mono_s)

    def wants_main_luma(self) -> bool:
        """Asked by a source that makes its own pictures."""
        self._source_shows = True
        return self._pipe.wants_main_luma()

    def luma(self, picture: Luma) -> None:
        """A picture that the source made itself."""
        self._pipe.luma(picture)

    def end_run(self) -> float | None:
        """The source has stopped; the next attempt may bring other things."""
        self._look_away()
        self._info, self._source_shows = None, False
        return self._pipe.end_run()
