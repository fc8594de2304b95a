"""From a camera's encoded video to pictures that may be seen: decoded, copied, the masks painted into the copy."""
from collections.abc import Iterator, Sequence
from fractions import Fraction

import av
from av.video.reformatter import ColorRange

from agent.capture.source.masks import Masks
from agent.capture.source.pictures import planes
from agent.core.model import Packet, StreamInfo

DECODERS = {"h264": "h264", "h265": "hevc"}
MICROSECONDS = Fraction(1, 1_000_000)
FULL_RANGE = (ColorRange.JPEG, ColorRange.JPEG.value)       # PyAV gives one or the other, by its version


class Painter:
    """Decodes one stream of one format. What the decoder itself remembers of a picture is never painted over.

    For the next pictures lean on it: black smeared into them would come out where nobody masked anything.
    """

    def __init__(self, info: StreamInfo, polygons: Sequence[Sequence[tuple[float, float]]]) -> None:
        """`polygons` are the masks, in fractions of the picture."""
        self._polygons = polygons
        self._decoder = av.CodecContext.create(DECODERS[info.codec], "r")
        self._decoder.extradata = info.config
        self._decoder.thread_count = 1          # more threads delay each picture and cost more in sum
        self._decoder.thread_type = "NONE"
        self._canvas: tuple[av.VideoFrame, Masks] | None = None

    def take(self, packet: Packet | None) -> Iterator[tuple[av.VideoFrame, int]]:
        """The pictures that come out for a packet, yuv420p and masked, each with its pts in microseconds.

        None asks for the last ones. A picture is valid until the next is asked for. What can't be decoded gives none.
        """
        for frame in self._decode(packet):
            if frame.pts is not None:
                yield self._painted(frame), int(frame.pts)

    def _decode(self, packet: Packet | None) -> Sequence[av.VideoFrame]:
        encoded = None
        if packet is not None:
            encoded = av.Packet(packet.data)
            encoded.pts, encoded.dts, encoded.time_base = packet.pts_us, packet.dts_us, MICROSECONDS
        try:
            return self._decoder.decode(encoded)
        except av.error.FFmpegError:            # damaged on the way; the next keyframe heals it
            return ()

    def _painted(self, frame: av.VideoFrame) -> av.VideoFrame:
        if frame.format.name != "yuv420p" or frame.color_range in FULL_RANGE:
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
