"""Access units for the tests of RTP: real ones, and made-up ones that have all the NAL units a frame can have."""
from random import Random

from agent.core.media import nal
from agent.core.protocols.rtp.receiver import Receiver
from agent.core.protocols.rtp.track import EncodedUnit, Item
from agent.core.protocols.rtp.video import H264, H265
from tests.core.mp4_material import encode
from tests.rigs.cameras.rtp import cut

TRACKS = {"h264": H264, "h265": H265}
DELIMITER = {"h264": b"\x09\x10", "h265": b"\x46\x01\x10"}
NOTE = {"h264": b"\x06\x05\x01\x42\x80", "h265": b"\x4e\x01\x05\x01\x42\x80"}           # SEI in front of a picture
SLICE = {("h264", True): b"\x65", ("h264", False): b"\x41",
         ("h265", True): b"\x26\x01", ("h265", False): b"\x02\x01"}
FRAME_TICKS = 6000


def sets(codec: str) -> list[bytes]:
    """Valid parameter sets; the stream has no B-frames by them."""
    return nal.config_units(codec, encode(codec)[0].config)[0]


def frame(codec: str, random: Random, key: bool, slices_n: int, size_b: int) -> list[bytes]:
    """The NAL units of one made-up frame, its slices random bytes, about `size_b` each."""
    units = [DELIMITER[codec]] if random.random() < 0.5 else []
    if key:
        units += sets(codec)
    if random.random() < 0.5:
        units.append(NOTE[codec])
    for number in range(slices_n):
        body = random.randbytes(random.randint(1, size_b)).replace(b"\0\0", b"\0\3")
        first = bytes(((0x80 if number == 0 else 0) | body[0] & 0x7F,))
        units.append(SLICE[codec, key] + first + body[1:] + b"\x80")
    return units


def receive(receiver: Receiver, wire: bytes, random: Random | None = None, most_b: int = 4000) -> list[Item]:
    """All that comes out of these bytes, fed in pieces as they may come."""
    pieces = cut(wire, random, most_b) if random else [wire]
    return [item for piece in pieces for item in receiver.feed(memoryview(piece))]


def units_of(items: list[Item]) -> list[EncodedUnit]:
    """The units among them; those of video, which is on channel 0, are well-formed."""
    found = [item for item in items if isinstance(item, EncodedUnit)]
    assert all(nal.split_lengths(unit.data) for unit in found if not unit.track)
    return found
