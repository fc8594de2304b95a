"""One stream's decoder, for looking and not for showing: one thread, no loop filter, brightness only."""
import logging

import av
import numpy as np

from agent.core.model import Packet, StreamInfo

NAMES = {"h264": "h264", "h265": "hevc"}

_log = logging.getLogger(__name__)


class Decoder:
    """Begins with a keyframe, and after damage with the next one."""

    def __init__(self, info: StreamInfo) -> None:
        self._codec = av.CodecContext.create(NAMES[info.codec], "r")
        self._codec.extradata = info.config
        self._codec.thread_count = 1        # more threads cost more time in sum, and delay each picture
        self._codec.thread_type = "NONE"
        self._codec.options = {"skip_loop_filter": "all"}       # a quarter of the time; motion does not mind blocks
        self._whole = False

    def decode(self, packet: Packet) -> av.VideoFrame | None:
        """The newest picture that comes out for this packet; with B-frames it is one of an earlier packet.

        None when there is none yet, and for what can't be decoded.
        """
        self._whole = self._whole or packet.key
        return self._through(packet) if self._whole else None

    def decode_alone(self, packet: Packet) -> av.VideoFrame | None:
        """A keyframe's own picture, whatever the decoder would wait for; what follows must begin with a keyframe."""
        self._codec.flush_buffers()     # of what an earlier picture may have left behind
        picture = self._through(packet)
        picture = self._through(None) or picture
        self._codec.flush_buffers()     # it had come to its end
        self._whole = False
        return picture

    def _through(self, packet: Packet | None) -> av.VideoFrame | None:
        try:
            frames = self._codec.decode(av.Packet(packet.data) if packet else None)
        except av.error.FFmpegError as error:
            _log.debug("a picture that can't be decoded: %s", error)
            self._whole = False
            return None
        return frames[-1] if frames else None


def luma_of(frame: av.VideoFrame) -> np.ndarray:
    """The brightness plane of a decoded picture, a view (height, width) of its own memory where the format has one."""
    if not frame.format.name.startswith(("yuv", "nv", "gray")) or frame.format.components[0].bits != 8:
        return frame.to_ndarray(format="gray")
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:frame.height, :frame.width]
