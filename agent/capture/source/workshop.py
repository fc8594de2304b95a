"""Encoded packets of a camera in; packets and luma with its masks painted in out."""
import av

from agent.capture.source import Sink
from agent.capture.source.encode import AccessUnits, SoftwareEncoder
from agent.capture.source.painter import Painter
from agent.capture.source.pictures import planes
from agent.config.settings import Camera
from agent.core.headroom import PRESETS
from agent.core.model import Luma, Packet, StreamInfo
from agent.host.clock import Clock

BACK_US = 1_000_000         # a time that falls back further is another clock, not jitter


class Workshop:
    """Works in the thread that calls it. A picture that can't be painted reaches nobody: the error ends the run."""

    def __init__(self, camera: Camera, sink: Sink, clock: Clock) -> None:
        self._camera, self._sink, self._clock = camera, sink, clock
        self._units = AccessUnits(f"x264 {PRESETS[-1]}")
        self._painter: Painter | None = None
        self._encoder: SoftwareEncoder | None = None
        self._size = (0, 0)
        self._last_us: int | None = None
        self._key_mono_s: float | None = None

    def stream(self, info: StreamInfo) -> None:
        """Another format follows: what the old decoder still holds comes out first."""
        self.flush()
        self._painter = Painter(info, self._camera.masks)

    def packet(self, packet: Packet) -> None:
        """Decode, paint, show, encode, hand on. Raises SourceError where there is no encoder."""
        if packet.key:
            self._key_mono_s = self._clock.mono_s()
        if self._painter is not None:
            for frame, pts_us in self._painter.take(packet):
                self._hand_on(frame, pts_us)

    def flush(self) -> None:
        """Hand on what the decoder still holds; only `stream` begins anew after this."""
        if self._painter is not None:
            for frame, pts_us in self._painter.take(None):
                self._hand_on(frame, pts_us)
            self._painter = None

    def _hand_on(self, frame: av.VideoFrame, pts_us: int) -> None:
        if self._last_us is not None and self._last_us - BACK_US < pts_us <= self._last_us:
            return                          # an encoder takes no two pictures of one time
        self._show(frame)
        encoder = self._encoder_for(frame, pts_us)
        self._last_us = pts_us
        self._units.give(self._sink, encoder.encode(frame, pts_us), pts_us)

    def _show(self, frame: av.VideoFrame) -> None:
        """Let motion look, before the packet comes: so nobody decodes what has been decoded here."""
        now_mono_s = self._clock.mono_s()
        if self._sink.wants_main_luma() and self._sink.wants_luma(now_mono_s):
            self._sink.luma(Luma(planes(frame)[0], now_mono_s, key_mono_s=self._key_mono_s))

    def _encoder_for(self, frame: av.VideoFrame, pts_us: int) -> SoftwareEncoder:
        """The encoder; a fresh one for another size, and when the camera's clock has fallen back."""
        size, fell_back = (frame.width, frame.height), self._last_us is not None and pts_us < self._last_us
        if self._encoder is None or size != self._size or fell_back:
            self._encoder = SoftwareEncoder(*size, self._camera.fps, self._camera.bitrate_kbps, PRESETS[-1])
            self._size = size
        return self._encoder
