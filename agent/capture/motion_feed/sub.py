"""Motion's pictures from a camera's small stream: every packet is decoded as it comes, for nothing else needs it."""
import logging
from collections.abc import Sequence

import av

from agent.cameras.masks import MaskOverlay
from agent.capture.motion_feed.decoder import Decoder
from agent.capture.pipe import Pipe
from agent.capture.pump import VideoGap
from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.core.vision.luma import Luma
from agent.host.clock import Clock
from agent.host.decoder import TooLarge
from agent.host.luma import luma_of

_log = logging.getLogger(__name__)


class SubFeed:
    """The sink of a sub-stream: its pictures go to the pipe, its troubles end no run."""

    def __init__(self, pipe: Pipe, clock: Clock, masks: Sequence[Sequence[tuple[float, float]]] = ()) -> None:
        """`masks` are hidden from motion, for this stream comes from the camera with everything in it."""
        self._pipe, self._clock, self._overlay = pipe, clock, MaskOverlay(masks)
        self._decoder: Decoder | None = None
        self._key_mono_s: float | None = None

    def stream(self, info: StreamInfo) -> None:
        """Another format, another decoder; none for pictures too large for the thread that receives for all cameras.

        Motion then looks at the main stream, as when there is no small one.
        """
        try:
            self._decoder = Decoder(info, small=True)
        except TooLarge as error:
            self._decoder = None
            _log.warning("a sub-stream of %s is not looked at, for it is no small one", error)

    def packet(self, packet: Packet) -> None:
        """Decode it in the thread that received it, which costs less than to hand it to another one."""
        picture = self._decoded(packet)
        now_mono_s = self._clock.mono_s()
        if packet.key:
            self._key_mono_s = now_mono_s
        if picture is not None and self.wants_luma(now_mono_s):
            self._pipe.luma(self._overlay.over(luma_of(picture, now_mono_s, self._key_mono_s)))

    def _decoded(self, packet: Packet) -> av.VideoFrame | None:
        try:
            return self._decoder.decode(packet) if self._decoder is not None else None
        except TooLarge:
            self._decoder = None
            return None

    def wants_luma(self, mono_s: float) -> bool:
        """Asked for each picture, so the small stream is alive."""
        self._pipe.watch.sub_came(mono_s)
        return self._pipe.wants_luma(mono_s)

    def luma(self, picture: Luma) -> None:
        """A picture that the source made itself."""
        self._pipe.luma(self._overlay.over(picture))

    def wants_main_luma(self) -> bool:
        """This is not the main stream."""
        return False

    def audio(self, info: AudioInfo | None, unsupported: str = "") -> None:
        """Sound comes with the main stream."""

    def sound(self, sound: Sound) -> None:
        """Sound comes with the main stream."""

    def end_run(self) -> float | None:
        """The main stream's run goes on."""
        self._decoder = None
        return None

    def gap(self, gap: VideoGap) -> None:
        """Motion falls back on the main stream; recording has no gap."""
