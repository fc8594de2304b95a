"""Cameras that ask for too much, in a real capture process: the camera beside them notices nothing."""
import os
from itertools import pairwise
from pathlib import Path

from agent.core.media.nal import unit_type
from agent.store.clips import Clip
from tests.process.agent import Agent
from tests.process.listener import Listener, camera
from tests.rigs.cameras import footage
from tests.rigs.cameras.giant_pictures import giant_sps
from tests.rigs.cameras.odd_camera import Habits, OddCamera
from tests.rigs.wait import HANG_S, until

QUESTIONS = b"OPTIONS rtsp://x RTSP/1.0\r\nCSeq: 1\r\n\r\n" * 1_000
MEMORY_MAX_KB = 200_000      # MemoryHigh of the unit of all network cameras


def most_kb(pid: int) -> int:
    """The most memory that a process has had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def clips_of(agent: Agent, name: str) -> list[Clip]:
    """A camera's clips, oldest first."""
    return [clip for clip in agent.clips() if clip.camera == name]


def assert_no_gap(agent: Agent, name: str) -> None:
    """The camera has been recorded, and its clips leave no time out."""
    own = clips_of(agent, name)
    assert own and all(abs(one.mono_ms + one.dur_ms - two.mono_ms) <= 2 for one, two in pairwise(own))


def test_a_giant_picture_is_recorded_and_not_decoded(tmp_path: Path):
    film = footage.clip(640, 360, 10, 10, 500)
    with OddCamera(film) as good, OddCamera(film) as giant, OddCamera(film) as greedy:
        for odd, sizes in ((giant, (8192, 8192, 1)), (greedy, (3840, 2160, 16))):
            odd.film.sets = [giant_sps(unit, *sizes) if unit_type("h264", unit) == 7 else unit
                             for unit in odd.film.sets]
        agent = Agent(tmp_path, '[camera_defaults]\nrecord = "continuous"\nmax_clip_s = 10\n'
                      + camera("gate", good.address()) + camera("giant", giant.address())
                      + camera("greedy", greedy.address()))
        listener = Listener(agent.runtime)
        with agent.capture("--network") as network:
            listener.until(lambda facts: facts.recording and facts.too_large, "giant", "greedy")
            listener.until(lambda facts: facts.recording and not facts.too_large and facts.luma_fps, "gate")
            before = good.frames_n
            listener.until(lambda facts: good.frames_n > before + 30, "gate")
            assert most_kb(network.pid) < MEMORY_MAX_KB
            os.kill(network.pid, 15)
            assert network.wait(HANG_S) == 0
    assert clips_of(agent, "giant")[0].width == 8192 and clips_of(agent, "greedy")
    assert_no_gap(agent, "gate")


def test_a_flood_of_questions_is_given_up_again_and_again(tmp_path: Path):
    film = footage.clip(640, 360, 10, 10, 500)
    with OddCamera(film) as good, OddCamera(
            film, Habits(answers={"DESCRIBE": b""}, floods={"DESCRIBE": QUESTIONS})) as flooding:
        agent = Agent(tmp_path, '[camera_defaults]\nrecord = "continuous"\nmax_clip_s = 10\n'
                      + camera("gate", good.address()) + camera("flooding", flooding.address()))
        listener = Listener(agent.runtime)
        with agent.capture("--network") as network:
            listener.until(lambda facts: facts.recording, "gate")
            until(lambda: flooding.methods.count("DESCRIBE") > 2 or network.poll() is not None)
            listener.until(lambda facts: facts.fault == "camera_stream_bad", "flooding")
            os.kill(network.pid, 15)
            assert network.wait(HANG_S) == 0
    assert_no_gap(agent, "gate")
