"""NAL units of H.264 and H.265: split, join, recognise, and describe a stream by its parameter sets.

They come in two forms: Annex B (start codes: cameras, encoders) and 4-byte lengths (MP4, and our Packet). Formats:
ITU-T H.264 and H.265 Annex B; ISO/IEC 14496-15 §5.3.3 (avcC), §8.3.3 (hvcC) and annex E (codec strings).
"""
import struct
from collections.abc import Iterable, Sequence

from agent.core.media.model import StreamInfo
from agent.core.media.sps import H264_HIGH_PROFILES, BitstreamError, parse


class ParameterSets:
    """A stream's parameter sets. `info` is None until valid sets of all kinds have come."""

    def __init__(self, codec: str, units: Sequence[bytes]) -> None:
        """`codec` is "h264" or "h265". `units` are the NAL units of the stream's description, if it has any."""
        self._codec = codec
        self._units: list[bytes] = []
        self.info: StreamInfo | None = None
        self.reorder_n: int | None = None       # of the SPS
        self.learn(units)

    def learn(self, units: Sequence[bytes]) -> bool:
        """Adds the parameter sets of an access unit, which replace those of their kind. Returns whether `info` has
        changed. Damaged sets change nothing. Many cameras have some in their SDP, and the right ones in the stream."""
        fresh = parameter_sets(self._codec, [unit for unit in units if unit])
        kinds = {unit_type(self._codec, unit) for unit in fresh}
        # A camera may repeat only one kind.
        kept = [unit for unit in self._units if unit_type(self._codec, unit) not in kinds]
        if sorted(kept + fresh) == sorted(self._units):
            return False
        self._units = kept + fresh
        try:
            info = describe(self._codec, self._units)
            kind = SPS[self._codec]
            sps = next(unit for unit in self._units if unit_type(self._codec, unit) == kind)
            reorder_n = parse(self._codec, sps).reorder_n
        except BitstreamError:
            return False
        if info == self.info:       # it stays the same object while it is equal
            return False
        self.info, self.reorder_n = info, reorder_n
        return True


START = b"\0\0\1"
LENGTH = struct.Struct(">I")

IDR = 5                                     # H.264 §7.4.1, table 7-1
IRAP = range(16, 22)                        # H.265 §7.4.2.2, table 7-1: BLA, IDR, CRA
SETS = {"h264": (7, 8), "h265": (32, 33, 34)}      # SPS, PPS; VPS, SPS, PPS
SPS = {"h264": 7, "h265": 33}


def split_annex_b(data: bytes) -> list[bytes]:
    """Returns the NAL units between start codes of 3 or 4 bytes. Raises BitstreamError if absent."""
    units = []
    code = data.find(START)
    if code < 0:
        raise BitstreamError("no start code")
    while code >= 0:
        begin = code + 3
        code = data.find(START, begin)
        end = len(data) if code < 0 else code
        if end > begin and not data[end - 1]:       # the 4th byte of the next code: skipped without a copy
            end -= 1
        unit = data[begin:end].rstrip(b"\0")        # a NAL unit never ends with 0 (§7.4.1): the rest is padding
        if unit:
            units.append(unit)
    return units


def split_lengths(data: bytes, prefix_b: int = 4) -> list[bytes]:
    """Returns the NAL units after big-endian lengths of `prefix_b` bytes. Raises BitstreamError if they don't fit."""
    units = []
    at, end = 0, len(data)
    while at < end:
        begin = at + prefix_b
        at = begin + int.from_bytes(data[at:begin], "big")
        if not begin < at <= end:
            raise BitstreamError(f"a NAL unit of {at - begin} bytes where {end - begin} are left")
        units.append(data[begin:at])
    return units


def join_lengths(units: Iterable[bytes]) -> bytes:
    parts: list[bytes] = []
    for unit in units:
        parts += (LENGTH.pack(len(unit)), unit)
    return b"".join(parts)


def to_lengths(data: bytes) -> bytes:
    """Converts an Annex B access unit to 4-byte lengths. Raises BitstreamError."""
    return join_lengths(split_annex_b(data))


def rewrap(data: bytes, prefix_b: int) -> bytes:
    """Converts an access unit with lengths of `prefix_b` bytes, or with start codes if that is 0, to 4-byte lengths.

    A packet does not show its form, because a length of 256 to 511 looks like a start code; `from_extradata` returns
    it. Raises BitstreamError.
    """
    if prefix_b == 4:
        return data
    return join_lengths(split_lengths(data, prefix_b)) if prefix_b else to_lengths(data)


def unit_type(codec: str, unit: bytes) -> int:
    return unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63


def is_key(codec: str, units: Iterable[bytes]) -> bool:
    types = (unit_type(codec, unit) for unit in units)
    return any(kind == IDR for kind in types) if codec == "h264" else any(kind in IRAP for kind in types)


def parameter_sets(codec: str, units: Iterable[bytes]) -> list[bytes]:
    """Returns the distinct parameter sets in `units`, in order. If those of two access units differ, they changed."""
    return list(dict.fromkeys(unit for unit in units if unit_type(codec, unit) in SETS[codec]))


def describe(codec: str, units: Iterable[bytes]) -> StreamInfo:
    """Returns size and configuration of a stream with all its parameter sets in `units`. Raises BitstreamError."""
    sets = parameter_sets(codec, units)
    config = config_record(codec, sets)
    sps = parse(codec, _of_type(codec, sets, SPS[codec])[0])
    return StreamInfo(codec, sps.width, sps.height, config)


def config_record(codec: str, sets: Iterable[bytes]) -> bytes:
    """Returns the body of avcC or hvcC with these parameter sets. Raises BitstreamError: one is missing or bad."""
    groups = [_of_type(codec, sets, kind) for kind in SETS[codec]]
    return _avcc(*groups) if codec == "h264" else _hvcc(*groups)


def config_units(codec: str, config: bytes) -> tuple[list[bytes], int]:
    """Returns the parameter sets in an avcC or hvcC body, and the size of its lengths. Raises BitstreamError."""
    read, lengths_at = (_avcc_units, 4) if codec == "h264" else (_hvcc_units, 21)
    try:
        return read(config), (config[lengths_at] & 3) + 1
    except (IndexError, struct.error):
        raise BitstreamError(f"a decoder configuration of {len(config)} bytes ends early") from None


def from_extradata(codec: str, extradata: bytes) -> tuple[list[bytes], int]:
    """Returns the parameter sets in a demuxer's extradata, and the form of its packets (`prefix_b` of `rewrap`).

    Extradata is a configuration record, whose first byte is 1, or Annex B. If it is empty, the sets come within the
    packets. Raises BitstreamError.
    """
    if extradata.startswith(b"\1"):
        return config_units(codec, extradata)
    return (split_annex_b(extradata) if extradata else []), 0


def codec_string(codec: str, config: bytes) -> str:
    """Returns the stream's name for browsers: "avc1.64001f", "hvc1.1.6.L93.B0". Raises BitstreamError."""
    if len(config) < (7 if codec == "h264" else 23):
        raise BitstreamError(f"a decoder configuration of {len(config)} bytes")
    if codec == "h264":
        return "avc1." + config[1:4].hex()
    space, tier, profile = config[1] >> 6, config[1] >> 5 & 1, config[1] & 31
    compatible = int(f"{int.from_bytes(config[2:6], 'big'):032b}"[::-1], 2)
    constraints = "".join(f".{byte:X}" for byte in config[6:12].rstrip(b"\0"))
    return f"hvc1.{('', 'A', 'B', 'C')[space]}{profile}.{compatible:X}.{'LH'[tier]}{config[12]}{constraints}"


def _of_type(codec: str, sets: Iterable[bytes], kind: int) -> list[bytes]:
    found = [unit for unit in sets if unit_type(codec, unit) == kind]
    if not 1 <= len(found) <= 31 or max(map(len, found)) > 0xFFFF:
        raise BitstreamError(f"{len(found)} {codec} parameter sets of type {kind}")
    return found


def _sized(sets: list[bytes]) -> bytes:
    return b"".join(len(unit).to_bytes(2, "big") + unit for unit in sets)


def _avcc(sps: list[bytes], pps: list[bytes]) -> bytes:
    first = parse("h264", sps[0])
    record = bytes((1, *sps[0][1:4], 0xFC | 3, 0xE0 | len(sps))) + _sized(sps) + bytes((len(pps),)) + _sized(pps)
    if sps[0][1] in H264_HIGH_PROFILES:
        record += bytes((0xFC | first.chroma, 0xF8 | first.luma_bits - 8, 0xF8 | first.chroma_bits - 8, 0))
    return record


def _hvcc(vps: list[bytes], sps: list[bytes], pps: list[bytes]) -> bytes:
    """Segmentation, parallelism and frame rate stay unknown (0), as the record allows."""
    first = parse("h265", sps[0])
    formats = (0xFC | first.chroma, 0xF8 | first.luma_bits - 8, 0xF8 | first.chroma_bits - 8)
    record = bytes((1, *first.ptl, 0xF0, 0, 0xFC, *formats, 0, 0, first.layers_n << 3 | first.nested << 2 | 3, 3))
    for kind, sets in zip(SETS["h265"], (vps, sps, pps), strict=True):
        record += bytes((0x80 | kind, 0, len(sets))) + _sized(sets)
    return record


def _take_sized(config: bytes, at: int, count: int, into: list[bytes]) -> int:
    for _ in range(count):
        (size,) = struct.unpack_from(">H", config, at)
        unit = config[at + 2:at + 2 + size]
        if not unit or len(unit) < size:
            raise BitstreamError(f"a parameter set of {size} bytes in a decoder configuration of {len(config)}")
        into.append(unit)
        at += 2 + size
    return at


def _avcc_units(config: bytes) -> list[bytes]:
    units: list[bytes] = []
    at = _take_sized(config, 6, config[5] & 31, units)
    _take_sized(config, at + 1, config[at], units)
    return units


def _hvcc_units(config: bytes) -> list[bytes]:
    units: list[bytes] = []
    at = 23
    for _ in range(config[22]):
        at = _take_sized(config, at + 3, struct.unpack_from(">H", config, at + 1)[0], units)
    return units
