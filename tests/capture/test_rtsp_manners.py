"""What a camera asks of any reader: a password, encryption, a sign of life; and that nobody waits for it for ever."""
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from agent.cameras.rtsp.pins import CertificatePins
from tests.rigs.cameras import footage
from tests.rigs.cameras.odd_camera import Habits, OddCamera, Viewer
from tests.rigs.cameras.reading import Reading, read
from tests.rigs.pki import Authority
from tests.rigs.wait import until

FILM = footage.clip(320, 180, 10, 10, 300, seconds=4)
NASTY = "p@s:s/w?o#r[d]%41&'=+ ü$"        # all that an address gives a meaning to, and what no address may hold


@pytest.fixture(params=["own", "libav"])
def reader(request: pytest.FixtureRequest) -> str:
    """Everything here is asked of both."""
    return request.param


@pytest.mark.parametrize("challenge", ['Basic realm="odd"', 'Digest realm="odd", nonce="{nonce}"',
                                       'Digest realm="odd", nonce="{nonce}", algorithm=MD5, qop="auth"'],
                         ids=["basic", "digest", "digest-qop"])
def test_any_password_is_proved_and_never_shown(reader: str, challenge: str, caplog: pytest.LogCaptureFixture,
                                                capfd: pytest.CaptureFixture[str]):
    caplog.set_level("DEBUG")
    login = f"me:{quote(NASTY, safe='')}"
    camera = OddCamera(FILM, Habits(login=f"me:{NASTY}", challenge=challenge))
    with read(camera, login=login, reader=reader) as reading:
        reading.has(3)
    with read(OddCamera(FILM, Habits(login="me:another", challenge=challenge)), login=login, reader=reader) as refused:
        code, text = refused.fails()
    assert code == "camera_auth" and "user name or password" in text
    told = text + caplog.text + "".join(capfd.readouterr()) + b"".join(camera.heard).decode("latin-1")
    assert not any(form in told for form in (NASTY, quote(NASTY, safe=""), quote(NASTY)))


def test_a_camera_with_a_certificate_of_its_own_is_read_through_tls(reader: str, tmp_path: Path):
    camera = OddCamera(FILM, Habits(pace=4), Authority(tmp_path, "self").issue("camera", days=-1))
    with read(camera, reader=reader) as reading:
        assert [packet.data[-100:] for packet in reading.has(30)[:30]] == [
            units[-1][-100:] for units in camera.film.frames[:30]]


@pytest.mark.parametrize("words", [b"", b"RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n", b"RTSP/1.0 200 OK\r\nCSeq: 99\r\n\r\n"],
                         ids=["nothing", "half-an-answer", "another-answer"])
def test_a_camera_that_does_not_answer_is_given_up_in_time(reader: str, words: bytes):
    with read(OddCamera(FILM, Habits(answers={"DESCRIBE": words})), reader=reader) as reading:
        code, text = reading.fails()
        told = {"own": "does not answer", "libav": "gives no answer that makes sense"}
        assert code == "camera_unreachable" and told[reader] in text
        assert reading.watch.fair_s < 9


def test_a_camera_that_answers_for_ever_is_given_up_in_time(reader: str):
    forever = b"RTSP/1.0 100 Continue\r\nCSeq: {cseq}\r\n\r\n" * 100
    camera = OddCamera(FILM, Habits(answers={"DESCRIBE": forever}, piece_b=100, piece_s=0.5))
    with read(camera, reader=reader) as reading:
        assert reading.fails()[0] == "camera_unreachable" and reading.watch.fair_s < 9


@pytest.mark.parametrize("says", [b"", b"OPTIONS rtsp://x RTSP/1.0\r\nCSeq: 9\r\n\r\n"], ids=["silent", "talks"])
def test_a_picture_that_stands_still_has_an_end(reader: str, says: bytes):
    fell_silent_s = []

    def silent(viewer: Viewer) -> None:
        fell_silent_s.extend((time.monotonic(), reading.watch.fair_s))
        while True:
            time.sleep(0.5)
            viewer.send(says)

    with read(OddCamera(FILM, Habits(acts={10: silent})), reader=reader) as reading:
        # libav does not tell a camera that still talks from a silent one.
        assert reading.fails()[0] == ("camera_no_frames" if says and reader == "own" else "camera_unreachable")
        assert reading.ended_s - fell_silent_s[0] > 3.5 and reading.watch.fair_s - fell_silent_s[1] < 12


def test_libav_keeps_a_session_alive():
    """Ours has a test of its own, with all that it says."""
    camera = OddCamera(FILM, Habits(session_s=3))
    with read(camera, reader="libav") as reading:
        until(lambda: camera.frames_n > 60 or reading.ended_s)
        assert reading.ended_s is None, reading.error


def test_the_first_certificate_is_kept_and_no_other_believed(reader: str, tmp_path: Path):
    pins, folder = CertificatePins(tmp_path / "cameras"), tmp_path / "cameras"
    mine, other = (Authority(tmp_path, "self").issue(name, days=1) for name in ("mine", "other"))
    camera = OddCamera(FILM, Habits(pace=4, login="me:pw"), mine)
    with camera:
        for _ in range(2):
            reading = Reading(camera.address(), reader=reader, pins=pins)
            reading.has(3)
            reading.stop.set()
            reading.ends()
        (pin,) = folder.iterdir()
        camera.certify(other)
        heard_n = len(camera.heard)
        code, text = Reading(camera.address(), reader=reader, pins=pins).fails()
        assert code == "camera_certificate" and str(pin) in text
        # The camera may hear only now that the reader before it has gone.
        assert [each for each in camera.heard[heard_n:] if not each.startswith(b"TEARDOWN")] == []
        pin.unlink()
        again = Reading(camera.address(), reader=reader, pins=pins)
        again.has(3)
        again.stop.set()
        again.ends()
        assert len(list(folder.iterdir())) == 1


def test_a_certificate_is_kept_only_when_the_camera_plays(reader: str, tmp_path: Path):
    camera = OddCamera(FILM, Habits(login="me:pw"), Authority(tmp_path, "mine").issue("camera", days=1))
    with read(camera, login="me:wrong", reader=reader, pins=CertificatePins(tmp_path / "cameras")) as reading:
        assert reading.fails()[0] == "camera_auth" and not (tmp_path / "cameras").exists()
    with read(OddCamera(FILM, Habits(pace=4), Authority(tmp_path, "two").issue("camera", days=1)), reader=reader,
              pins=CertificatePins(tmp_path / "cameras", learns=False)) as reading:
        reading.has(3)
    assert not (tmp_path / "cameras").exists()
