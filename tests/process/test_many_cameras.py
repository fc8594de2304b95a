"""Many cameras, one process: whatever happens to one of them, its neighbours miss no frame."""
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from agent.host.clock import SystemClock
from agent.store import boots, clips
from agent.store.database import connect, transaction
from tests.process.agent import Agent
from tests.process.listener import Listener, camera
from tests.rigs.cameras import footage
from tests.rigs.cameras.odd_camera import Habits, OddCamera, Viewer
from tests.rigs.cameras.rtsp import RtspCamera, missing
from tests.rigs.store.decrypted import clear
from tests.rigs.wait import HANG_S, until

pytestmark = pytest.mark.needs.with_args(missing)

CONFIG = """
[camera_defaults]
record = "continuous"
max_clip_s = 10
[camera_defaults.motion]
enabled = false
"""
HOOK = """
import os, sys

def hang(event, values):
    if event == "open" and str(values[0]) == {clip!r} and os.path.exists({pipe!r}):
        os.close(os.open({pipe!r}, os.O_RDONLY))

sys.addaudithook(hang)
"""
JUNK_FROM = 20                      # the frame before which that camera goes mad, in every connection anew


def go_mad(viewer: Viewer) -> None:
    """Send what is neither RTSP nor RTP, then what looks like it, and hang up.

    By chance the noise reads like packets that nobody asked for, which a patient reader skips: only the end is certain.
    """
    viewer.send(os.urandom(50_000) + b"$\0\xff\xff" + bytes(70_000) + b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n")
    viewer.close()


def hang_card(agent: Agent, name: str) -> Callable[[], None]:
    """Have the camera's recorder hang in a real system call: its first look at a clip that it left open.

    Before that file is opened, a pipe is, to which nobody writes. Returns what ends the wait.
    """
    now = SystemClock().now()
    with contextlib.closing(connect(agent.folders.create().root)) as db, transaction(db):
        boots.remember(db, now.boot)
        clip = agent.folders.clip(*clips.open_row(db, name, "continuous", now, "h264", 640, 360))
    hooks, pipe = agent.place / "hooks", agent.place / "pipe"
    hooks.mkdir()
    os.mkfifo(pipe)
    (hooks / "sitecustomize.py").write_text(HOOK.format(clip=str(clip), pipe=str(pipe)))
    agent.environment["PYTHONPATH"] = f"{hooks}:{agent.environment['PYTHONPATH']}"

    def answer() -> None:
        aside = pipe.rename(agent.place / "aside")
        os.close(os.open(aside, os.O_WRONLY | os.O_NONBLOCK))       # ENXIO if nobody hangs there
    return answer


def assert_nothing_is_missing(agent: Agent, name: str, film: Path) -> None:
    """The camera's clips leave no time out and show the film frame by frame, over and over."""
    with av.open(str(film)) as container:
        film_tails = [bytes(packet)[-100:] for packet in container.demux(video=0) if packet.size]
    own = [clip for clip in agent.clips() if clip.camera == name]
    for clip, following in zip(own, own[1:], strict=False):
        assert abs(clip.mono_ms + clip.dur_ms - following.mono_ms) <= 2
    tails = []
    for clip in own:
        with clear(agent.folders, clip) as video, av.open(video) as container:
            tails += [bytes(packet)[-100:] for packet in container.demux(video=0) if packet.size]
    first = film_tails.index(tails[0])
    assert len(own) > 1 and len(tails) > 100
    assert tails == [film_tails[(first + number) % len(film_tails)] for number in range(len(tails))]


def test_neighbours_of_a_sick_camera_miss_no_frame(tmp_path: Path):
    film = footage.clip(640, 360, 10, 10, 500)
    with RtspCamera(film) as good, RtspCamera(film) as freezing, RtspCamera(film) as dying, \
            OddCamera(film, Habits(acts={JUNK_FROM: go_mad})) as mad:
        agent = Agent(tmp_path, CONFIG + camera("gate", good.url, 'reader = "own"')
                      + camera("yard", good.url, 'reader = "libav"') + camera("freezing", freezing.url)
                      + camera("dying", dying.url) + camera("mad", mad.address()) + camera("slow", good.url)
                      + camera("apart", f"file:{film}", "loop = true"))
        answer = hang_card(agent, "slow")
        listener = Listener(agent.runtime)
        with agent.capture("--camera", "apart") as apart:
            listener.until(lambda facts: facts.recording, "apart")
            with agent.capture("--network") as network:
                listener.until(lambda facts: facts.recording, "gate", "yard", "freezing", "dying")
                freezing.freeze()
                dying.kill()
                apart.send_signal(signal.SIGSTOP)       # maybe in the middle of a commit: all wait for it then
                listener.until(lambda facts: facts.state == "retrying", "freezing", "dying")
                listener.until(lambda facts: facts.state == "ok" and not facts.recording, "slow")
                until(lambda: mad.methods.count("PLAY") > 1, "the mad one is asked again")
                freezing.thaw()
                dying.start()
                answer()
                apart.send_signal(signal.SIGCONT)
                listener.until(lambda facts: facts.recording, "gate", "yard", "freezing", "dying", "slow", "apart")
                network.terminate()
                assert network.wait(HANG_S) == 0
    for name in ("gate", "yard"):
        assert_nothing_is_missing(agent, name, film)
