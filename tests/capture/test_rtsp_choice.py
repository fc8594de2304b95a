"""Who reads a camera: ours where it can; libav, by itself and from then on, where not; or whom the household says."""
import logging
from pathlib import Path

import pytest

from agent.cameras import rtsp
from agent.cameras.rtsp.libav import LibavSource
from agent.config.settings import Camera, Motion
from agent.host.clock import SystemClock
from tests.capture import vlc_server
from tests.capture.conftest import Rig
from tests.rigs.cameras import footage
from tests.rigs.cameras.odd_camera import Habits, OddCamera, Viewer
from tests.rigs.wait import until

NO_MOTION = Motion(enabled=False)
FILM = footage.clip(320, 180, 10, 10, 300, seconds=4)


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rtsp, "_for_libav", set())


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "vlc"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    return folder


def words(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "is read by libav" in record.getMessage()]


@pytest.mark.skipif(bool(vlc_server.missing()), reason=vlc_server.missing() or "-")
def test_a_camera_that_only_knows_udp_is_recorded_by_libav_and_that_is_said_once(
        rig: Rig, open_folder: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    with vlc_server.VlcCamera(footage.clip(640, 360, 10, 10, 500), open_folder) as camera:
        rig.start(camera.url, record="continuous", motion=NO_MOTION)
        until(lambda: rig.facts().recording)
        assert words(caplog) == [f"{camera.url}: is read by libav, for it answers SETUP with 461"]


def test_what_our_reader_can_not_read_is_tried_by_libav_and_its_word_counts(rig: Rig, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    jpeg = b"v=0\r\no=- 0 0 IN IP4 0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:x\r\n"
    described = b"RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nContent-Length: %d\r\n\r\n%b" % (len(jpeg), jpeg)
    with OddCamera(FILM, Habits(login="me:s3cret", answers={"DESCRIBE": described})) as camera:
        rig.start(camera.address(), motion=NO_MOTION)
        facts = until(lambda: (found := rig.facts()).fault and found)
        assert "it offers JPEG" in words(caplog)[0] and camera.methods.count("DESCRIBE") >= 2
        assert "s3cret" not in caplog.text + facts.detail


def test_packets_that_ours_makes_nothing_of_are_tried_by_libav_from_then_on(rig: Rig, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)

    def other_channel(viewer: Viewer) -> None:
        for number in range(1, 200):
            viewer.send(viewer.frame(number).replace(b"$\0", b"$\7"))

    with OddCamera(FILM, Habits(acts={0: other_channel, 15: Viewer.close})) as camera:
        rig.start(camera.address(), record="continuous", motion=NO_MOTION)
        until(lambda: rig.facts().reopens_n and len(rig.clips()) >= 2)
        assert len(words(caplog)) == 1 and "neither RTP nor RTSP" in words(caplog)[0]
        assert camera.methods.count("PLAY") >= 3        # ours once, libav twice and more


def test_ours_alone_says_how_to_let_the_other_try(rig: Rig):
    moved = b"RTSP/1.0 461 Unsupported Transport\r\nCSeq: {cseq}\r\n\r\n"
    with OddCamera(FILM, Habits(answers={"SETUP": moved})) as camera:
        rig.start(camera.address(), reader="own", motion=NO_MOTION)
        facts = until(lambda: (found := rig.facts()).fault and found)
        assert facts.fault == "camera_stream_bad" and 'set reader = "auto"' in facts.detail


@pytest.mark.parametrize("keys", [{"reader": "libav"}, {"transport": "udp"}, {"reader": "own", "transport": "udp"}])
def test_libav_is_taken_when_the_household_says_so(keys: dict[str, str]):
    camera = Camera(name="gate", source="rtsp://cam/live", **keys)
    assert isinstance(rtsp.open_rtsp(camera, camera.source, SystemClock()), LibavSource)


@pytest.mark.parametrize("reader", ["auto", "libav"])
def test_nobody_follows_a_redirection_to_another_host_with_the_password(rig: Rig, reader: str):
    """The other host asks for the password in the way that shows it."""
    thief = OddCamera(FILM, Habits(login="me:s3cret", challenge='Basic realm="odd"'))
    moved = b"RTSP/1.0 302 Found\r\nCSeq: {cseq}\r\nLocation: %b\r\n\r\n"
    with thief, OddCamera(FILM, Habits(login="me:s3cret")) as camera:
        elsewhere = thief.address(login="").replace("127.0.0.1", "localhost")
        camera.habits.answers["DESCRIBE"] = moved % elsewhere.encode()
        rig.start(camera.address(), reader=reader, motion=NO_MOTION)
        facts = until(lambda: (found := rig.facts()).fault and found)
        assert facts.fault == "camera_stream_bad" and "we don't follow" in facts.detail
        assert camera.methods.count("DESCRIBE") >= 1 and not thief.heard
