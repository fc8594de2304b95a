"""Decodes one stream for motion, which needs less of a picture than people do."""
import logging

import av

from agent.core.media.model import Packet, StreamInfo
from agent.host.decoder import BoundedDecoder, Undecodable
from agent.host.luma import LOOKING

_log = logging.getLogger(__name__)


class Decoder:
    """Begins with a keyframe, and after damage with the next one. Its methods raise TooLarge."""

    def __init__(self, info: StreamInfo, small: bool = False) -> None:
        """A `small` one is refused large pictures."""
        self._codec = BoundedDecoder(info, LOOKING, small=small)
        self._whole = False

    def decode(self, packet: Packet) -> av.VideoFrame | None:
        """The newest picture that comes out for this packet; with B-frames it is one of an earlier packet.

        None when there is none yet, and for what can't be decoded.
        """
        self._whole = self._whole or packet.key
        return self._through(packet) if self._whole else None

    def decode_alone(self, packet: Packet) -> av.VideoFrame | None:
        """A keyframe's own picture, whatever the decoder would wait for; what follows must begin with a keyframe."""
        self._codec.flush()             # of what an earlier picture may have left behind
        picture = self._through(packet)
        picture = self._through(None) or picture
        self._codec.flush()             # it had come to its end
        self._whole = False
        return picture

    def _through(self, packet: Packet | None) -> av.VideoFrame | None:
        try:
            frames = self._codec.decode(packet)
        except Undecodable as error:
            _log.debug("a picture that can't be decoded: %s", error)
            self._whole = False
            return None
        return frames[-1] if frames else None
