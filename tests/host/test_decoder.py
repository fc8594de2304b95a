"""Decoders of strangers' video: what is too large is not decoded, what lies about its size is stopped."""
import resource
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from agent.core.media import nal
from agent.core.media.model import Packet, StreamInfo
from agent.footage.film import Film, FootageError
from agent.host.decoder import BoundedDecoder, TooLarge, Undecodable, is_small, jpeg_decoder
from tests.host.greedy_decoder import starve
from tests.rigs.cameras.giant_pictures import giant_sps
from tests.rigs.cameras.h264 import encoded, movie

INFO, PACKETS = movie(seconds=1)
(SPS, PPS), _ = nal.config_units("h264", INFO.config)


def with_sps(sps: bytes) -> tuple[StreamInfo, list[Packet]]:
    """The film under another SPS, in its description and in its packets."""
    packets = [Packet(nal.join_lengths(sps if nal.unit_type("h264", unit) == 7 else unit
                                       for unit in nal.split_lengths(packet.data)),
                      packet.pts_us, packet.dts_us, packet.key) for packet in PACKETS]
    return nal.describe("h264", [sps, PPS]), packets


@pytest.mark.parametrize(("width", "height", "references_n", "small"), [
    (1920, 1088, 4, True), (2688, 1520, 1, True), (2688, 1520, 4, False), (3840, 2160, 1, False),
    (3840, 2160, 3, False), (4000, 3008, 1, False)])
def test_what_cameras_send_is_decoded(width: int, height: int, references_n: int, small: bool):
    info, packets = with_sps(giant_sps(SPS, width, height, references_n))
    assert is_small(info) == small
    assert BoundedDecoder(info).decode(packets[0]) is not None


@pytest.mark.parametrize(("width", "height", "references_n", "shown"), [
    (8192, 8192, 1, None), (16_000, 16_000, 1, None), (3840, 2160, 16, None), (8192, 8192, 1, (640, 352))])
def test_what_takes_more_memory_than_there_is_is_not_decoded(width: int, height: int, references_n: int,
                                                             shown: tuple[int, int] | None):
    info, _ = with_sps(giant_sps(SPS, width, height, references_n, shown))
    assert shown is None or (info.width, info.height) == shown
    with pytest.raises(TooLarge):
        BoundedDecoder(info)
    with pytest.raises(TooLarge):
        is_small(info)


def test_large_ones_share_what_there_is_and_small_ones_need_not_ask():
    large, small = with_sps(giant_sps(SPS, 3840, 2160, 1))[0], INFO
    first = BoundedDecoder(large)
    with pytest.raises(TooLarge):
        BoundedDecoder(large)
    BoundedDecoder(small), BoundedDecoder(large, single=True)
    del first
    BoundedDecoder(large)


def test_another_size_within_a_packet_reaches_no_decoder():
    ours = BoundedDecoder(INFO)
    assert ours.decode(PACKETS[0])
    for sps in (giant_sps(SPS, 8192, 8192), giant_sps(SPS, 320, 192, 16), SPS[:6]):
        _, packets = with_sps(sps) if len(sps) > 6 else (None, [Packet(nal.join_lengths([sps, PPS]), 0, 0, True)])
        with pytest.raises(Undecodable):
            ours.decode(packets[0])
    ours.flush()
    assert ours.decode(PACKETS[0])


@pytest.mark.parametrize("data", [b"\0\0\0\7\x65", b"\1\0\0", b"\xff" * 30, b"\0\0\0\1\x65" * 5_000, b"\0\0\0\0"])
def test_lengths_that_make_no_sense_reach_no_decoder(data: bytes):
    with pytest.raises(Undecodable):
        BoundedDecoder(INFO).decode(Packet(data, 0, 0, True))


def test_a_decoder_that_wants_more_than_it_said_is_stopped():
    pictures = (np.full((2160, 3840, 3), 20 * number, np.uint8) for number in range(8))
    info, packets = encoded((av.VideoFrame.from_ndarray(picture, "rgb24") for picture in pictures), 10, 8,
                            **{"x264-params": "ref=4:level=6.2"})
    told, grown_mb = starve(info, packets, 20 << 20)
    assert told == "3840x2160" and grown_mb < 60
    told, grown_mb = starve(info, packets, 100 << 20)
    assert told == "decoded" and 60 < grown_mb < 110


def test_a_file_of_giant_pictures_is_not_looked_at(tmp_path: Path):
    _, packets = with_sps(giant_sps(SPS, 8192, 8192))
    path = tmp_path / "giant.h264"
    path.write_bytes(b"".join(b"\0\0\0\1" + unit for packet in packets for unit in nal.split_lengths(packet.data)))
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FootageError, match="8192x8192"):
        Film(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before_kb + 50_000


def test_a_jpeg_is_as_large_as_the_webcam_said():
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 2560, 1440, "yuvj420p", Fraction(1, 10)
    (picture,) = encoder.encode(av.VideoFrame(2560, 1440, "yuvj420p"))
    assert jpeg_decoder(2560, 1440).decode(av.Packet(bytes(picture)))
    with pytest.raises(av.error.FFmpegError):
        jpeg_decoder(1280, 720).decode(av.Packet(bytes(picture)))
