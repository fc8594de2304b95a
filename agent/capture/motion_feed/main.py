"""Motion's pictures from a camera's main stream, which is recorded as it comes: decoded only where motion needs it."""
import logging

from agent.capture.motion_feed.main_decoder import MainDecoder
from agent.capture.pipe import Pipe
from agent.core.media.model import Packet, StreamInfo
from agent.host.clock import Clock
from agent.host.decoder import TooLarge, is_small

TRY_AGAIN_S = 10.0          # other cameras' decoders may have given memory back

_log = logging.getLogger(__name__)


class MainFeed:
    """The sink of a main stream: everything goes to the pipe, and pictures where the source brings none itself.

    A source that makes its own pictures asks whether one is wanted; the packets of one that asks are never decoded.
    """

    def __init__(self, pipe: Pipe, clock: Clock) -> None:
        self._pipe, self._clock = pipe, clock
        self.audio, self.sound, self.gap, self.luma = pipe.audio, pipe.sound, pipe.gap, pipe.luma
        self._info: StreamInfo | None = None
        self._decoder: MainDecoder | None = None
        self._source_shows = False
        self._try_mono_s = float("-inf")

    def stream(self, info: StreamInfo) -> None:
        """The format of the packets that follow."""
        if info != self._info:
            self._end_decoder()
            self._judge(info)
        self._info = info
        self._pipe.stream(info)

    def _judge(self, info: StreamInfo) -> None:
        """Whether its pictures can be decoded at all, for motion or for a still."""
        try:
            is_small(info)
            self._pipe.watch.too_large = None
        except TooLarge as error:
            self._pipe.watch.too_large = str(error)
            _log.warning("pictures of %s are recorded, but too large to be looked at: lower the camera's resolution, "
                         "or set its small stream as sub", error)

    def packet(self, packet: Packet) -> None:
        """Record it, and have it decoded if motion depends on it."""
        self._pipe.packet(packet)
        if self._info is None or self._source_shows or not self._pipe.wants_main_luma():
            self._end_decoder()
            return
        now_mono_s = self._clock.mono_s()
        if self._decoder is not None and self._decoder.over:
            self._decoder, self._try_mono_s = None, now_mono_s + TRY_AGAIN_S
        if self._decoder is None and now_mono_s >= self._try_mono_s:
            self._begin_decoder(self._info, now_mono_s)
        if self._decoder is not None:
            self._decoder.offer(packet, now_mono_s)

    def _begin_decoder(self, info: StreamInfo, now_mono_s: float) -> None:
        self._try_mono_s = now_mono_s + TRY_AGAIN_S
        try:
            decoder = MainDecoder(info, self._pipe, now_mono_s)
            self._pipe.watch.too_large = None
            decoder.start()
        except TooLarge as error:
            self._pipe.watch.too_large = str(error)
        except RuntimeError as error:       # Python's word for no memory or place for a thread
            _log.warning("motion is not looked for in the next %d s: %s", TRY_AGAIN_S, error)
        else:
            self._decoder, self._try_mono_s = decoder, float("-inf")

    def _end_decoder(self) -> None:
        if self._decoder is not None:
            self._decoder.end()
            self._decoder = None

    def wants_luma(self, mono_s: float) -> bool:
        """Asked by a source that makes its own pictures."""
        self._source_shows = True
        return self._pipe.wants_luma(mono_s)

    def wants_main_luma(self) -> bool:
        """Asked by a source that makes its own pictures."""
        self._source_shows = True
        return self._pipe.wants_main_luma()

    def end_run(self) -> float | None:
        """The source has stopped; the next attempt may bring other things."""
        self._end_decoder()
        self._info, self._source_shows, self._try_mono_s = None, False, float("-inf")
        return self._pipe.end_run()
