"""One picture out of encoded video: the last of some packets, decoded."""
import threading
from collections.abc import Callable, Sequence

import av

from agent.core.media.model import Packet, StreamInfo
from agent.host.decoder import BoundedDecoder, TooLarge, Undecodable, is_small

_one_at_a_time = threading.Lock()       # of large pictures, in this process


def last_picture(info: StreamInfo, packets: Sequence[Packet],
                 go_on: Callable[[], bool] = lambda: True) -> av.VideoFrame | None:
    """The picture of the last of `packets`, which begin with a keyframe, its pts in microseconds; None without any.

    `go_on` is asked before each packet but the first: after a no, the picture reached so far counts. Of large pictures
    it is the keyframe's own: what follows would take several times the memory.
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
