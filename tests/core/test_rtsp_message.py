"""RTSP messages and addresses: what cameras write is read, what nobody should write is refused, and that is all."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.protocols.rtsp import message
from agent.core.protocols.rtsp.address import base_of, parse, resolve
from agent.core.protocols.rtsp.message import (
    BODY_MAX_B,
    EARLY_MAX_B,
    HEAD_MAX_B,
    RtspAnswer,
    RtspInbox,
    RtspRequest,
    Unreadable,
)

# One of each: with a body, without, a server's request, line ends of one byte, a folded header, packets in between.
SPOKEN = (b"\r\n\r\nRTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 5\r\n\r\nv=0$\n"
          b"$\0\0\3abc"
          b"RTSP/1.0 401 Unauthorized\nCSeq: 3\n"
          b"WWW-Authenticate: Basic realm=\"a\"\nwww-authenticate:\n Digest realm=\"b\"\n\n"
          b"OPTIONS rtsp://1.2.3.4/ RTSP/1.0\r\nCSeq: 1\r\nno header at all\r\n\r\n"
          b"$\1\0\2de$\0\0\1")
HEARD = [RtspAnswer((("cseq", "2"), ("content-length", "5")), b"v=0$\n", 200),
         RtspAnswer((("cseq", "3"), ("www-authenticate", 'Basic realm="a"'), ("www-authenticate", 'Digest realm="b"')),
                b"", 401),
         RtspRequest((("cseq", "1"),), b"", "OPTIONS", "rtsp://1.2.3.4/")]


@given(st.lists(st.integers(1, len(SPOKEN)), max_size=20))
def test_messages_and_packets_are_told_apart_however_they_are_cut(cuts: list[int]):
    inbox, heard = RtspInbox(), []
    edges = [0, *sorted(cuts), len(SPOKEN)]
    for begin, end in zip(edges, edges[1:], strict=False):
        inbox.feed(SPOKEN[begin:end])
        heard += inbox.messages()
    assert heard == HEARD
    assert inbox.rest() == b"$\0\0\3abc$\1\0\2de$\0\0\1" and inbox.rest() == b""


@given(st.binary(max_size=3000))
def test_any_bytes_are_messages_or_refused(data: bytes):
    inbox = RtspInbox()
    inbox.feed(data)
    try:
        heard = list(inbox.messages())
    except Unreadable:
        return
    assert all(isinstance(one, RtspAnswer | RtspRequest) for one in heard)


@pytest.mark.parametrize(("spoken", "told"), [
    (b"RTSP/1.0 200 OK\r\n" + b"x: y\r\n" * HEAD_MAX_B, "don't end"),
    (b"RTSP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % (BODY_MAX_B + 1), "a message of"),
    (b"RTSP/1.0 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "a message of"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "begins with"),
    (b"$\0\xff\xff" + b"x" * 0xffff, None),
])
def test_nothing_is_waited_for_without_a_bound(spoken: bytes, told: str | None):
    inbox = RtspInbox()
    with pytest.raises(Unreadable, match=told or "but no answer"):
        for _ in range(1 if told else EARLY_MAX_B // len(spoken) + 1):
            inbox.feed(spoken)
            list(inbox.messages())


def test_what_we_write_reads_as_it_was_meant():
    asked = message.read(message.request("SETUP", "rtsp://h/a?b=1/trackID=0", {"CSeq": "7", "Session": "x"}))
    assert asked == RtspRequest((("cseq", "7"), ("session", "x")), b"", "SETUP", "rtsp://h/a?b=1/trackID=0")
    assert message.read(message.answer(200, "OK", {"CSeq": "7"})) == RtspAnswer((("cseq", "7"),), b"", 200)


@pytest.mark.parametrize(("url", "host", "port", "uri", "login"), [
    ("rtsp://cam/live", "cam", 554, "rtsp://cam/live", ("", "")),
    ("rtsps://cam/live", "cam", 322, "rtsps://cam/live", ("", "")),
    ("rtsp://me:p%40ss%3A@10.0.0.9:8554/a?channel=1&subtype=0", "10.0.0.9", 8554,
     "rtsp://10.0.0.9:8554/a?channel=1&subtype=0", ("me", "p@ss:")),
    ("rtsp://me:p@ss@cam/x#part", "cam", 554, "rtsp://cam/x", ("me", "p@ss")),
    ("rtsp://me@[fe80::1]:99/x y", "fe80::1", 99, "rtsp://[fe80::1]:99/x%20y", ("me", "")),
    ("rtsp://cam/Cổng%20chính", "cam", 554, "rtsp://cam/C%E1%BB%95ng%20ch%C3%ADnh", ("", "")),
])
def test_an_address_is_taken_apart_and_asked_for_without_its_password(url, host, port, uri, login):
    address = parse(url)
    assert (address.host, address.port, address.uri, (address.user, address.password)) == (host, port, uri, login)
    assert address.tls == url.startswith("rtsps") and "p@ss" not in repr(address)


@pytest.mark.parametrize("url", ["http://cam/", "rtsp://", "rtsp://me:s3cret/x@cam", "rtsp://me:s3cret@cam:99999/", "x",
                                 "rtsp://me%0d%0aX:s3cret@cam/"])
def test_what_is_no_address_is_refused_without_repeating_it(url: str):
    with pytest.raises(ValueError, match="is not an rtsp") as refusal:
        parse(url)
    assert "s3cret" not in str(refusal.value) and refusal.value.__cause__ is None


@pytest.mark.parametrize(("base", "control", "uri"), [
    ("rtsp://h/live", "trackID=0", "rtsp://h/live/trackID=0"),
    ("rtsp://h/live/", "trackID=0", "rtsp://h/live/trackID=0"),
    ("rtsp://h/live/", "/trackID=0", "rtsp://h/live/trackID=0"),
    ("rtsp://h/live", "*", "rtsp://h/live"),
    ("rtsp://h/live", "", "rtsp://h/live"),
    ("rtsp://h/live", "rtsp://h:554/live/track1", "rtsp://h:554/live/track1"),
    ("rtsp://h/live", "?ctype=video", "rtsp://h/live?ctype=video"),
    ("rtsp://h/cam/realmonitor?channel=1&subtype=0/", "trackID=0", "rtsp://h/cam/realmonitor?channel=1&subtype=0/trackID=0"),
    ("rtsp://h/Streaming/Channels/101?transportmode=unicast", "trackID=1",
     "rtsp://h/Streaming/Channels/101?transportmode=unicast/trackID=1"),
])
def test_streams_are_asked_for_where_cameras_expect_it(base: str, control: str, uri: str):
    assert resolve(base, control) == uri


def test_the_base_is_what_the_camera_says_if_it_is_an_address():
    assert base_of("rtsp://h/a", "rtsp://h/a/", "rtsp://h/b") == "rtsp://h/a/"
    assert base_of("rtsp://h/a", "", "rtsp://h/b") == "rtsp://h/b"
    assert base_of("rtsp://h/a", "/a/", "") == base_of("rtsp://h/a", "rtsp://h/ x", "") == "rtsp://h/a"
