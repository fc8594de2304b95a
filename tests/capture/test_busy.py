"""A camera's busy areas on its socket: what the wind does is shown and forgotten, and why motion is silent is told."""
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from agent.capture.clip_rows import ClipRules
from agent.capture.pipe import Pipe
from agent.capture.recorder import Recorder
from agent.capture.sockets import LiveSocket, busy_socket
from agent.config.settings import Camera, Motion
from agent.core.contract.busy import COLUMNS, FORGET, SHOW, Busy, level, parse
from agent.host.datagram import Outlet
from agent.host.runtime import camera_socket
from agent.store.folders import Folders
from tests.capture.conftest import Rig
from tests.conftest import HandClock
from tests.rigs.cameras import footage
from tests.rigs.cameras.h264 import movie
from tests.rigs.wait import HANG_S, until
from tests.scenes import Happening, Walk, gusts, noise, pictures

INFO, _ = movie()
PERSON = Walk(0.5)
WIND = gusts(6)


def squalls(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
    """Calm at first, then wind for five seconds of every nine."""
    return WIND(picture, t_s, rng) if t_s > 8 and (t_s - 8) % 9 < 5 else picture


def ask(path: Path, question: bytes) -> bytes:
    """One question, and the whole answer."""
    with socket.socket(socket.AF_UNIX) as asker:
        asker.settimeout(HANG_S)
        asker.connect(str(path))
        asker.sendall(question)
        return asker.makefile("rb").read()


@dataclass
class Hedge:
    """A camera before a hedge, and its socket."""

    pipe: Pipe
    clock: HandClock
    path: Path

    def see(self, seconds: float, *happenings: Happening) -> None:
        """Five pictures a second of what happens."""
        for picture in pictures(seconds, 5, *happenings, noise(1.5)):
            self.clock.advance(0.2)
            self.pipe.luma(replace(picture, mono_s=self.clock.mono))

    def busy(self, question: bytes = SHOW) -> Busy:
        """What its socket answers."""
        return parse(ask(self.path, question))


@pytest.fixture
def hedge(folders: Folders, hand_clock: HandClock, tmp_path: Path) -> Iterator[Hedge]:
    recorder = Recorder("gate", folders, hand_clock, Outlet(tmp_path), ClipRules(1, pre_roll_s=5))
    live = LiveSocket(tmp_path / "live.sock")
    pipe = Pipe(Camera(name="gate", source="rtsp://h/1"), recorder, live, hand_clock)
    pipe.stream(INFO)
    server = busy_socket(tmp_path / "busy.sock", pipe.watch.busy, pipe.watch.forget_busy)
    yield Hedge(pipe, hand_clock, tmp_path / "busy.sock")
    server.close()
    live.close()


def left_and_right(busy: Busy) -> tuple[int, int]:
    """The shown cells of each half of the picture."""
    half = COLUMNS // 2
    return (sum(level(value) > 0 for row in busy.grid for value in row[:half]),
            sum(level(value) > 0 for row in busy.grid for value in row[half:]))


def test_a_hedge_in_the_wind_is_shown_where_it_is_and_forgotten_when_asked(hedge: Hedge):
    hedge.see(20, squalls)
    left_n, right_n = left_and_right(hedge.busy())
    assert left_n > 5 and right_n == 0
    assert (hedge.busy().width, hedge.busy().height) == (INFO.width, INFO.height)
    assert left_and_right(hedge.busy(FORGET)) == (0, 0)             # the answer tells what holds afterwards
    assert left_and_right(hedge.busy()) == (0, 0)
    hedge.see(20, squalls)
    assert left_and_right(hedge.busy())[0] > 5                      # learned anew


def test_it_tells_why_nothing_is_said_to_move_and_that_something_does(hedge: Hedge):
    hedge.see(1)
    assert hedge.busy().silences == ("settling",)
    hedge.see(9)
    assert hedge.busy().silences == () and not hedge.busy().moving
    hedge.see(4, PERSON)
    assert hedge.busy().moving and hedge.busy().silences == ()


def test_before_the_first_picture_and_long_after_the_last_one_nothing_is_known(hedge: Hedge):
    assert hedge.busy() == Busy(state="no_picture")
    assert hedge.busy(FORGET) == Busy(state="no_picture")
    hedge.see(5)
    assert hedge.busy().state == "ok"
    hedge.clock.advance(13)
    assert hedge.busy() == Busy(state="no_picture")


def test_a_paused_camera_tells_nothing_of_what_it_saw(hedge: Hedge):
    hedge.see(20, squalls)
    hedge.pipe.pause("page")
    assert hedge.busy() == Busy(state="no_picture")
    hedge.see(1, WIND)                                         # a picture that was still under way
    assert hedge.busy() == Busy(state="no_picture")
    hedge.clock.advance(60)
    hedge.pipe.pause(None)
    hedge.pipe.stream(INFO)
    hedge.see(1)
    assert hedge.busy().state == "ok" and left_and_right(hedge.busy()) == (0, 0)


def test_what_is_no_question_of_ours_gets_no_answer_and_forgets_nothing(hedge: Hedge):
    hedge.see(20, squalls)
    for question in (b"forget everything!", b"FORGET\n", b"\n"):
        assert ask(hedge.path, question) == b""
    assert left_and_right(hedge.busy())[0] > 5


def test_a_running_camera_has_the_socket_until_its_end(rig: Rig):
    rig.start(f"file:{footage.clip(640, 360, 10, 10, 500)}", loop=True, motion=Motion(enabled=True))
    path = camera_socket(rig.runtime, "busy", "gate")
    assert until(lambda: (found := parse(ask(path, SHOW))).state == "ok" and found).width == 640
    rig.finish()
    with pytest.raises(OSError):
        ask(path, SHOW)
