"""How far frames are out of order by their parameter sets: as FFmpeg reads it, and what follows if nothing is told."""
from pathlib import Path

import av
import pytest

from agent.core.media import nal
from agent.core.media.sps import parse
from tests.core.mp4_material import ffprobe

# Encoder and its parameters; what ffprobe calls has_b_frames is the oracle.
KINDS = [
    ("libx264", "bframes=0"), ("libx264", "bframes=1"), ("libx264", "bframes=3:b-pyramid=normal"),
    ("libx264", "bframes=2:nal-hrd=vbr:vbv-maxrate=500:vbv-bufsize=500:"
                "overscan=show:colorprim=bt709:chromaloc=1:sar=7/5"),
    ("libx265", "bframes=0"), ("libx265", "bframes=3"), ("libx265", "bframes=4:temporal-layers=2"),
]


@pytest.mark.parametrize(("encoder", "parameters"), KINDS)
def test_it_is_read_as_ffmpeg_reads_it(encoder: str, parameters: str, tmp_path: Path):
    codec = {"libx264": "h264", "libx265": "h265"}[encoder]
    context = av.CodecContext.create(encoder, "w")
    context.width, context.height, context.pix_fmt, context.framerate = 320, 180, "yuv420p", 15
    context.time_base = 1 / context.framerate
    quiet = "" if codec == "h264" else ":log-level=none:pools=none:repeat-headers=1"
    context.options = {f"{encoder[3:]}-params": parameters + quiet}
    packets = [packet for number in range(20) for packet in context.encode(picture(number))] + context.encode(None)
    raw = tmp_path / f"film.{codec}"
    raw.write_bytes(b"".join(map(bytes, packets)))
    sps = next(unit for unit in nal.split_annex_b(bytes(packets[0])) if nal.unit_type(codec, unit) == nal.SPS[codec])
    told = ffprobe(raw, "-f", codec.replace("h265", "hevc"), "-show_entries", "stream=has_b_frames")
    assert parse(codec, sps).reorder_n == int(told)


def picture(number: int) -> av.VideoFrame:
    frame = av.VideoFrame(320, 180, "yuv420p")
    for plane in frame.planes:
        plane.update(bytes((number * 9,)) * plane.buffer_size)
    frame.pts = number
    return frame


def sps_h264(profile: int, picture_order: int, references_n: int, vui: str = "0") -> bytes:
    """An SPS of 320 x 192, bit by bit."""
    def ue(value: int) -> str:
        return f"{value + 1:b}".rjust(2 * (value + 1).bit_length() - 1, "0")

    order = {0: ue(0) + ue(2), 2: ue(2)}[picture_order]
    bits = ue(0) + ue(0) + order + ue(references_n) + "0" + ue(19) + ue(11) + "110" + vui
    bits += "1" + "0" * (-(len(bits) + 1) % 8)
    return bytes((0x67, profile, 0, 30)) + int(bits, 2).to_bytes(len(bits) // 8, "big")


@pytest.mark.parametrize(("profile", "picture_order", "references_n", "vui", "reorder_n"), [
    (66, 0, 4, "0", 0),                                 # Baseline
    (77, 2, 4, "0", 0),                                 # shown in decoding order
    (77, 0, 1, "0", 0),                                 # one reference frame
    (77, 0, 4, "0", None),
    (77, 0, 4, "1" + "0" * 8 + "0", None),              # a VUI that doesn't tell
    (77, 0, 4, "1" + "0" * 8 + "1" + "1" + "1111" + "011" + "011", 2),
    (77, 0, 4, "1" + "0" * 8 + "1" + "1" + "1111" + "000010010" + "1", None),      # 17 is a lie
    (77, 0, 4, "1", None),                              # a VUI that ends early
])
def test_what_h264_tells_without_saying_it(profile, picture_order, references_n, vui, reorder_n):
    found = parse("h264", sps_h264(profile, picture_order, references_n, vui))
    assert (found.width, found.height, found.reorder_n) == (320, 192, reorder_n)
