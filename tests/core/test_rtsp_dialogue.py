"""The talk with a camera, word by word: the order, the password, what cameras do differently, and how it ends."""
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.protocols.rtsp.address import parse
from agent.core.protocols.rtsp.dialogue import Dialogue, Moved, RequestRefused
from agent.core.protocols.rtsp.login import Login
from agent.core.protocols.rtsp.message import RtspAnswer, RtspRequest, read
from agent.core.protocols.rtsp.sdp import UnfitStream

URL = "rtsp://me:pw@h/live"
SDP = (b"v=0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n"
       b"m=audio 0 RTP/AVP 8\r\na=control:track2\r\n")
DIGEST = ("www-authenticate", 'Digest realm="c", nonce="{}"')


class Camera:
    """Answers a dialogue's requests by a script: method -> answers, the last of them again and again."""

    def __init__(self, audio: bool = False, url: str = URL, **script: list[RtspAnswer]) -> None:
        self.asked: list[RtspRequest] = []
        self.script = {"OPTIONS": [ok(("public", "DESCRIBE, SETUP, PLAY, GET_PARAMETER"))],
                       "DESCRIBE": [ok(body=SDP)], "PLAY": [ok()],
                       "SETUP": [ok(("session", "12345;timeout=20"))], **script}
        address = parse(url)
        self.dialogue = Dialogue(address, Login(address.user, address.password, "x"), audio)

    def hear(self, said: bytes) -> RtspRequest:
        self.asked.append(read(said))
        return self.asked[-1]

    def answer(self, request: RtspRequest) -> bytes:
        answers = self.script[request.method]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        headers = ("cseq", request.header("cseq")), *answer.headers
        return self.dialogue.hear(RtspAnswer(headers, answer.body, answer.status))

    def talk(self) -> "Camera":
        said = self.dialogue.begin()
        while said and len(self.asked) < 20:
            said = self.answer(self.hear(said))
        return self

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.asked]


def ok(*headers: tuple[str, str], body: bytes = b"") -> RtspAnswer:
    return RtspAnswer(headers, body, 200)


def no(status: int, *headers: tuple[str, str]) -> RtspAnswer:
    return RtspAnswer(headers, b"", status)


def asks(nonce: str, stale: str = "") -> RtspAnswer:
    return no(401, (DIGEST[0], DIGEST[1].format(nonce) + (f", stale={stale}" if stale else "")))


def test_a_camera_is_asked_in_order_and_plays():
    camera = Camera().talk()
    assert camera.dialogue.playing and camera.methods == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
    assert [request.header("cseq") for request in camera.asked] == ["1", "2", "3", "4"]
    _, describe, setup, play = camera.asked
    assert describe.header("accept") == "application/sdp" and describe.uri == "rtsp://h/live"
    assert setup.uri == "rtsp://h/live/track1" and not setup.header("session")
    assert setup.header("transport") == "RTP/AVP/TCP;unicast;interleaved=0-1"
    assert play.header("session") == "12345" and play.uri == "rtsp://h/live"
    (track,) = camera.dialogue.tracks
    assert (track.codec, track.channel, track.control_channel) == ("h264", 0, 1)
    assert camera.dialogue.keep_alive_every_s == 10


def test_sound_is_set_up_only_when_it_is_wanted():
    transports = [ok(("session", "1"), ("transport", "RTP/AVP/TCP;unicast;interleaved=4-5;ssrc=1")),
                  ok(("session", "1"), ("transport", "RTP/AVP/TCP;interleaved=6"))]
    camera = Camera(audio=True, SETUP=transports).talk()
    assert [(track.codec, track.channel, track.control_channel) for track in camera.dialogue.tracks] == [
        ("h264", 4, 5), ("pcma", 6, 7)]
    assert camera.asked[3].header("transport").endswith("interleaved=2-3") and camera.asked[3].header("session") == "1"


def test_the_password_is_proved_when_it_is_asked_for_and_never_before():
    camera = Camera(OPTIONS=[asks("1"), ok()]).talk()
    assert camera.dialogue.playing and camera.methods == ["OPTIONS", "OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
    assert [bool(request.header("authorization")) for request in camera.asked] == [False, True, True, True, True]


@pytest.mark.parametrize("refusals", [
    {"OPTIONS": [asks("1"), asks("2")]},
    {"DESCRIBE": [asks("1"), asks("2")]},
    {"DESCRIBE": [asks("1", "false"), asks("2", "false")]},
    {"DESCRIBE": [asks("1"), asks("2", "true"), asks("3", "true"), asks("4", "true")]},
])
def test_a_wrong_password_is_tried_once_or_as_often_as_it_is_stale(refusals: dict[str, list[RtspAnswer]]):
    camera = Camera(**refusals)
    wrong_n = len(next(iter(refusals.values()))) - 1
    with pytest.raises(RequestRefused) as refused:
        camera.talk()
    assert refused.value.status == 401
    assert sum(bool(request.header("authorization")) for request in camera.asked) == min(wrong_n, 2)


def test_without_a_password_nothing_is_tried():
    with pytest.raises(RequestRefused):
        Camera(url="rtsp://h/live", OPTIONS=[asks("1")], DESCRIBE=[asks("1")]).talk()


@pytest.mark.parametrize("late", [asks("2", "true"), asks("2")])
def test_a_nonce_that_ages_is_renewed(late: RtspAnswer):
    camera = Camera(DESCRIBE=[asks("1"), ok(body=SDP)], PLAY=[late, ok()]).talk()
    assert camera.dialogue.playing and 'nonce="2"' in camera.asked[-1].header("authorization")
    first = camera.hear(camera.dialogue.keep_alive())
    camera.script["GET_PARAMETER"] = [asks("3"), ok()]
    again = camera.hear(camera.answer(first))
    assert again.method == "GET_PARAMETER" and 'nonce="3"' in again.header("authorization")
    assert camera.answer(again) == b""


def test_addresses_are_built_on_what_the_camera_calls_its_base():
    session = SDP.replace(b"a=control:*", b"a=control:rtsp://h:8554/all")
    camera = Camera(DESCRIBE=[ok(("content-base", "rtsp://h:8554/live?x=1/"), body=session)]).talk()
    assert [request.uri for request in camera.asked[2:]] == ["rtsp://h:8554/live?x=1/track1", "rtsp://h:8554/all"]


@pytest.mark.parametrize(("script", "error", "told"), [
    ({"DESCRIBE": [no(404)]}, RequestRefused, "404"),
    ({"DESCRIBE": [no(403)]}, RequestRefused, "403"),
    ({"SETUP": [no(453)]}, RequestRefused, "453"),
    ({"PLAY": [no(503)]}, RequestRefused, "503"),
    ({"SETUP": [no(461)]}, UnfitStream, "answers SETUP with 461"),
    ({"SETUP": [no(404)]}, UnfitStream, "404"),
    ({"DESCRIBE": [no(500)]}, UnfitStream, "500"),
    ({"SETUP": [ok(("transport", "RTP/AVP;unicast;client_port=4000-4001"))]}, UnfitStream, "over TCP"),
    ({"DESCRIBE": [ok(body=b"v=0")]}, UnfitStream, "no video"),
    ({"DESCRIBE": [no(401, ("www-authenticate", "Negotiate"))]}, UnfitStream, "not known here"),
    ({"DESCRIBE": [no(302, ("location", "rtsp://h/else"))]}, Moved, "another address"),
    ({"DESCRIBE": [no(302)]}, UnfitStream, "302"),
])
def test_what_goes_wrong_has_a_name(script: dict[str, list[RtspAnswer]], error: type[Exception], told: str):
    with pytest.raises(error, match=told):
        Camera(**script).talk()


def test_a_camera_without_options_or_get_parameter_is_kept_alive_all_the_same():
    camera = Camera(OPTIONS=[no(405), ok()], GET_PARAMETER=[no(451)]).talk()
    assert camera.hear(camera.dialogue.keep_alive()).method == "OPTIONS"
    camera = Camera(GET_PARAMETER=[no(451)]).talk()
    assert camera.answer(camera.hear(camera.dialogue.keep_alive())) == b""
    assert camera.hear(camera.dialogue.keep_alive()).method == "OPTIONS"


def test_old_answers_and_those_without_a_number_are_taken_for_what_they_are():
    dialogue = Camera().dialogue
    dialogue.begin()
    assert dialogue.hear(RtspAnswer((("cseq", "99"),), b"", 200)) == b""
    assert dialogue.hear(RtspAnswer((("cseq", "1"),), b"", 100)) == b""
    assert read(dialogue.hear(RtspAnswer((), b"", 200))).method == "DESCRIBE"
    assert read(dialogue.hear(RtspAnswer((("cseq", "2"),), SDP, 200))).method == "SETUP"
    assert dialogue.hear(RtspAnswer((("cseq", "2"),), SDP, 200)) == b""


@pytest.mark.parametrize(("method", "status", "over"), [
    ("OPTIONS", 200, False), ("GET_PARAMETER", 200, False), ("SET_PARAMETER", 200, False), ("ANNOUNCE", 200, False),
    ("TEARDOWN", 200, True), ("REDIRECT", 200, True), ("RECORD", 501, False),
])
def test_a_cameras_own_requests_are_answered(method: str, status: int, over: bool):
    dialogue = Camera().talk().dialogue
    answer = read(dialogue.hear(RtspRequest((("cseq", "77"),), b"", method, "rtsp://h/")))
    assert isinstance(answer, RtspAnswer)
    assert (answer.status, answer.header("cseq"), dialogue.over) == (status, "77", over)


def test_the_end_is_said():
    camera = Camera().talk()
    last = camera.hear(camera.dialogue.farewell())
    assert (last.method, last.header("session"), last.uri) == ("TEARDOWN", "12345", "rtsp://h/live")


@pytest.mark.parametrize("channels", ["300-301", "255", "254-256", "999"])
def test_a_channel_that_no_byte_can_tell_is_for_another_reader(channels: str):
    with pytest.raises(UnfitStream, match="channel"):
        Camera(SETUP=[ok(("transport", f"RTP/AVP/TCP;interleaved={channels}"))]).talk()


def test_a_camera_that_names_ever_new_methods_takes_no_memory():
    camera = Camera(GET_PARAMETER=[ok(("public", "GET_PARAMETER"))]).talk()
    tracemalloc.start()
    for number in range(2_000):
        request = camera.hear(camera.dialogue.keep_alive())
        names = ", ".join(f"M{chr(65 + number % 26) * (number % 90)}{chr(65 + other)}" for other in range(26))
        camera.dialogue.hear(RtspAnswer((("cseq", request.header("cseq")), ("public", names)), b"", 200))
        camera.asked.clear()
    grown_b, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown_b < 500_000 and request.method == "GET_PARAMETER"


HEADER = st.tuples(st.sampled_from(["cseq", "session", "transport", "www-authenticate", "public", "location",
                                    "content-base"]), st.text(st.characters(max_codepoint=255), max_size=30))
ANSWER = st.builds(RtspAnswer, st.lists(HEADER, max_size=4).map(tuple), st.sampled_from([b"", SDP, b"m=video"]),
                   st.sampled_from([200, 200, 200, 401, 404, 302, 461, 500, 100, 999]))


REQUEST = st.builds(RtspRequest, st.just(()), st.just(b""), st.text("AEPRT", min_size=3), st.just("*"))


@given(st.lists(st.one_of(ANSWER, REQUEST), max_size=30))
def test_any_camera_is_talked_to_or_given_up(heard: list[RtspAnswer | RtspRequest]):
    dialogue = Camera().dialogue
    said: list[bytes] = [dialogue.begin()]
    hear: Callable[[RtspAnswer | RtspRequest], bytes] = dialogue.hear
    try:
        for message in heard:
            said.append(hear(message))
    except (RequestRefused, UnfitStream, Moved):
        return
    for words in filter(None, said):
        read(words)
        assert words.count(b"\r\n\r\n") == 1
    assert len(dialogue.tracks) == 1 if dialogue.playing else True
