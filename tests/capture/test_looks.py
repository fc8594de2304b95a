"""The detector at work on its socket: each look to those who watch, at no cost for anybody while nobody does."""
import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pytest

from agent.capture.clip_rows import ClipRules
from agent.capture.pipe import Pipe
from agent.capture.recorder import Recorder
from agent.capture.sockets import WATCHERS_MAX, LiveSocket, LookSocket
from agent.config.settings import Camera, Motion, Zone
from agent.core.contract.looks import DetectorLook
from agent.host.datagram import Outlet
from agent.host.runtime import camera_socket
from agent.store.folders import Folders
from tests.capture.conftest import Rig
from tests.conftest import HandClock
from tests.rigs.cameras import footage
from tests.rigs.cameras.h264 import movie
from tests.rigs.wait import HANG_S, until
from tests.scenes import Happening, Walk, noise, pictures

INFO, _ = movie()
PERSON = Walk(0.5)
LEFT_HALF = Zone(name="left", rule="watch", area=[(0, 0), (0.5, 0), (0.5, 1), (0, 1)])


@dataclass
class Watched:
    """A camera whose detector may be watched."""

    pipe: Pipe
    clock: HandClock
    looks: LookSocket
    path: Path
    put_together_n: int = 0
    watchers: list[socket.socket] = field(default_factory=list)

    def see(self, seconds: float, *happenings: Happening) -> None:
        """Five pictures a second of what happens."""
        for picture in pictures(seconds, 5, *happenings, noise(1.5)):
            self.clock.advance(0.2)
            self.pipe.luma(replace(picture, mono_s=self.clock.mono))

    def watch(self) -> socket.socket:
        """Connect, and wait until capture knows."""
        watcher = socket.socket(socket.AF_UNIX)
        watcher.settimeout(HANG_S)
        watcher.connect(str(self.path))
        self.watchers.append(watcher)
        until(lambda: self.looks.watched)
        return watcher


def told(watcher: socket.socket) -> list[DetectorLook]:
    """All that it was told so far."""
    watcher.setblocking(False)
    data = b""
    with contextlib.suppress(BlockingIOError):
        while piece := watcher.recv(65536):
            data += piece
    return [msgspec.json.decode(each, type=DetectorLook) for each in data.splitlines()]


def watched(folders: Folders, clock: HandClock, root: Path, *zones: Zone) -> Iterator[Watched]:
    recorder = Recorder("gate", folders, clock, Outlet(root), ClipRules(1, pre_roll_s=5))
    live, looks = LiveSocket(root / "live.sock"), LookSocket(root / "looks.sock")
    pipe = Pipe(Camera(name="gate", source="rtsp://h/1", zone=list(zones)), recorder, live, clock, looks)
    pipe.stream(INFO)
    made = Watched(pipe, clock, looks, root / "looks.sock")
    really = pipe.watch.shown

    def counted(*arguments):
        made.put_together_n += 1
        return really(*arguments)

    pipe.watch.shown = counted
    yield made
    for each in made.watchers:
        each.close()
    looks.close()
    live.close()


@pytest.fixture
def yard(folders: Folders, hand_clock: HandClock, tmp_path: Path) -> Iterator[Watched]:
    yield from watched(folders, hand_clock, tmp_path)


@pytest.fixture
def zoned(folders: Folders, hand_clock: HandClock, tmp_path: Path) -> Iterator[Watched]:
    yield from watched(folders, hand_clock, tmp_path, LEFT_HALF)


def test_without_a_watcher_no_look_is_put_together(yard: Watched):
    yard.see(10, PERSON)
    assert yard.put_together_n == 0
    watcher = yard.watch()
    yard.see(2)
    assert yard.put_together_n == len(told(watcher)) == 10
    watcher.close()
    yard.see(1)                         # the first of these finds out that nobody is there any more
    assert not yard.looks.watched and yard.put_together_n == 11


def test_it_tells_score_and_boxes_and_why_nothing_is_told(yard: Watched):
    watcher = yard.watch()
    yard.see(10)
    yard.see(4, PERSON)
    looks = told(watcher)
    assert looks[0].silences == ("settling",) and looks[40].silences == () and not looks[40].boxes
    assert all(look.least == pytest.approx(0.00042) for look in looks)
    moving = [look for look in looks if look.boxes]
    assert moving and all(look.event and look.score > look.least for look in moving)
    assert all(box.counts and 0 <= box.x < 1 and 0 < box.h < 1 for look in moving for box in look.boxes)
    assert len(looks) == 70 and looks == sorted(looks, key=lambda look: look.mono_s)


def test_what_fulfils_no_zone_is_seen_and_does_not_count(zoned: Watched):
    watcher = zoned.watch()
    zoned.see(10)
    zoned.see(8, PERSON)                # from the left to the right
    moving = [look for look in told(watcher) if look.boxes]
    inside = [look for look in moving if look.zones]
    outside = [look for look in moving if not look.zones]
    assert inside and all(look.zones == ("left",) and any(box.counts for box in look.boxes) for look in inside)
    assert outside and all(look.silences == ("no_zone",) and not look.boxes[0].counts for look in outside)


def test_a_watcher_that_reads_nothing_is_cut_off_and_delays_nobody(yard: Watched):
    yard.watch()
    for _ in range(400):
        if not yard.looks.watched:
            break
        yard.see(20, PERSON)
    assert not yard.looks.watched


def test_only_so_many_watch_and_one_that_has_gone_makes_room(yard: Watched):
    for n in range(WATCHERS_MAX):
        yard.watch()
        until(lambda n=n: len(yard.looks._watchers) == n + 1)
    too_many = yard.watch()
    assert too_many.recv(1) == b""
    yard.watchers[0].close()
    again = yard.watch()
    until(lambda: yard.see(0.2) or told(again))


def test_a_paused_camera_tells_nothing(yard: Watched):
    watcher = yard.watch()
    yard.see(2)
    yard.pipe.pause("page")
    told(watcher)
    yard.see(2, PERSON)
    assert told(watcher) == []


def test_a_running_camera_has_the_socket_until_its_end(rig: Rig):
    rig.start(f"file:{footage.clip(640, 360, 10, 10, 500)}", loop=True, motion=Motion(enabled=True))
    with socket.socket(socket.AF_UNIX) as watcher:
        watcher.settimeout(HANG_S)
        watcher.connect(str(camera_socket(rig.runtime, "looks", "gate")))
        lines = watcher.makefile("rb")
        assert any(msgspec.json.decode(lines.readline(), type=DetectorLook).boxes for _ in range(100))
        rig.finish()
        assert lines.read() is not None and watcher.recv(1) == b""
    until(lambda: "looks" not in [each.name for each in threading.enumerate()])
