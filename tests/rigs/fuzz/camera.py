"""What comes in from cameras, as targets for a fuzzer: bytes in, nothing but the declared kinds of error out.

`SEEDS` has good inputs for each of `TARGETS`. A camera's film is one input: its configuration and its packets, each
behind its length in two bytes; the first byte tells the codec.
"""
import contextlib
from collections.abc import Callable, Iterator

import av
import numpy as np

from agent.cameras.rtsp import received
from agent.capture.main_decoder import Decoder
from agent.capture.still import jpeg
from agent.core.media import nal, sps
from agent.core.media.model import Packet, StreamInfo
from agent.core.media.nal import BitstreamError, ParameterSets
from agent.core.protocols.onvif import discovery, services, soap
from agent.core.protocols.onvif.soap import BadXml
from agent.core.protocols.rtp.receiver import InterleavingError, Receiver
from agent.core.protocols.rtsp.address import parse
from agent.core.protocols.rtsp.dialogue import Dialogue, Moved, RequestRefused
from agent.core.protocols.rtsp.login import Login
from agent.core.protocols.rtsp.message import RtspInbox, Unreadable
from agent.core.protocols.rtsp.sdp import UnfitStream
from agent.footage.film import last_picture
from agent.host.decoder import TooLarge, is_small
from agent.host.luma import luma_of
from tests.rigs.cameras.giant_pictures import giant_sps
from tests.rigs.cameras.h264 import encoded

CODECS = ("h264", "h265")
PACKETS_MAX_N = 12
EVERY_B = 20_000            # of what the talk says back and hands on
URL = "rtsp://me:pw@camera/live"


def _framed(parts: list[bytes]) -> bytes:
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def _parts(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + 2 <= len(data):
        begin = at + 2
        at = begin + int.from_bytes(data[at:begin], "big")
        yield data[begin:at]


def film(data: bytes) -> None:
    """A camera's film goes the way of motion and the way of a still."""
    codec = CODECS[data[0] & 1] if data else CODECS[0]
    config, *datas = [*_parts(data[1:])][:1 + PACKETS_MAX_N] or [b""]
    info = StreamInfo(codec, 64, 48, config)
    packets = [Packet(each, n * 100_000, n * 100_000, n % 4 == 0) for n, each in enumerate(datas)]
    with contextlib.suppress(TooLarge):
        decoder = Decoder(info)
        for packet in packets:
            if (picture := decoder.decode(packet)) is not None:
                assert luma_of(picture, 0.0).y.ndim == 2
        if packets and (picture := decoder.decode_alone(packets[0])) is not None:
            assert luma_of(picture, 0.0).y.ndim == 2
    if packets and (picture := last_picture(info, packets)) is not None:
        jpeg(picture, 80, 64)


def sets(data: bytes) -> None:
    """Parameter sets and decoder configurations: a size that can be believed, or what is wrong with them."""
    codec, rest = CODECS[data[0] & 1] if data else CODECS[0], data[1:]
    with contextlib.suppress(BitstreamError):
        found = sps.parse(codec, rest)
        assert 0 < found.width <= sps.SIDE_MAX_PX and 0 < found.height <= sps.SIDE_MAX_PX
        assert found.decoder_b > 0 and found.held_n <= sps.HELD_MAX_N
    units = [*_parts(rest)]
    with contextlib.suppress(BitstreamError):
        nal.describe(codec, [unit for unit in units if unit])
    ParameterSets(codec, units).learn(units)
    with contextlib.suppress(BitstreamError):
        nal.from_extradata(codec, rest)
    with contextlib.suppress(BitstreamError):
        nal.codec_string(codec, rest)
    with contextlib.suppress(TooLarge):
        is_small(StreamInfo(codec, 64, 48, rest))


def talk(data: bytes) -> None:
    """All that a camera says on one connection, from the first answer to the last packet."""
    address = parse(URL)
    dialogue, inbox = Dialogue(address, Login(address.user, address.password, "x"), audio=True), RtspInbox()
    said = dialogue.begin()
    try:
        inbox.feed(data)
        for message in inbox.messages():
            said += dialogue.hear(message)
            if dialogue.playing:
                break
        if dialogue.playing:
            receiver = Receiver({track.channel: received(track) for track in dialogue.tracks})
            assert len(receiver.feed(inbox.rest())) <= len(data)
            said += dialogue.keep_alive() + dialogue.farewell()
    except (Unreadable, RequestRefused, UnfitStream, Moved, InterleavingError) as error:
        assert len(str(error)) < 1_000
    assert len(said) < EVERY_B + 20 * len(data)


def onvif(data: bytes) -> None:
    """An answer to a probe, or of one of the services."""
    for read in (lambda: discovery.matches(data, {"x"}), lambda: _answered(data)):
        with contextlib.suppress(BadXml, soap.Fault):
            read()


def _answered(data: bytes) -> None:
    answer = soap.unwrap(data)
    services.clock(answer), services.services(answer), services.capabilities(answer), services.maker_and_model(answer)
    for service in (services.Media1(), services.Media2()):
        service.address(answer), service.limits(answer, "h264"), service.encoder(answer)
        for profile in service.profiles(answer):
            service.set_encoder(services.with_rate(profile.encoder, 5.0, service.limits(answer, "h264")))


def _films() -> Iterator[bytes]:
    frames = [av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * number, np.uint8), "rgb24") for number in range(6)]
    for options in ({}, {"bf": "2", "tune": "film"}, {"x264-params": "ref=4:interlaced=1"}):
        info, packets = encoded(frames, 10, 6, **options)
        yield b"\0" + _framed([info.config, *(packet.data for packet in packets)])
    (own, pps), _ = nal.config_units("h264", info.config)
    for size in ((8192, 8192), (1920, 1088), (64, 48, 16)):
        giant = giant_sps(own, *size)
        yield b"\0" + _framed([nal.describe("h264", [giant, pps]).config, *(packet.data for packet in packets)])
        yield b"\0" + _framed([info.config, nal.join_lengths([giant, pps]) + packets[0].data])
    encoder = av.CodecContext.create("libx265", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.framerate = 64, 48, "yuv420p", 10
    encoder.options = {"x265-params": "repeat-headers=1:log-level=none:pools=none:bframes=1"}
    coded = [packet for frame in [*frames, None]
             for packet in encoder.encode(frame.reformat(format="yuv420p") if frame else None)]
    packets_265 = [nal.to_lengths(bytes(packet)) for packet in coded]
    yield b"\1" + _framed([nal.describe("h265", nal.split_lengths(packets_265[0])).config, *packets_265])


def _sets() -> Iterator[bytes]:
    for one in _films():
        config = next(_parts(one[1:]))
        units, _ = nal.config_units(CODECS[one[0]], config)
        yield from (one[:1] + config, one[:1] + _framed(units), *(one[:1] + unit for unit in units))


SDP = (b"v=0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n"
       b"a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0IACpZTBYmI,aMljiA==\r\n"
       b"m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/16000/1\r\n"
       b"a=fmtp:97 mode=AAC-hbr;config=1408;sizelength=13;indexlength=3;indexdeltalength=3\r\n")
ANSWER = b"RTSP/1.0 200 OK\r\nCSeq: %d\r\n%b\r\n"
SETUP = ANSWER % (3, b"Session: 1;timeout=60\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n")
TALK = (ANSWER % (1, b"Public: DESCRIBE, GET_PARAMETER\r\n")
        + ANSWER % (2, b"Content-Base: rtsp://camera/\r\nContent-Length: %d\r\n" % len(SDP)) + SDP + SETUP
        + SETUP.replace(b"CSeq: 3", b"CSeq: 4").replace(b"0-1", b"2-3") + ANSWER % (5, b"RTP-Info: url=x\r\n")
        + b"$\0\0\x11\x80\xe0\0\1\0\0\0\0abcd\x65\x88\x84\0\x10" + b"$\2\0\x14\x80\xe1\0\1\0\0\0\0abcd\0\x10\0\x20abcd")
ONVIF = (f'<s:Envelope xmlns:s="{soap.ENVELOPE}"><s:Header><RelatesTo>urn:uuid:x</RelatesTo></s:Header><s:Body><R>'
         '<ProbeMatch><Types>NetworkVideoTransmitter</Types><Scopes>onvif://www.onvif.org/name/a</Scopes></ProbeMatch>'
         '<Profiles token="a"><VideoEncoderConfiguration token="b"><Encoding>H264</Encoding><Resolution><Width>640'
         '</Width><Height>360</Height></Resolution><RateControl><FrameRateLimit>15</FrameRateLimit></RateControl>'
         "</VideoEncoderConfiguration></Profiles></R></s:Body></s:Envelope>").encode()

TARGETS: dict[str, Callable[[bytes], None]] = {"film": film, "sets": sets, "talk": talk, "onvif": onvif}
SEEDS: dict[str, list[bytes]] = {
    "film": [*_films()], "sets": [*_sets()], "onvif": [ONVIF],
    "talk": [TALK, TALK.replace(b"200 OK\r\nCSeq: 2", b"302 Found\r\nLocation: rtsp://x/\r\nCSeq: 2"),
             TALK.replace(b"200 OK\r\nCSeq: 1", b'401 No\r\nWWW-Authenticate: Digest realm="a", nonce="b"\r\nCSeq: 1')]}
