"""Motion's pictures from the packets of encoded streams, at the lowest cost.

A main stream is recorded as it comes, and decoded only if motion needs it. A sub-stream serves only motion.
"""
import logging
from collections.abc import Sequence

from agent.cameras.masks import MaskOverlay
from agent.capture.main_decoder import MainDecoder
from agent.capture.pipe import Pipe
from agent.capture.sub_decoder import SubDecoder
from agent.capture.writer_jobs import CameraGap
from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.core.vision.luma import Luma
from agent.host.clock import Clock
from agent.host.decoder import TooLarge, is_small

TRY_AGAIN_S = 10.0          # other cameras' decoders may have freed memory by then

_log = logging.getLogger(__name__)


class MainFeed:
    """The sink of a main stream: passes everything to the pipe, and decodes pictures if the source makes none.

    A source that makes its own pictures asks whether one is wanted; then its packets are never decoded.
    """

    def __init__(self, pipe: Pipe, clock: Clock) -> None:
        self._pipe, self._clock = pipe, clock
        self.audio, self.sound, self.gap, self.luma = pipe.audio, pipe.sound, pipe.gap, pipe.luma
        self._info: StreamInfo | None = None
        self._decoder: MainDecoder | None = None
        self._source_shows = False
        self._try_mono_s = float("-inf")

    def stream(self, info: StreamInfo) -> None:
        if info != self._info:
            self._end_decoder()
            self._judge(info)
        self._info = info
        self._pipe.stream(info)

    def _judge(self, info: StreamInfo) -> None:
        try:
            is_small(info)
            self._pipe.watch.too_large = None
        except TooLarge as error:
            self._pipe.watch.too_large = str(error)
            _log.warning("pictures of %s are recorded, but too large for motion: lower the camera's resolution, "
                         "or set its small stream as sub", error)

    def packet(self, packet: Packet) -> None:
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
        except RuntimeError as error:       # Python raises this without memory or room for a thread
            _log.warning("there is no motion detection for the next %d s: %s", TRY_AGAIN_S, error)
        else:
            self._decoder, self._try_mono_s = decoder, float("-inf")

    def _end_decoder(self) -> None:
        if self._decoder is not None:
            self._decoder.end()
            self._decoder = None

    def wants_luma(self, mono_s: float) -> bool:
        """Called by a source that makes its own pictures."""
        self._source_shows = True
        return self._pipe.wants_luma(mono_s)

    def wants_main_luma(self) -> bool:
        """Called by a source that makes its own pictures."""
        self._source_shows = True
        return self._pipe.wants_main_luma()

    def end_run(self) -> float | None:
        """The source has stopped; the next attempt may bring another format."""
        self._end_decoder()
        self._info, self._source_shows, self._try_mono_s = None, False, float("-inf")
        return self._pipe.end_run()


class SubFeed:
    """The sink of a sub-stream: its pictures go to the pipe, and its faults end no run."""

    def __init__(self, pipe: Pipe, clock: Clock, masks: Sequence[Sequence[tuple[float, float]]] = ()) -> None:
        """`masks` are hidden from motion, because this stream comes from the camera without them."""
        self._pipe, self._clock, self._overlay = pipe, clock, MaskOverlay(masks)
        self._decoder: SubDecoder | None = None

    def stream(self, info: StreamInfo) -> None:
        """Makes a decoder; none for pictures that are too large for the thread that serves all cameras."""
        try:
            self._decoder = SubDecoder(info, self._pipe, self._clock, self._overlay)
        except TooLarge as error:
            self._decoder = None
            _log.warning("a sub-stream of %s is too large for motion and is not used", error)

    def packet(self, packet: Packet) -> None:
        """Decodes it in the receiving thread, which costs less than a handover."""
        try:
            if self._decoder is not None:
                self._decoder.packet(packet)
        except TooLarge:
            self._decoder = None

    def wants_luma(self, mono_s: float) -> bool:
        """Called for each picture, so the small stream is alive."""
        self._pipe.watch.sub_came(mono_s)
        return self._pipe.wants_luma(mono_s)

    def luma(self, picture: Luma) -> None:
        self._pipe.luma(self._overlay.over(picture))

    def wants_main_luma(self) -> bool:
        return False

    def audio(self, info: AudioInfo | None, unsupported: str = "") -> None:
        """Ignored: sound comes with the main stream."""

    def sound(self, sound: Sound) -> None:
        """Ignored: sound comes with the main stream."""

    def end_run(self) -> float | None:
        """Drops the decoder; the main stream's run continues."""
        self._decoder = None
        return None

    def gap(self, gap: CameraGap) -> None:
        """Ignored: recording has no gap, and motion uses the main stream."""
