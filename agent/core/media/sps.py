"""Sequence parameter sets of H.264 and H.265: picture size and sample format, read bit by bit.

Syntax: ITU-T H.264 (2021) §7.3.2.1.1 and H.265 (2021) §7.3.2.2. The size is that after cropping.
"""
from typing import NamedTuple

SPS_MAX_B = 4096        # real ones have 20 to 200 bytes
SIDE_MAX_PX = 16_384
REORDER_MAX_N = 16      # frames that a decoder may have to hold back (both standards)
HELD_MAX_N = 16         # frames that later ones may depend on (both standards)
BESIDE_B_PER_PX = 0.6   # libav's memory beside a picture: vectors, modes, references (measured)

BASELINE = 66           # the H.264 profile without B-frames

# H.264 profiles whose SPS has chroma format and bit depth (§7.3.2.1.1).
H264_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})

# chroma_format_idc -> luma samples per chroma sample, across and down (table 6-1 of both standards).
SUBSAMPLING = {0: (1, 1), 1: (2, 2), 2: (2, 1), 3: (1, 1)}


class BitstreamError(Exception):
    """The bytes are not valid H.264 or H.265. The message says what is wrong."""


class Sps(NamedTuple):
    """The fields of an SPS that set up a decoder. `ptl` (H.265) are the 12 bytes of general profile, tier and level."""

    width: int
    height: int
    chroma: int             # chroma_format_idc: 0 grey, 1 4:2:0, 2 4:2:2, 3 4:4:4
    luma_bits: int
    chroma_bits: int
    layers_n: int = 1       # H.265 temporal layers
    nested: int = 1         # H.265 sps_temporal_id_nesting_flag
    ptl: bytes = b""
    reorder_n: int | None = None    # the most frames that are decoded before, but shown after one; None: unknown
    coded_px: int = 0       # of a whole picture, before cropping
    held_n: int = HELD_MAX_N        # pictures that a decoder must keep beside the present one

    @property
    def picture_b(self) -> int:
        """The memory for one decoded picture, bytes."""
        across, down = SUBSAMPLING[self.chroma]
        samples = 1 + (2 / (across * down) if self.chroma else 0)
        sample_b = 1 if max(self.luma_bits, self.chroma_bits) <= 8 else 2
        return int(self.coded_px * (samples * sample_b + BESIDE_B_PER_PX))

    @property
    def decoder_b(self) -> int:
        """The memory for decoding, bytes: kept pictures, the present one and the shown one."""
        return (self.held_n + 2) * self.picture_b


class Bits:
    """Reads a NAL unit's payload from the first bit on. Raises BitstreamError at its end."""

    def __init__(self, unit: bytes, skip_b: int) -> None:
        """Starts after a NAL header of `skip_b` bytes and removes emulation prevention bytes."""
        if not skip_b < len(unit) <= SPS_MAX_B:
            raise BitstreamError(f"a parameter set of {len(unit)} bytes")
        payload = unit[skip_b:].replace(b"\0\0\3", b"\0\0")
        self._value = int.from_bytes(payload, "big")
        self._left = 8 * len(payload)

    def u(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise BitstreamError("a parameter set ends early")
        return (self._value >> self._left) & ((1 << count) - 1)

    def ue(self) -> int:
        """Returns an unsigned Exp-Golomb number (H.264 §9.1), below 2^32."""
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros == 32:
                raise BitstreamError("a number in a parameter set is too large")
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """Returns a signed Exp-Golomb number (H.264 §9.1.1)."""
        code = self.ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def parse(codec: str, unit: bytes) -> Sps:
    """Reads the SPS of codec "h264" or "h265", a NAL unit with its header. Raises BitstreamError."""
    sps = _h264(unit) if codec == "h264" else _h265(unit)
    if not (0 < sps.width <= SIDE_MAX_PX and 0 < sps.height <= SIDE_MAX_PX):
        raise BitstreamError(f"a picture of {sps.width} x {sps.height}")
    if max(sps.luma_bits, sps.chroma_bits) > 15:        # the limit of the configuration records
        raise BitstreamError(f"samples of {sps.luma_bits} and {sps.chroma_bits} bits")
    return sps


def _h264(unit: bytes) -> Sps:
    bits = Bits(unit, 1)
    profile = bits.u(8)
    bits.u(16)                                      # constraint flags, level
    bits.ue()                                       # sps id
    chroma, separate, luma_bits, chroma_bits = 1, 0, 8, 8
    if profile in H264_HIGH_PROFILES:
        chroma, separate = _chroma_format(bits)
        luma_bits, chroma_bits = 8 + bits.ue(), 8 + bits.ue()
        bits.u(1)                                   # lossless bypass
        if bits.u(1):
            _skip_scaling_lists(bits, 12 if chroma == 3 else 8)
    bits.ue()                                       # log2_max_frame_num
    in_order = _skip_picture_order(bits) == 2 or profile == BASELINE
    references_n = bits.ue()
    bits.u(1)
    columns, rows = bits.ue() + 1, bits.ue() + 1
    fields = 1 if bits.u(1) else 2                  # 2: a map unit covers a pair of interlaced rows
    bits.u(1 if fields == 1 else 2)                 # direct_8x8 (and mb_adaptive_frame_field)
    across, down = SUBSAMPLING[0 if separate else chroma]
    left, right, top, bottom = _window(bits)
    reorder_n = 0 if in_order else _h264_reorder(bits, references_n)
    return Sps(16 * columns - across * (left + right), fields * (16 * rows - down * (top + bottom)),
               chroma, luma_bits, chroma_bits, reorder_n=reorder_n, coded_px=256 * columns * fields * rows,
               held_n=min(max(references_n, reorder_n or 0), HELD_MAX_N))


def _h265(unit: bytes) -> Sps:
    bits = Bits(unit, 2)
    bits.u(4)                                       # vps id
    sub_layers = bits.u(3)
    nested = bits.u(1)
    ptl = bits.u(96).to_bytes(12, "big")
    _skip_sub_layers(bits, sub_layers)
    bits.ue()                                       # sps id
    chroma, separate = _chroma_format(bits)
    width, height = bits.ue(), bits.ue()
    across, down = SUBSAMPLING[0 if separate else chroma]
    left, right, top, bottom = _window(bits)
    luma_bits, chroma_bits = 8 + bits.ue(), 8 + bits.ue()
    reorder_n, held_n = _h265_reorder(bits, sub_layers)
    return Sps(width - across * (left + right), height - down * (top + bottom), chroma, luma_bits, chroma_bits,
               layers_n=sub_layers + 1, nested=nested, ptl=ptl, reorder_n=reorder_n, coded_px=width * height,
               held_n=held_n)


def _chroma_format(bits: Bits) -> tuple[int, int]:
    chroma = bits.ue()
    if chroma not in SUBSAMPLING:
        raise BitstreamError(f"chroma format {chroma}")
    return chroma, bits.u(1) if chroma == 3 else 0


def _window(bits: Bits) -> tuple[int, int, int, int]:
    return (bits.ue(), bits.ue(), bits.ue(), bits.ue()) if bits.u(1) else (0, 0, 0, 0)


def _skip_scaling_lists(bits: Bits, lists_n: int) -> None:
    """H.264 §7.3.2.1.1.1: a list ends where its next scale becomes 0."""
    for number in range(lists_n):
        scale = 8
        for _ in range((16 if number < 6 else 64) if bits.u(1) else 0):
            scale = (scale + bits.se()) % 256
            if not scale:
                break


def _skip_picture_order(bits: Bits) -> int:
    """Returns pic_order_cnt_type; with 2 frames are shown in the order of decoding."""
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.u(1)
        bits.se()
        bits.se()
        cycle = bits.ue()
        if cycle > 255:
            raise BitstreamError(f"a picture order cycle of {cycle}")
        for _ in range(cycle):
            bits.se()
    return kind


def _h264_reorder(bits: Bits, references_n: int) -> int | None:
    """Returns max_num_reorder_frames of the VUI (annex E.1.1); None if it cannot be read. With only one reference no
    frame can depend on both a later and an earlier one, so the answer is 0."""
    unknown = 0 if references_n <= 1 else None
    try:
        if not bits.u(1) or not _skip_to_restriction(bits):
            return unknown
        bits.u(1)                                   # motion vectors over the picture's edge
        for _ in range(4):
            bits.ue()                               # bytes and bits per part of a picture, lengths of motion vectors
        reorder_n = bits.ue()
    except BitstreamError:
        return unknown
    return reorder_n if reorder_n <= REORDER_MAX_N else unknown


def _skip_to_restriction(bits: Bits) -> int:
    if bits.u(1) and bits.u(8) == 255:              # aspect ratio, in figures
        bits.u(32)
    if bits.u(1):
        bits.u(1)                                   # overscan
    if bits.u(1):
        bits.u(4)                                   # video format, range
        if bits.u(1):
            bits.u(24)                              # colour
    if bits.u(1):
        bits.ue(), bits.ue()                        # chroma location
    if bits.u(1):
        bits.u(65)                                  # timing
    buffers_n = 0
    for _ in range(2):
        if bits.u(1):
            _skip_buffers(bits)
            buffers_n += 1
    if buffers_n:
        bits.u(1)                                   # low delay
    bits.u(1)                                       # picture structure in SEI
    return bits.u(1)


def _skip_buffers(bits: Bits) -> None:
    """hrd_parameters (annex E.1.2)."""
    count = bits.ue() + 1
    bits.u(8)
    for _ in range(min(count, 33)):                 # at most 32; with more the data ends early
        bits.ue(), bits.ue(), bits.u(1)
    bits.u(20)


def _h265_reorder(bits: Bits, sub_layers: int) -> tuple[int | None, int]:
    """sps_max_num_reorder_pics and sps_max_dec_pic_buffering of the highest sub-layer."""
    try:
        bits.ue()                                   # log2_max_pic_order_cnt_lsb
        reorder_n = held_n = 0
        for _ in range(sub_layers + 1 if bits.u(1) else 1):
            held_n, reorder_n, _ = bits.ue() + 1, bits.ue(), bits.ue()
    except BitstreamError:
        return None, HELD_MAX_N
    return reorder_n if reorder_n <= REORDER_MAX_N else None, min(held_n, HELD_MAX_N)


def _skip_sub_layers(bits: Bits, sub_layers: int) -> None:
    """H.265 §7.3.3 after the general part: for each sub-layer 88 bits of profile and 8 of level, if present."""
    if sub_layers:
        present = [(bits.u(1), bits.u(1)) for _ in range(sub_layers)]
        bits.u(2 * (8 - sub_layers))
        for profile, level in present:
            bits.u(88 * profile + 8 * level)
