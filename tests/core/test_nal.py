"""NAL units: split and joined without a loss, streams described as FFmpeg describes them, garbage refused."""
import subprocess
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.media import nal
from agent.core.media.nal import BitstreamError
from agent.core.media.sps import parse
from tests.core.mp4_material import HEIGHT, STREAMS, WIDTH, encode
from tests.rigs.wait import HANG_S

# FFmpeg's arguments, then what the stream must be: codec, width, height, chroma format, bits.
KINDS = {
    "baseline": ("libx264 -profile:v baseline -s 320x240", "h264", 320, 240, 1, 8),
    "1080p": ("libx264 -s 1920x1080", "h264", 1920, 1080, 1, 8),
    "odd": ("libx264 -s 322x182", "h264", 322, 182, 1, 8),
    "interlaced": ("libx264 -s 720x572 -flags +ilme+ildct", "h264", 720, 572, 1, 8),
    "422-10": ("libx264 -s 318x178 -pix_fmt yuv422p10le", "h264", 318, 178, 2, 10),
    "444": ("libx264 -s 317x177 -pix_fmt yuv444p", "h264", 317, 177, 3, 8),
    "grey": ("libx264 -s 317x177 -pix_fmt gray", "h264", 317, 177, 0, 8),
    "scaling-lists": ("libx264 -s 320x180 -x264-params cqm=jvt", "h264", 320, 180, 1, 8),
    "hevc": ("libx265 -s 322x182", "h265", 322, 182, 1, 8),
    "hevc-1080p": ("libx265 -s 1920x1080", "h265", 1920, 1080, 1, 8),
    "hevc-422-10": ("libx265 -s 322x182 -pix_fmt yuv422p10le", "h265", 322, 182, 2, 10),
    "hevc-layers": ("libx265 -s 320x180 -x265-params temporal-layers=3:log-level=none", "h265", 320, 180, 1, 8),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request, tmp_path_factory):
    """A raw stream of two frames, and the MP4 that FFmpeg makes of it."""
    arguments, codec, *picture = KINDS[request.param]
    raw, mp4 = (tmp_path_factory.mktemp("kind") / name for name in ("raw", "ff.mp4"))
    ffmpeg = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=15", "-frames:v", "2"]
    muxer = {"h264": "h264", "h265": "hevc"}[codec]
    quiet = [] if "params" in arguments or codec == "h264" else ["-x265-params", "log-level=none"]
    subprocess.run([*ffmpeg, "-c:v", *arguments.split(), *quiet, "-f", muxer, raw], check=True, timeout=HANG_S)
    subprocess.run(["ffmpeg", "-v", "error", "-f", muxer, "-i", raw, "-c", "copy", mp4], check=True, timeout=HANG_S)
    return codec, tuple(picture), raw.read_bytes(), mp4.read_bytes()


def box_of(mp4: bytes, name: bytes) -> bytes:
    at = mp4.index(name)
    return mp4[at + 4:at - 4 + int.from_bytes(mp4[at - 4:at], "big")]


def test_streams_are_described_as_ffmpeg_does_it(kind):
    codec, (width, height, chroma, bits), raw, mp4 = kind
    units = nal.split_annex_b(raw)
    found = nal.describe(codec, units)
    assert (found.codec, found.width, found.height) == (codec, width, height)
    sps = parse(codec, next(unit for unit in units if nal.unit_type(codec, unit) == nal.SPS[codec]))
    assert (sps.chroma, sps.luma_bits, sps.chroma_bits if chroma else bits) == (chroma, bits, bits)
    theirs = box_of(mp4, b"avcC" if codec == "h264" else b"hvcC")
    assert nal.codec_string(codec, found.config) == nal.codec_string(codec, theirs)
    sets = nal.parameter_sets(codec, units)
    assert nal.from_extradata(codec, found.config) == (sets, 4)
    assert nal.from_extradata(codec, b"".join(b"\0\0\0\1" + unit for unit in sets)) == (sets, 0)
    if codec == "h264":
        assert found.config == theirs
    else:       # what FFmpeg reads from the VUI (segmentation, parallelism) is optional
        for told in (slice(13), slice(16, 19), slice(21, 22)):
            assert found.config[told] == theirs[told]


@pytest.mark.parametrize("name", STREAMS)
def test_real_packets_are_recognised(name):
    stream, packets = encode(name)
    assert (stream.width, stream.height) == (WIDTH, HEIGHT)
    for packet in packets:
        units = nal.split_lengths(packet.data)
        assert nal.is_key(stream.codec, units) == packet.key
        assert bool(nal.parameter_sets(stream.codec, units)) == packet.key
        assert nal.join_lengths(units) == packet.data


def test_codec_strings_are_those_of_the_standard():
    assert nal.codec_string("h264", bytes.fromhex("0164001fffe100")) == "avc1.64001f"
    record = bytes.fromhex("01 01 60000000 b00000000000 5d f000fcfdf8f800000f00")
    assert nal.codec_string("h265", record) == "hvc1.1.6.L93.B0"


def test_start_codes_of_both_lengths_and_padding():
    stream = b"\0\0\0\1\x67\xaa\0\0\1\x68\xbb\0\0\0\0\0\1\x65\xcc\0\0"
    assert nal.split_annex_b(stream) == [b"\x67\xaa", b"\x68\xbb", b"\x65\xcc"]
    assert nal.to_lengths(b"\0\0\1\x67\xaa\0\0\0\1\x68") == b"\0\0\0\2\x67\xaa\0\0\0\1\x68"
    with pytest.raises(BitstreamError):
        nal.split_annex_b(b"\x67\xaa")
    for lie in (b"\0\0\0\2\x67", b"\0\0\0\0", b"\0\0\0", b"\xff\xff\xff\xff\x67"):
        with pytest.raises(BitstreamError):
            nal.split_lengths(lie)


UNIT = st.binary(min_size=1, max_size=40).map(lambda data: data.replace(b"\0\0", b"\0\3") + b"\x80")


@given(units=st.lists(st.tuples(st.sampled_from([b"\0\0\1", b"\0\0\0\1"]), UNIT), min_size=1, max_size=9))
def test_nothing_is_lost_between_the_wrappings(units):
    stream = b"".join(code + unit for code, unit in units)
    plain = [unit for _, unit in units]
    assert nal.split_annex_b(stream) == nal.split_lengths(nal.rewrap(stream, 0)) == plain
    short = b"".join(bytes((0, len(unit))) + unit for unit in plain)
    assert nal.rewrap(short, 2) == nal.rewrap(stream, 0) == nal.rewrap(nal.join_lengths(plain), 4)


@given(codec=st.sampled_from(["h264", "h265"]),
       data=st.binary(max_size=80) | st.binary(max_size=80).map(nal.START.__add__))
def test_garbage_is_refused_with_the_right_error(data, codec):
    for read in (nal.split_annex_b, nal.split_lengths, partial(parse, codec), partial(nal.from_extradata, codec),
                 partial(nal.codec_string, codec), lambda data: nal.describe(codec, nal.split_annex_b(data))):
        try:
            read(data)
        except BitstreamError as error:
            assert str(error)


@given(name=st.sampled_from(["h264", "h265"]), cut=st.integers(1, 10**4),
       flips=st.lists(st.tuples(st.integers(0, 10**4), st.integers(1, 255)), max_size=4))
def test_damaged_parameter_sets_are_read_or_refused(name, flips, cut):
    stream, packets = encode(name)
    units, _ = nal.config_units(name, stream.config)
    hurt, config = [bytearray(unit) for unit in units], bytearray(stream.config)
    for place, mask in flips:
        hurt[place % len(hurt)][place % len(hurt[place % len(hurt)])] ^= mask
        config[place % len(config)] ^= mask
    try:
        found = nal.describe(name, [bytes(unit) for unit in hurt])
        assert 0 < found.width <= 16_384 and 0 < found.height <= 16_384
    except BitstreamError:
        pass
    for read in (nal.config_units, nal.codec_string):
        with suppress(BitstreamError):
            read(name, bytes(config[:cut % len(config)]))
