"""A picture of now on the snapshot socket: full size, in time, and none when there is nothing to show."""
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from agent.capture.sockets import snapshot_socket
from agent.config.settings import Motion
from agent.core.contract.still import Still, parse
from agent.core.media.model import Packet
from agent.host.clock import SystemClock
from agent.host.runtime import camera_socket
from tests.capture.conftest import Rig
from tests.capture.visitor import ask
from tests.conftest import HandClock
from tests.rigs.cameras import footage
from tests.rigs.cameras.h264 import movie
from tests.rigs.wait import Stopwatch, until

INFO, MOVIE = movie()
GOP = list(MOVIE[:10])


def seen(jpeg: bytes) -> np.ndarray:
    """The picture, BGR."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


class Shop:
    """What the snapshots are made of, and how often somebody came for it."""

    def __init__(self) -> None:
        self.gop: list[Packet] = GOP

    def newest(self):
        return (INFO, self.gop) if self.gop else None


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def path(tmp_path: Path, shop: Shop, hand_clock: HandClock) -> Iterator[Path]:
    made = snapshot_socket(tmp_path / "snap.sock", shop.newest, hand_clock)
    yield tmp_path / "snap.sock"
    made.close()


def red_from(picture: np.ndarray) -> int:
    """Where the moving red square of the film begins."""
    return int(np.flatnonzero(picture[60, :, 2] > 150)[0])


def test_the_newest_picture_comes_whole_with_its_age(path: Path, hand_clock: HandClock):
    hand_clock.mono = GOP[-1].pts_us / 1e6 + 0.25
    still, jpeg = ask(path)
    assert (still.state, still.width, still.height, still.age_ms) == ("ok", 320, 180, 250)
    picture = seen(jpeg)
    assert picture.shape == (180, 320, 3) and abs(red_from(picture) - 9 * 7) <= 2        # the tenth picture of the film


def test_who_asks_within_a_second_gets_the_same_picture(path: Path, shop: Shop, hand_clock: HandClock):
    first = ask(path)
    shop.gop = list(MOVIE[10:20])
    hand_clock.advance(0.9)
    assert ask(path) == first
    hand_clock.advance(0.2)
    assert abs(red_from(seen(ask(path)[1])) - 19 * 7) <= 2


def test_when_time_is_short_the_picture_reached_counts(path: Path, shop: Shop, hand_clock: HandClock,
                                                       monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hand_clock, "mono_s", lambda: hand_clock.advance(0.1) or hand_clock.mono)
    still, jpeg = ask(path)
    assert still.state == "ok" and 7 * 1 < red_from(seen(jpeg)) < 7 * 8


def test_no_picture_is_said_and_an_older_one_is_not_shown_instead(path: Path, shop: Shop):
    assert ask(path)[0].state == "ok"
    shop.gop = []
    assert ask(path) == (Still(state="no_picture"), b"")


def test_what_cannot_be_decoded_is_no_picture(path: Path, shop: Shop):
    shop.gop = [Packet(b"\0\0\0\x04junk", 0, 0, True)]
    assert ask(path)[0].state == "no_picture"


def test_an_answer_that_was_cut_off_is_noticed():
    for data in (b"", b"{}", b'{"state":"ok"}\n\xff\xd8half', b'{"state":"no_picture"}'):
        with pytest.raises(msgspec.DecodeError):
            parse(data)


def test_a_running_camera_answers_many_within_a_second_and_none_after_its_end(rig: Rig):
    rig.start(f"file:{footage.clip(1280, 720, 15, 30, 2000, seconds=4)}", motion=Motion(enabled=False))
    path = camera_socket(rig.runtime, "snap", "gate")
    until(lambda: ask(path)[0].state == "ok")
    with Stopwatch() as watch, ThreadPoolExecutor(6) as crowd:
        answers = list(crowd.map(lambda _: ask(path), range(6)))
    assert all(still.state == "ok" and (still.width, still.height) == (1280, 720) for still, _ in answers)
    assert watch.fair_s < 5                         # a second each; here there are few processors
    until(lambda: rig.facts().state == "ended")
    until(lambda: ask(path)[0].state == "no_picture")


def test_a_real_clock_is_no_future(tmp_path: Path):
    late = [Packet(each.data, each.pts_us + 10**15, each.dts_us + 10**15, each.key) for each in GOP]
    made = snapshot_socket(tmp_path / "snap.sock", lambda: (INFO, late), SystemClock())
    assert ask(tmp_path / "snap.sock")[0].age_ms == 0
    made.close()
