"""Our reader and cameras that are odd: what can be recorded is, bit by bit; the rest is named, in time, and alone."""
import time
from itertools import pairwise

import pytest

from agent.cameras import SourceError
from agent.core.media.model import Packet
from agent.core.media.nal import join_lengths
from agent.core.protocols.rtsp.sdp import UnfitStream
from tests.rigs.cameras import footage
from tests.rigs.cameras.odd_camera import Habits, OddCamera, Viewer
from tests.rigs.cameras.reading import Reading, read
from tests.rigs.cameras.sink import Watcher
from tests.rigs.wait import HANG_S, Stopwatch, until

FILM = footage.clip(320, 180, 10, 10, 300, seconds=4)
OK = b"RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n"


def frames_of(camera: OddCamera, count: int, first: int = 0) -> list[bytes]:
    """What a recording of the film's frames must hold."""
    film = camera.film
    wanted = []
    for number in range(first, first + count):
        index = number % len(film.frames)
        wanted.append(join_lengths([*(film.sets if film.keys[index] else ()), *film.frames[index]]))
    return wanted


def bare(packets: list[Packet]) -> list[bytes]:
    return [packet.data for packet in packets]


@pytest.mark.parametrize("habits", [
    Habits(pace=4),
    Habits(pace=4, marks=False),
    Habits(pace=4, piece_b=7),
    Habits(pace=4, early=True),
    Habits(pace=4, description="a=control:*\r\n"),
    Habits(pace=4, answers={"OPTIONS": b"RTSP/1.0 501 Not Implemented\r\nCSeq: {cseq}\r\n\r\n"}),
    Habits(pace=4, answers={"DESCRIBE": b"RTSP/1.0 200 OK\nCSeq: {cseq}\nContent-length:{size}\n\n{sdp}"}),
    Habits(pace=4, answers={
        "DESCRIBE": OK + b"Content-Base: rtsp://0.0.0.0/x/\r\nContent-Length: {size}\r\n\r\n{sdp}"}),
], ids=["good", "no-markers", "dribble", "early-video", "control-star", "no-options", "bare-line-feeds", "wrong-base"])
def test_every_frame_arrives_as_it_was_sent(habits: Habits):
    camera = OddCamera(FILM, habits)
    with read(camera, "/cam/realmonitor?channel=1&subtype=0") as reading:
        packets = reading.has(60)[:60]
        assert bare(packets) == frames_of(camera, 60)
        assert packets[0].key and reading.watcher.infos[0].width == 320
        assert [round((two.dts_us - one.dts_us) / 1000) for one, two in pairwise(packets)] == [100] * 59


@pytest.mark.parametrize("habits", [
    Habits(login="me:pä ss", challenge='Digest realm="odd", nonce="{nonce}", algorithm=SHA-256, qop="auth"'),
    Habits(login="me:pw", requests_per_nonce=1),
    Habits(login="me:pw", hangs_up_at_strangers=True),
], ids=["sha-256", "nonce-for-one-request", "hangs-up"])
def test_the_password_is_proved_as_the_camera_asks(habits: Habits):
    camera = OddCamera(FILM, habits)
    with read(camera, login=habits.login.replace("ä", "%C3%A4").replace(" ", "%20")) as reading:
        reading.has(3)
    assert not any(b"pw" in words or b"me:" in words for words in camera.heard)


def test_a_redirection_is_followed_once():
    camera = OddCamera(FILM)
    moved = b"RTSP/1.0 302 Found\r\nCSeq: {cseq}\r\nLocation: %b\r\n\r\n"
    goal = OddCamera(FILM, Habits(login="me:pw"))
    camera.habits.answers["DESCRIBE"] = moved % goal.address(login="").encode()
    with goal, read(camera, login="me:pw") as reading:
        reading.has(3)
    circle = OddCamera(FILM)
    circle.habits.answers["DESCRIBE"] = moved % circle.address().encode()
    with read(circle) as reading:
        assert reading.fails()[0] == "camera_stream_bad" and circle.methods.count("DESCRIBE") == 2


@pytest.mark.parametrize("flood", [
    b"OPTIONS rtsp://x RTSP/1.0\r\nCSeq: 1\r\n\r\n" * 1_000, b"\r\n" * 60_000,
    b"RTSP/1.0 100 Continue\r\nCSeq: 1\r\n\r\n" * 3_000, b"$\1\0\4abcd" * 9_000,
], ids=["requests", "empty-lines", "answers", "packets"])
def test_a_flood_instead_of_an_answer_has_an_end(flood: bytes):
    """Its bytes always wait in the socket, so nothing that is only looked at while waiting would ever end it."""
    camera = OddCamera(FILM, Habits(answers={"DESCRIBE": b""}, floods={"DESCRIBE": flood}))
    with read(camera) as reading:
        error = reading.ends()
        assert isinstance(error, UnfitStream | SourceError) and reading.watch.fair_s < 9


def test_questions_without_end_are_no_video():
    def asks(viewer: Viewer) -> None:
        while True:
            viewer.send(b"OPTIONS rtsp://x RTSP/1.0\r\nCSeq: 1\r\n\r\n" * 50)

    with read(OddCamera(FILM, Habits(acts={10: asks}))) as reading:
        assert reading.fails()[0] == "camera_stream_bad"


def test_packets_that_are_dear_to_receive_are_no_camera():
    """Thousands of units in each packet, at a rate that no limit on bytes would notice."""
    def tiny_units(viewer: Viewer) -> None:
        payload = b"\x78" + b"\0\1\x09" * 20_000
        packets = b"".join(viewer.packet(payload, 0, last=False) for _ in range(100))
        while True:
            viewer.send(packets)

    with read(OddCamera(FILM, Habits(acts={10: tiny_units}))) as reading:
        # Where other programs want the processor, too, the thread gets no share that is too much for one camera.
        assert reading.fails()[0] in ("camera_stream_bad", "camera_no_frames")


@pytest.mark.parametrize("answer", [
    b"RTSP/1.0 200 OK\r\n" + b"X-Header: for ever\r\n" * 2_000,
    b"RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nContent-Length: 4000000000\r\n\r\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n<html>",
    b"RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nContent-Length: 3\r\n\r\nv=0",
    b"\0" * 20_000,
], ids=["endless-header", "huge-body", "web-server", "no-video", "zeros"])
def test_what_is_no_answer_is_left_to_another_reader_at_once(answer: bytes):
    with read(OddCamera(FILM, Habits(answers={"DESCRIBE": answer}))) as reading:
        assert isinstance(reading.ends(), UnfitStream)


def test_junk_between_the_packets_costs_at_most_the_frames_around_it():
    junk = Habits(pace=4, acts={20: lambda viewer: viewer.send(b"\x17\3junk that is no packet$\0" + bytes(range(256)))})
    camera = OddCamera(FILM, junk)
    with read(camera) as reading:
        got, sent = bare(reading.has(70)), frames_of(camera, 90)
        assert any(got[:before] == sent[:before] and got[before:] == sent[after:after + len(got) - before]
                   for before in (19, 20) for after in range(20, 23))


def test_endless_junk_is_no_video():
    def flood(viewer: Viewer) -> None:
        while True:
            viewer.send(b"\x17\3" * 2_000)
            time.sleep(0.01)

    with read(OddCamera(FILM, Habits(acts={10: flood}))) as reading:
        assert reading.fails()[0] == "camera_stream_bad"


def test_a_flood_of_packets_is_no_camera():
    def flood(viewer: Viewer) -> None:
        packet = b"$\5\xff\xff" + bytes(0xffff)
        while True:
            viewer.send(packet * 64)

    with read(OddCamera(FILM, Habits(acts={10: flood}))) as reading:
        assert reading.fails()[0] == "camera_stream_bad"
        assert len(reading.watcher.packets) == 10


def test_a_burst_is_taken_as_fast_as_it_comes():
    took_s = []

    def rush(viewer: Viewer) -> None:
        report = b"$\1" + (1_400).to_bytes(2, "big") + bytes(1_400)
        with Stopwatch() as watch:
            for _ in range(240):
                viewer.send(report * 70)    # 24 MB in all
        took_s.append(watch.fair_s)

    camera = OddCamera(FILM, Habits(acts={10: rush}))
    with read(camera) as reading:
        assert bare(reading.has(15)[:15]) == frames_of(camera, 15)
    assert took_s[0] < 2.5


def test_a_camera_is_told_that_we_live_and_its_own_questions_are_answered():
    def asks(viewer: Viewer) -> None:
        viewer.send(b"GET_PARAMETER rtsp://x RTSP/1.0\r\nCSeq: 5\r\nContent-Length: 4\r\n\r\nping"
                    b"ANNOUNCE rtsp://x RTSP/1.0\r\nCSeq: 6\r\n\r\nRECORD rtsp://x RTSP/1.0\r\nCSeq: 7\r\n\r\n")

    habits = Habits(login="me:pw", challenge='Digest realm="odd", nonce="{nonce}", qop="auth"', session_s=4,
                    requests_per_nonce=5, acts={5: asks})
    camera = OddCamera(FILM, habits)
    with read(camera) as reading:
        until(lambda: camera.methods.count("GET_PARAMETER") >= 3 and camera.reports_n >= 2)
        got = len(reading.watcher.packets)
        reading.has(got + 10)
        assert bare(reading.watcher.packets) == frames_of(camera, len(reading.watcher.packets))
    answers = {words.splitlines()[1]: words.split()[1] for words in camera.heard if words.startswith(b"RTSP/")}
    assert answers == {b"CSeq: 5": b"200", b"CSeq: 6": b"200", b"CSeq: 7": b"501"}
    assert until(lambda: "TEARDOWN" in camera.methods)


def test_a_camera_that_says_goodbye_is_taken_at_its_word():
    habits = Habits(acts={5: lambda viewer: viewer.send(b"TEARDOWN rtsp://x RTSP/1.0\r\nCSeq: 5\r\n\r\n")})
    with read(OddCamera(FILM, habits)) as reading:
        code, text = reading.fails()
        assert code == "camera_unreachable" and "ended the stream" in text and len(reading.watcher.packets) == 5


def test_the_last_whole_frame_counts_when_the_connection_ends_within_one():
    def leave(viewer: Viewer) -> None:
        viewer.send(viewer.frame(10)[:-9])
        viewer.close()

    camera = OddCamera(FILM, Habits(acts={10: leave}))
    with read(camera) as reading:
        code, text = reading.fails()
        assert code == "camera_unreachable" and "closed the connection" in text
        assert bare(reading.watcher.packets) == frames_of(camera, 10)


def test_a_clock_set_anew_loses_no_frame_and_is_seen_as_the_jump_it_is():
    def jump(viewer: Viewer) -> None:
        viewer.clock -= 3_600 * 90_000

    camera = OddCamera(FILM, Habits(pace=4, acts={20: jump}))
    with read(camera) as reading:
        packets = reading.has(40)[:40]
        assert bare(packets) == frames_of(camera, 40)
        steps_s = [(two.dts_us - one.dts_us) / 1e6 for one, two in pairwise(packets)]
        assert round(steps_s.pop(19)) == -3600 and all(abs(step_s - 0.1) < 0.01 for step_s in steps_s)


@pytest.mark.parametrize("habits", [Habits(), Habits(acts={3: lambda viewer: time.sleep(HANG_S)}),
                                    Habits(answers={"DESCRIBE": b""})], ids=["playing", "silent", "shaking-hands"])
def test_a_stop_is_noticed_at_once(habits: Habits):
    camera = OddCamera(FILM, habits)
    with read(camera) as reading:
        until(lambda: "DESCRIBE" in camera.methods)
        if not habits.answers:
            reading.has(3)
        with Stopwatch() as watch:
            reading.stop.set()
            assert reading.ends() is None
        assert watch.fair_s < 1.5


def test_a_sick_camera_never_touches_its_neighbours():
    def junk(viewer: Viewer) -> None:
        while True:
            viewer.send(noise)

    def fails(packet: Packet) -> None:
        raise RuntimeError("a bug in the pipe")

    noise = bytes(range(256)) * 256
    good, silent, junky = (OddCamera(FILM, habits) for habits in (
        Habits(), Habits(acts={5: lambda viewer: time.sleep(HANG_S)}), Habits(acts={5: junk})))
    with good, silent, junky:
        well = Reading(good.address())
        well.has(5)
        others = [Reading(good.address(), Watcher(on_packet=fails)),
                  Reading(silent.address()), Reading(junky.address())]
        errors = [other.ends() for other in others]
        assert isinstance(errors[0], RuntimeError)
        assert [error.code for error in errors[1:]] == ["camera_unreachable", "camera_stream_bad"]
        later = Reading(good.address())         # the hub goes on, and takes new ones
        later.has(5)
        count = len(well.watcher.packets)
        well.has(count + 20)
        assert bare(well.watcher.packets) == frames_of(good, len(well.watcher.packets))
        for reading in (well, later):
            reading.stop.set()
            assert reading.ends() is None
