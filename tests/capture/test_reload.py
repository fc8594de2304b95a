"""Other settings at run time: they reach those cameras that they are about, and a mistake reaches none."""
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from agent.cameras.file import FileSource
from agent.capture.camera import open_main
from agent.config.settings import Camera, Motion
from agent.core.contract.facts import Beat
from agent.host.clock import SystemClock
from agent.host.datagram import Inbox
from agent.host.files import AlreadyRunning, Lock
from agent.host.meter import Rate
from agent.host.stop import Stop
from agent.store.folders import Folders
from tests.capture.camera_sets import Shift, film, shift
from tests.process.agent import Agent
from tests.rigs.cameras import footage
from tests.rigs.cameras.rtsp import RtspCamera
from tests.rigs.store.small_card import empty, fill_files, small_card
from tests.rigs.wait import HANG_S, free_port, until

CLOCK = SystemClock()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Shift]:
    """Two cameras of one process that record."""
    with shift(tmp_path, CLOCK) as made:
        made.obey(film("gate"), film("yard"))
        made.tick_until(lambda: made.recording("gate") and made.recording("yard"), "both record")
        yield made


def test_a_camera_with_other_settings_starts_anew_alone(two: Shift):
    gate, yard = two.recording("gate"), two.recording("yard")
    two.obey(film("gate", pre_roll_s=2), film("yard"))
    two.tick_until(lambda: two.recording("gate") not in (None, gate), "another clip")
    assert two.recording("yard") == yard and [clip.state for clip in two.clips("gate")] == ["done"]


def test_titles_motion_and_hours_change_without_a_cut(two: Shift):
    gate = two.recording("gate")
    two.obey(film("gate", motion={"sensitivity": "high", "fps": 2}, off=["Mon 00:00-00:01"],
                  title="Cổng trước"), film("yard"))
    size_b = gate.stat().st_size
    two.until(lambda facts: gate.stat().st_size > size_b + 5_000 and facts["gate"].reopens_n == 0, "it records on")


def test_zones_change_without_a_cut_and_a_cool_down_with_one(two: Shift):
    gate, yard = two.recording("gate"), two.recording("yard")
    zone = [{"name": "path", "area": [[0, 0], [1, 0], [1, 1]]}]
    two.obey(film("gate", zone=zone), film("yard", cool_down_s=5))
    size_b = gate.stat().st_size
    two.until(lambda facts: gate.stat().st_size > size_b + 5_000 and facts["gate"].reopens_n == 0, "it records on")
    two.tick_until(lambda: two.recording("yard") not in (None, yard), "another clip")


def test_a_source_that_takes_the_settings_over_goes_on(two: Shift, monkeypatch: pytest.MonkeyPatch):
    told: list[Camera] = []
    monkeypatch.setattr(FileSource, "adjust", lambda self, camera: told.append(camera) or True, raising=False)
    gate, changed = two.recording("gate"), film("gate", bitrate_kbps=3000)
    two.obey(changed, film("yard"))
    size_b = gate.stat().st_size
    two.until(lambda _: gate.stat().st_size > size_b + 5_000, "it records on")
    assert told == [changed]
    two.obey(changed, film("yard"))                     # nothing is new: nobody is told
    assert told == [changed]


def test_cameras_come_and_go(two: Shift):
    yard = two.recording("yard")
    two.obey(film("yard"), film("door"))
    two.tick_until(lambda: two.recording("door"), "the new one records")
    assert set(two.facts()) == {"yard", "door"} and two.recording("gate") is None
    assert two.recording("yard") == yard
    Lock(two.folders.lock("camera-gate")).release()     # another process may have it now


class Webcam:
    """Takes a while to let go of its device, as real ones do, and can't be opened twice."""

    opened_n = free_n = 0
    device = threading.Lock()

    def __init__(self, *_: object) -> None: ...

    def adjust(self, camera: Camera) -> bool:
        return False

    def run(self, sink: object, stop: Stop) -> None:
        Webcam.opened_n += 1
        Webcam.free_n += Webcam.device.acquire(blocking=False)
        stop.wait()
        time.sleep(0.3)
        Webcam.device.release()


def test_a_camera_that_is_built_anew_finds_its_device_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("agent.cameras.v4l2.V4l2Source", Webcam)
    with shift(tmp_path, CLOCK) as made:
        for number, width in enumerate((640, 800, 960), 1):
            made.obey(Camera(name="gate", source="v4l2:/dev/video0", width=width))
            made.tick_until(lambda number=number: Webcam.opened_n == number, "opened")
        assert Webcam.free_n == 3


@pytest.mark.parametrize("source", ["rtsp://h/1", "file:/gate.mp4", "v4l2:/dev/video0", "picamera:0"])
def test_every_kind_of_source_says_whether_it_can_follow(tmp_path: Path, source: str):
    camera = Camera(name="gate", source=source)
    other = Camera(name="gate", source=source, width=640, height=480)
    assert open_main(camera, CLOCK, Rate(), tmp_path).adjust(other) is False


def test_a_camera_that_another_process_has_is_left_to_it_and_taken_when_it_ends(
        tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("agent.capture.camera_set.LOCK_AGAIN_S", 0.5)
    with shift(tmp_path, CLOCK) as first, shift(tmp_path / "second", CLOCK) as second:
        second.folders = second.camera_set._folders = first.folders
        first.obey(film("gate"))
        with pytest.raises(AlreadyRunning, match="already works on .* as camera-gate"):
            second.obey(film("gate"), insist=True)
        second.obey(film("gate"), film("yard"))
        second.tick_until(lambda: second.recording("yard"), "the other one records")
        assert set(second.facts()) == {"yard"} and "gate belongs to another process" in caplog.text
        first.obey()
        second.tick_until(lambda: second.recording("gate"), "it is taken over")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_camera_for_whose_lock_a_full_card_has_no_room_is_taken_up_once_there_is_some(
        tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("agent.capture.camera_set.LOCK_AGAIN_S", 0.5)
    with small_card(tmp_path, "-N", "64") as card, shift(tmp_path, CLOCK) as made:
        made.folders = made.camera_set._folders = Folders(card / "store").create()
        fill_files(card)
        made.obey(film("gate"), insist=True)
        assert not made.facts() and "gate has no lock" in caplog.text
        empty(card)
        made.tick_until(lambda: made.recording("gate"), "it records")
        made.obey()


CONFIG = """
[[camera]]
name = "gate"
source = "file:{path}"
loop = true
record = "continuous"
[camera.motion]
enabled = false
[[camera]]
name = "yard"
source = "file:{path}"
loop = true
record = "continuous"
[camera.motion]
enabled = false
[web]
port = {port}
"""


def parts(agent: Agent) -> dict[str, str]:
    """The open clip of each camera."""
    return {path.name.partition("-")[0]: path.name for path in agent.folders.clips.glob("*/*.part")}


def test_the_real_process_reads_again_at_sighup_and_keeps_what_it_has_when_it_is_wrong(tmp_path: Path):
    agent = Agent(tmp_path, CONFIG.format(path=footage.clip(640, 360, 10, 10, 500), port=free_port()))
    with agent.capture("--network") as capture:
        inbox = Inbox(agent.runtime, "link")
        first = until(lambda: len(found := parts(agent)) == 2 and found, "both record")
        good = agent.path.read_text()
        agent.path.write_text(good.replace("loop", "lop"))
        capture.send_signal(signal.SIGHUP)
        fault = until(lambda: _fault(inbox), "it is told")
        assert "unknown key; did you mean loop" in fault and parts(agent) == first
        agent.path.write_text(good.replace('name = "yard"', 'name = "yard"\nmax_clip_s = 20'))
        capture.send_signal(signal.SIGHUP)
        until(lambda: parts(agent).get("yard") not in (None, first["yard"]), "the one starts anew")
        assert parts(agent)["gate"] == first["gate"] and capture.poll() is None
        until(lambda: isinstance(beat := inbox.receive(0.2), Beat) and not beat.facts.config_fault,
              "nothing is wrong any more")
        capture.terminate()
        assert capture.wait(HANG_S) == 0


def _fault(inbox: Inbox) -> str | None:
    beat = inbox.receive(0.2)
    return beat.facts.config_fault if isinstance(beat, Beat) else None


def test_the_small_stream_is_open_while_motion_is_looked_for(tmp_path: Path):
    small = footage.clip(640, 360, 5, 10, 160)
    with RtspCamera(footage.clip(1280, 720, 15, 30, 2000), small) as server, shift(tmp_path, CLOCK) as made:
        def connections_n() -> int:
            return sum(each.raddr.port == server.port for each in psutil.Process().net_connections("tcp") if each.raddr)

        def camera(looks: bool) -> Camera:
            return Camera(name="gate", source=server.url, sub=server.sub_url, record="continuous",
                          motion=Motion(enabled=looks))

        made.obey(camera(looks=False))
        gate = made.tick_until(lambda: made.recording("gate"), "it records")
        assert connections_n() == 1
        for looks in (True, False, True):
            made.obey(camera(looks))
            made.tick_until(lambda n=1 + looks: connections_n() == n, f"motion is looked for: {looks}")
        made.until(lambda facts: facts["gate"].luma_fps, "pictures are looked at")
        assert made.recording("gate") == gate
