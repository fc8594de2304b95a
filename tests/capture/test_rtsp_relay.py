"""The relay between libav and a camera, attacked from both sides and from beside."""
import socket
from collections.abc import Iterator

import pytest

from agent.cameras import SourceError
from agent.cameras.rtsp.libav import LibavSource, Relay
from agent.core.protocols.rtsp.address import parse
from agent.host.clock import SystemClock
from agent.host.stop import Stop
from tests.rigs.cameras import footage
from tests.rigs.cameras.odd_camera import Film, Habits, OddCamera, Viewer
from tests.rigs.cameras.reading import read
from tests.rigs.cameras.sink import Watcher
from tests.rigs.wait import HANG_S

FILM = footage.clip(320, 180, 10, 10, 300, seconds=4)
THIEF = "127.0.0.9"
OK = b"RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n"


def described(sdp: bytes, more: bytes = b"") -> dict[str, bytes]:
    """The answers of a camera that describes itself so."""
    return {"DESCRIBE": OK + more + b"Content-Length: %d\r\n\r\n%b" % (len(sdp), sdp)}


@pytest.fixture
def ear() -> Iterator[socket.socket]:
    """Where another machine would hear a datagram of ours."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind((THIEF, 0))
        made.settimeout(0.2)
        yield made


@pytest.mark.parametrize("transport", [
    "RTP/AVP;unicast;source={thief};server_port={port}-{port}", "RAW/RAW/UDP;unicast;source={thief};server_port={port}",
    "RTP/AVP;unicast;x=tcp; source={thief};server_port={port}-{port}",
    "RTP/AVP;unicast;destination={thief};source={thief};server_port={port}-{port},RTP/AVP/TCP;interleaved=0-1"])
def test_libav_sends_nothing_where_the_camera_would_have_it_send(ear: socket.socket, transport: str):
    """It opens a hole in firewalls with a packet to the source of the stream, and reports to it."""
    place = transport.format(thief=THIEF, port=ear.getsockname()[1]).encode()
    answers = {"SETUP": OK + b"Session: 1\r\nTransport: " + place + b"\r\n\r\n"}
    with OddCamera(FILM, Habits(answers=answers)) as camera, pytest.raises(SourceError):
        LibavSource(camera.address(), "udp", SystemClock()).run(Watcher(), Stop())
    assert "SETUP" in camera.methods
    with pytest.raises(TimeoutError):
        ear.recv(1000)


@pytest.mark.parametrize("reader", ["own", "libav"])
def test_nobody_goes_where_a_description_points(reader: str):
    with socket.create_server((THIEF, 0)) as door:
        elsewhere = b"rtsp://%b:%d/" % (THIEF.encode(), door.getsockname()[1])
        film = Film(FILM).sdp.encode().replace(b"127.0.0.1", THIEF.encode())
        sdp = film.replace(b"t=0 0\r\n", b"c=IN IP4 %b\r\nt=0 0\r\na=control:%b\r\n" % (THIEF.encode(), elsewhere))
        sdp += b"a=control:%btrack\r\n" % elsewhere
        habits = Habits(login="me:s3cret", answers=described(sdp, b"Content-Base: %b\r\n" % elsewhere))
        with read(OddCamera(FILM, habits), reader=reader) as reading:
            reading.has(5)
        door.settimeout(0)
        with pytest.raises(BlockingIOError):
            door.accept()


@pytest.mark.parametrize("reader", ["own", "libav"])
def test_nobody_follows_a_camera_that_sends_us_away_while_it_plays(reader: str):
    with socket.create_server((THIEF, 0)) as door:
        elsewhere = b"rtsp://%b:%d/" % (THIEF.encode(), door.getsockname()[1])

        def leave(viewer: Viewer) -> None:
            viewer.send(b"REDIRECT %b RTSP/1.0\r\nCSeq: 9\r\nLocation: %b\r\n\r\n" % (elsewhere, elsewhere))
            viewer.send(b"RTSP/1.0 302 Found\r\nCSeq: 9\r\nLocation: %b\r\n\r\n" % elsewhere)

        with read(OddCamera(FILM, Habits(acts={5: leave, 15: Viewer.close})), reader=reader) as reading:
            reading.fails()
        door.settimeout(0)
        with pytest.raises(BlockingIOError):
            door.accept()


@pytest.mark.parametrize("how", ["another machine", "this machine without the word"])
def test_who_knocks_in_libav_s_place_speaks_to_nobody(how: str):
    with OddCamera(FILM) as camera, Relay(parse(camera.address()), None, SystemClock().mono_s, Stop()) as relay:
        place = parse(relay.url)
        source = (THIEF, 0) if how == "another machine" else None
        with socket.create_connection((place.host, place.port), HANG_S, source) as guest:
            guest.sendall(b"DESCRIBE rtsp://127.0.0.1/live RTSP/1.0\r\nCSeq: 1\r\n\r\n")
            assert _ends(guest)
    assert not camera.heard


def _ends(line: socket.socket) -> bool:
    """Whether the other end hangs up without a word."""
    try:
        return line.recv(1000) == b""
    except ConnectionError:
        return True


def test_what_libav_has_no_decoder_for_is_said_and_breaks_nothing():
    """PyAV has no codec's name for such a stream."""
    sdp = Film(FILM).sdp.encode().replace(b"H264", b"ZZZZ") + b"a=control:x\r\n"
    with read(OddCamera(FILM, Habits(answers=described(sdp))), reader="libav") as reading:
        code, text = reading.fails()
    assert code == "camera_stream_bad" and "is something unknown" in text


def test_a_description_of_thousands_of_streams_costs_libav_little():
    sdp = b"v=0\r\no=- 0 0 IN IP4 0\r\ns=x\r\nt=0 0\r\n" + 4000 * (
        b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:x\r\n")
    with read(OddCamera(FILM, Habits(answers=described(sdp))), reader="libav") as reading:
        assert reading.fails()[0] == "camera_stream_bad"
    assert reading.watch.fair_s < 5


def test_libav_and_the_camera_may_be_told_to_stop_while_they_connect():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"rtsps://127.0.0.1:{silent.getsockname()[1]}/live"       # no certificate ever comes
        stop = Stop()
        stop.set()
        LibavSource(address, "tcp", SystemClock()).run(Watcher(), stop)     # returns
