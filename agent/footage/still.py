"""Decodes one picture: the last of some packets."""
import threading
from collections.abc import Callable, Sequence

import av

from agent.core.media.model import Packet, StreamInfo
from agent.host.decoder import BoundedDecoder, TooLarge, Undecodable, is_small

_one_at_a_time = threading.Lock()       # for large pictures, in this process


def last_picture(info: StreamInfo, packets: Sequence[Packet],
                 go_on: Callable[[], bool] = lambda: True) -> av.VideoFrame | None:
    """Returns the picture of the last of `packets`, with its pts in microseconds, or None.

    The packets begin with a keyframe. `go_on` is asked before each packet but the first: False ends there. For a large
    picture it returns the keyframe's own, because the packets after it would need several times the memory.
    """
    try:
        if is_small(info):
            return _last(BoundedDecoder(info, timed=True), packets, go_on)
        with _one_at_a_time:
            return _last(BoundedDecoder(info, timed=True, single=True), packets[:1], go_on)
    except (TooLarge, Undecodable):
        return None


def _last(decoder: BoundedDecoder, packets: Sequence[Packet], go_on: Callable[[], bool]) -> av.VideoFrame | None:
    picture = None
    for number, packet in enumerate(packets):
        if number and not go_on():
            break
        picture = (decoder.decode(packet) or [picture])[-1]
    return (decoder.decode(None) or [picture])[-1]
