"""Decodes a camera's packets, paints its masks, and encodes the pictures again; motion detection gets them, too.

Also measures what that costs.
"""
import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import av
from av.video.reformatter import ColorRange

from agent.cameras import Sink, SourceError
from agent.cameras.encode import AccessUnits, SoftwareEncoder
from agent.cameras.frame_converter import planes
from agent.cameras.masks import Masks
from agent.config.settings import Camera
from agent.core.media.headroom import PRESETS
from agent.core.media.model import Packet, StreamInfo
from agent.host.clock import Clock, SystemClock
from agent.host.decoder import BoundedDecoder, TooLarge, Undecodable
from agent.host.luma import has_full_range, luma_of


class MaskedDecoder:
    """Decodes one stream of one format. Masks are painted in copies, never in the decoder's own pictures. The decoder
    builds the next pictures from them, so black would spread to places without masks."""

    def __init__(self, info: StreamInfo, polygons: Sequence[Sequence[tuple[float, float]]]) -> None:
        """`polygons` are the masks, in fractions of the picture. Raises TooLarge."""
        self._polygons = polygons
        self._decoder = BoundedDecoder(info, timed=True)
        self._canvas: tuple[av.VideoFrame, Masks] | None = None

    def decode(self, packet: Packet | None) -> Iterator[tuple[av.VideoFrame, int]]:
        """Yields the pictures that come out for a packet, yuv420p and masked, each with its pts in microseconds. None
        fetches the last ones. A picture is valid until the next one. A packet that cannot be decoded gives none."""
        for frame in self._decode(packet):
            if frame.pts is not None:
                yield self._painted(frame), int(frame.pts)

    def _decode(self, packet: Packet | None) -> Sequence[av.VideoFrame]:
        try:
            return self._decoder.decode(packet)
        except Undecodable:                     # damaged in transit; the next keyframe repairs it
            return ()

    def _painted(self, frame: av.VideoFrame) -> av.VideoFrame:
        if frame.format.name != "yuv420p" or has_full_range(frame):
            frame = frame.reformat(format="yuv420p", dst_color_range=ColorRange.MPEG)
        width, height = frame.width & ~1, frame.height & ~1         # 4:2:0 has no odd sizes to encode
        if self._canvas is None or (self._canvas[0].width, self._canvas[0].height) != (width, height):
            self._canvas = av.VideoFrame(width, height, "yuv420p"), Masks(self._polygons, width, height)
        canvas, masks = self._canvas
        own = planes(canvas)
        for plane, theirs in zip(own, planes(frame), strict=True):
            plane[:] = theirs[:plane.shape[0], :plane.shape[1]]
        masks.paint(*own)
        return canvas


@contextlib.contextmanager
def _too_large() -> Iterator[None]:
    try:
        yield
    except TooLarge as error:
        raise SourceError("camera_stream_bad", f"pictures of {error} are too large for masks to be painted on them",
                          "lower the camera's resolution, or set the mask in its own menu") from None


BACK_US = 1_000_000         # a larger step back is another clock, not jitter


class Reencoder:
    """Works in the caller's thread. A picture that cannot be painted ends the run with an error."""

    def __init__(self, camera: Camera, sink: Sink, clock: Clock) -> None:
        self._camera, self._sink, self._clock = camera, sink, clock
        self._units = AccessUnits(encoder=f"x264 {PRESETS[-1]}")
        self._decoder: MaskedDecoder | None = None
        self._encoder: SoftwareEncoder | None = None
        self._size = (0, 0)
        self._last_us: int | None = None
        self._key_mono_s: float | None = None

    def stream(self, info: StreamInfo) -> None:
        """Starts another format, after the last pictures of the old decoder. Raises SourceError."""
        self.flush()
        with _too_large():
            self._decoder = MaskedDecoder(info, self._camera.masks)

    def packet(self, packet: Packet) -> None:
        """Decodes, paints, shows, encodes and passes on. Raises SourceError."""
        if packet.key:
            self._key_mono_s = self._clock.mono_s()
        if self._decoder is not None:
            with _too_large():
                for frame, pts_us in self._decoder.decode(packet):
                    self._hand_on(frame, pts_us)

    def flush(self) -> None:
        """Passes on the decoder's last pictures; only `stream` may follow."""
        if self._decoder is not None:
            for frame, pts_us in self._decoder.decode(None):
                self._hand_on(frame, pts_us)
            self._decoder = None

    def _hand_on(self, frame: av.VideoFrame, pts_us: int) -> None:
        if self._last_us is not None and self._last_us - BACK_US < pts_us <= self._last_us:
            return                          # an encoder refuses two pictures of one time
        self._show(frame)
        encoder = self._encoder_for(frame, pts_us)
        self._last_us = pts_us
        self._units.give(self._sink, encoder.encode(frame, pts_us), pts_us)

    def _show(self, frame: av.VideoFrame) -> None:
        """Shows motion detection the picture before the packet comes, so that it is not decoded twice."""
        now_mono_s = self._clock.mono_s()
        if self._sink.wants_main_luma() and self._sink.wants_luma(now_mono_s):
            self._sink.luma(luma_of(frame, now_mono_s, self._key_mono_s))

    def _encoder_for(self, frame: av.VideoFrame, pts_us: int) -> SoftwareEncoder:
        size, fell_back = (frame.width, frame.height), self._last_us is not None and pts_us < self._last_us
        if self._encoder is None or size != self._size or fell_back:
            self._encoder = SoftwareEncoder(*size, self._camera.fps, self._camera.bitrate_kbps, PRESETS[-1])
            self._size = size
        return self._encoder


PACKETS_MAX, BYTES_MAX = 150, 16 << 20      # of the video to measure with


class MaskingCost(NamedTuple):
    cpu_pct: float          # of one core
    busy_pct: float         # of the time, at the speed at which the camera sends


class _Nobody(Sink):
    """Ignores everything: only the time is measured."""


def masking_cost(camera: Camera, info: StreamInfo, packets: Sequence[Packet]) -> MaskingCost | None:
    """Measures painting on these packets, while nothing else runs in this process. Returns None for less than half a
    second of video. Raises SourceError."""
    times_us = [packet.dts_us for packet in packets]
    span_s = (times_us[-1] - times_us[0]) / 1e6 if times_us else 0.0
    if span_s < 0.5:
        return None
    workshop, cpu_s, began_s = Reencoder(camera, _Nobody(), SystemClock()), time.process_time(), time.perf_counter()
    workshop.stream(info)
    for packet in packets:
        workshop.packet(packet)
    workshop.flush()
    video_s = span_s * len(packets) / (len(packets) - 1)
    return MaskingCost(100 * (time.process_time() - cpu_s) / video_s, 100 * (time.perf_counter() - began_s) / video_s)
