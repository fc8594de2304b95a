"""A heart beats as often as somebody looks at what it tells, and gives back what the start of its role has left."""
import socket
import subprocess
import sys
from contextlib import closing

import pytest

from agent.core.contract.facts import Beat, CameraFacts, CaptureFacts, LinkFacts, Poke
from agent.host import runtime
from agent.host.datagram import Inbox, Outlet
from agent.host.stop import Stop
from agent.process.heartbeat import AGAIN_S, CAMERAS_EVERY_S, EVERY_S, Heartbeat
from agent.store.card_fault import OWN
from tests.rigs.device.command_desk import HandClock

SETTLING = """
import sys
from pathlib import Path
from agent.host.prctl import SETTLED_S
from agent.process.heartbeat import Heartbeat
from tests.rigs.device.command_desk import HandClock

def own_mb():
    return int(next(line for line in Path("/proc/self/smaps_rollup").read_text().splitlines()
                    if line.startswith("Private_Dirty:")).split()[1]) / 1024

clock = HandClock()
heart = Heartbeat("keeper", "keeper", Path(sys.argv[1]), clock)
blocks = [bytes([number % 251]) * 8_000 for number in range(5_000)]
blocks[:-1] = []                # one is left at the end, and keeps all below it
heart.beat()
before = own_mb()
clock.step(SETTLED_S)
heart.beat()
print(before - own_mb())
"""


@pytest.mark.parametrize(("role", "every_s"), [("capture", CAMERAS_EVERY_S), ("keeper", EVERY_S), ("web", EVERY_S)])
def test_who_tells_of_cameras_beats_more_often(tmp_path, role, every_s):
    clock = HandClock()
    heart = Heartbeat(role, role, tmp_path, clock)
    runtime.own(tmp_path, "link")
    with closing(Inbox(tmp_path, "link")) as inbox:
        for _ in range(2):
            assert heart.due()
            heart.beat()
            assert heart.wait_s() == every_s
            clock.step(every_s - 0.5)
            heart.beat()
            assert heart.wait_s() == 0.5 and not heart.due()
            clock.step(0.5)
        assert [each.unit for each in inbox.waiting() if isinstance(each, Beat)] == [role] * 2


def test_systemctl_status_shows_what_the_unit_does_and_only_a_change_is_sent(tmp_path, monkeypatch):
    clock = HandClock()
    heart = Heartbeat("capture", "capture", tmp_path, clock)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    said = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        for cameras, facts in (([], None), ([CameraFacts(camera="gate", state="ok")], None),
                               ([CameraFacts(camera="gate", state="ok")], None),
                               ([CameraFacts(camera="gate", state="retrying", fault="camera_auth")],
                                CaptureFacts(config_fault="x")), ([], LinkFacts(broker="connected", outbox_n=2))):
            heart.beat(cameras, facts)
            said.append(systemd.recv(4096).decode().split("\n"))
            clock.step(EVERY_S)
    assert said == [["READY=1", "STATUS=", "WATCHDOG=1"], ["STATUS=gate ok", "WATCHDOG=1"], ["WATCHDOG=1"],
                    ["STATUS=gate camera_auth; the last good configuration is in use", "WATCHDOG=1"],
                    ["STATUS=broker connected, 2 messages wait", "WATCHDOG=1"]]


def test_who_finds_an_inbox_full_tries_again_soon(tmp_path):
    clock = HandClock()
    heart = Heartbeat("capture", "capture", tmp_path, clock)
    runtime.own(tmp_path, "link")
    with closing(Inbox(tmp_path, "link")) as inbox:
        flood = Outlet(tmp_path)
        while not flood.met_full:
            flood.send(Poke(what="requests"), "link")
        heart.beat()
        assert heart.wait_s() == AGAIN_S
        assert [*inbox.waiting()]
        clock.step(AGAIN_S)
        heart.beat()
        assert heart.wait_s() == CAMERAS_EVERY_S
        assert [each for each in inbox.waiting() if isinstance(each, Beat)]


def test_what_the_start_has_left_free_goes_back_once_the_role_has_settled(tmp_path):
    done = subprocess.run([sys.executable, "-c", SETTLING, tmp_path], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 30


@pytest.mark.parametrize(("facts", "cameras"), [
    (LinkFacts(card_fault=OWN), []), (CaptureFacts(), [CameraFacts(camera="gate", state="ok", write_fault=OWN)])])
def test_a_role_that_has_no_files_left_starts_anew_and_one_whose_card_fails_does_not(tmp_path, facts, cameras):
    clock, stop = HandClock(), Stop()
    heart = Heartbeat("link", "link", tmp_path, clock, stop)
    for told in (LinkFacts(card_fault="card_io"), LinkFacts(), None):
        heart.beat([CameraFacts(camera="gate", state="ok", write_fault="card_io")], told)
        clock.step(EVERY_S)
    assert not stop.is_set()
    heart.beat(cameras, facts)
    assert stop.is_set()
