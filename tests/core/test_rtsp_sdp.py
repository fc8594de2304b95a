"""Descriptions as cameras of several makers write them, and as nobody should."""
import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.media.model import AudioInfo
from agent.core.protocols.rtsp import sdp
from agent.core.protocols.rtsp.sdp import UnfitStream, sound_of, video_of

SPS, PPS, VPS = b"\x67\x64\0\x1f\xac", b"\x68\xee\x3c\x80", b"\x40\1\x0c\1"
SETS = f"{base64.b64encode(SPS).decode()},{base64.b64encode(PPS).decode()}"
BASE = "rtsp://h/live/"

# Video with sound and a way back to the loudspeaker; session lines, an odd title, LF or CRLF.
WITH_SOUND = ("v=0\no=- 1 1 IN IP4 0.0.0.0\ns=C\u1ed5ng ch\u00ednh\nc=IN IP4 0.0.0.0\nt=0 0\n"
              "a=control:*\na=range:npt=0-\n"
              "m=video 0 RTP/AVP 96\nb=AS:5000\na=rtpmap:96 H264/90000\n"
              f"a=fmtp:96 profile-level-id=64001f; packetization-mode=1;sprop-parameter-sets={SETS}\n"
              "a=framerate:15.0\na=control:trackID=0\na=recvonly\n"
              "m=audio 0 RTP/AVP 97\na=rtpmap:97 MPEG4-GENERIC/16000/1\n"
              "a=fmtp:97 streamtype=5;mode=AAC-hbr;config=1408\n"
              "a=control:trackID=1\na=recvonly\n"
              "m=audio 0 RTP/AVP 0\na=control:trackID=2\na=sendonly\n"
              "m=application 0 RTP/AVP 107\na=control:trackID=3\na=rtpmap:107 vnd.onvif.metadata/90000\n").encode()


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_usual_description(line_end: bytes):
    described = sdp.read(WITH_SOUND.replace(b"\n", line_end))
    assert described.control == "*" and [media.kind for media in described.medias] == [
        "video", "audio", "audio", "application"]
    video = video_of(described, BASE)
    assert (video.codec, video.uri, described.medias[0].fps) == ("h264", "rtsp://h/live/trackID=0", 15.0)
    assert (video.format.payload, video.format.clock_hz) == (96, 90000)
    assert video.format.parameter_sets() == [SPS, PPS]
    sound, unknown = sound_of(described, BASE)
    assert sound.sound == AudioInfo("aac", 16000, 1, b"\x14\x08") and not unknown
    assert sound.format.clock_hz == 16000 and sound.uri.endswith("trackID=1")


@pytest.mark.parametrize(("lines", "codec", "payload", "clock_hz", "sets"), [
    ("m=video 0 RTP/AVP 98\na=rtpmap:98 H265/90000\n"
     f"a=fmtp:98 sprop-vps={base64.b64encode(VPS).decode()};sprop-sps=QgEB;sprop-pps=RAHB", "h265", 98, 90000,
     [VPS, b"\x42\1\1", b"\x44\1\xc1"]),
    ("m=video 0 RTP/AVP 96\na=rtpmap:96  hevc/90000", "h265", 96, 90000, []),
    # no rtpmap: the parameters give it away
    (f"m=video 0 RTP/AVP 35\na=fmtp:35 sprop-parameter-sets={SETS}", "h264", 35, 0, [SPS, PPS]),
    # an rtpmap of another number, with only one it can mean
    ("m=video 0 RTP/AVP 96\na=rtpmap:99 H264/90000", "h264", 96, 90000, []),
    # two formats, the first unknown; junk for base64, and none of its padding
    ("m=video 49170 RTP/AVP 26 96\na=rtpmap:96 H264/90000\na=fmtp:96 sprop-parameter-sets=?,Z2Q", "h264", 96, 90000,
     [b"\x67\x64"]),
    ("m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=framerate:a lot", "h264", 96, 90000, []),
])
def test_video_in_other_words(lines: str, codec: str, payload: int, clock_hz: int, sets: list[bytes]):
    track = video_of(sdp.read(lines.encode()), BASE)
    assert (track.codec, track.format.payload, track.format.clock_hz, track.uri) == (codec, payload, clock_hz, BASE)
    assert track.format.parameter_sets() == sets


@pytest.mark.parametrize(("lines", "told"), [
    ("", "no video"),
    ("m=audio 0 RTP/AVP 0", "no video"),
    ("m=video 0 RTP/AVP 26", "JPEG"),
    ("m=video 0 RTP/AVP 96\na=rtpmap:96 VP8/90000", "VP8"),
    ("m=video 0 RTP/AVP 96", "payload 96"),
    ("m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 packetization-mode=2", "order"),
    ("m=video 0 RTP/AVP 96\na=rtpmap:96 H265/90000\na=fmtp:96 sprop-max-don-diff=2", "order"),
])
def test_what_can_not_be_recorded_is_named(lines: str, told: str):
    with pytest.raises(UnfitStream, match=told):
        video_of(sdp.read(lines.encode()), BASE)


@pytest.mark.parametrize(("lines", "codec", "unknown"), [
    ("", None, ""),
    ("m=audio 0 RTP/AVP 8", "pcma", ""),
    ("m=audio 0 RTP/AVP 97\na=rtpmap:97 G726-32/8000", None, "g726-32"),
    ("m=audio 0 RTP/AVP 97\na=rtpmap:97 G726-32/8000\nm=audio 0 RTP/AVP 0", "pcmu", ""),
    ("m=audio 0 RTP/AVP 0\na=sendonly", None, ""),
    ("m=audio 0 RTP/AVP 97\na=rtpmap:97 PCMU/16000/2", "pcmu", ""),
    ("m=audio 0 RTP/AVP 97\na=rtpmap:97 MPEG4-GENERIC/16000\na=fmtp:97 mode=AAC-hbr;config=zz", None, "mpeg4-generic"),
    ("m=audio 0 RTP/AVP 97\na=rtpmap:97 MPEG4-GENERIC/16000\na=fmtp:97 mode=AAC-lbr;config=1408", None,
     "mpeg4-generic"),
    ("m=audio 0 RTP/AVP 97\na=rtpmap:97 MP4A-LATM/16000", None, "mp4a-latm"),
])
def test_sound_is_taken_where_it_can_be_kept(lines: str, codec: str | None, unknown: str):
    sound, named = sound_of(sdp.read(lines.encode()), BASE)
    assert (sound.codec if sound else None, named) == (codec, unknown)


def test_a_giant_description_costs_little_and_names_little():
    formats = b" ".join(b"%d" % (number % 128) for number in range(40_000))
    lines = [b"m=video 0 RTP/AVP " + formats, *(b"a=rtpmap:96 " + b"X" * 40 for _ in range(1_000)),
             *(b"a=fmtp:96 " + b"a=b;" * 20 for _ in range(900)), *(b"m=audio 0 RTP/AVP 0" for _ in range(2_000))]
    began_s = time.process_time()
    described = sdp.read(b"\n".join(lines))
    assert time.process_time() - began_s < 0.5
    assert len(described.medias) <= 32 and len(described.medias[0].formats) <= 32
    assert len(described.medias[0].formats[0].parameters) <= 32
    with pytest.raises(UnfitStream) as unfit:
        video_of(described, BASE)
    assert len(str(unfit.value)) < 100


@pytest.mark.parametrize("name", ["X" * 100_000, "\x1b[2J", "a b"])
def test_a_codec_that_is_no_word_is_not_repeated(name: str):
    described = sdp.read(f"m=audio 0 RTP/AVP 97\na=rtpmap:97 {name}/8000".encode())
    assert sound_of(described, BASE) == (None, "payload 97")


LINE = st.one_of(st.binary(max_size=40), st.sampled_from(WITH_SOUND.splitlines()),
                 st.sampled_from([b"m=video 0 RTP/AVP 96", b"m=", b"a=fmtp:96", b"a=rtpmap:", b"a=rtpmap:96 /",
                                  b"a=control"]))


@given(st.lists(LINE, max_size=30))
def test_any_description_is_read(lines: list[bytes]):
    described = sdp.read(b"\n".join(lines))
    for media in described.medias:
        for one in media.formats:
            assert all(one.parameter_sets()) and one.clock_hz >= 0 and one.channels >= 1
    try:
        assert video_of(described, BASE).codec in ("h264", "h265")
    except UnfitStream as unfit:
        assert str(unfit)
