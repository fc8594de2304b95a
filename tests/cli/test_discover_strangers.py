"""`taimat discover` at cameras that know no ONVIF, and at machines that are no cameras."""
import contextlib
import socket
import threading
from pathlib import Path

import pytest

from agent.cameras.discovery import network as networks
from agent.cameras.discovery.connection import Deadline, post
from agent.cameras.discovery.look import Lead, look
from agent.cameras.rtsp.connect import ConnectStopped
from agent.host.stop import Stop
from tests.cli.discovering import ask, ask_json, at
from tests.rigs.cameras import footage, onvif, rtsp
from tests.rigs.cameras.onvif import Camera, OnvifCamera
from tests.rigs.cameras.rtsp_door import RtspDoor
from tests.rigs.wait import HANG_S


def test_known_paths_find_a_camera_by_what_its_answers_hint_at(tmp_path: Path):
    paths = ("/cam/realmonitor?channel=1&subtype=0", "/cam/realmonitor?channel=1&subtype=1")
    with RtspDoor(onvif.own_address(), paths, realm="Login to 4D02B2") as door:
        (told,) = ask_json(tmp_path, *at(door))
    assert told["maker"] == "Dahua" and told["ready"] and told["main"]["url"].endswith("subtype=0")
    assert told["sub"]["url"].endswith("subtype=1") and door.refused_n == 0
    assert len(door.asked) <= 5 and not door.saw_basic


def test_a_camera_that_hangs_up_changes_the_nonce_or_knows_basic_alone_refuses_nothing(tmp_path: Path):
    with contextlib.ExitStack() as stack:
        doors = [stack.enter_context(RtspDoor(onvif.own_address(), ("/live/main", "/live/sub"), realm="x", **habits))
                 for habits in ({"hangs_up": True}, {"once": True}, {"basic": True})]
        told = ask_json(tmp_path, *at(*doors))
    assert [each["ready"] and bool(each["sub"]) for each in told] == [True] * len(doors)
    assert [(door.refused_n, door.saw_basic) for door in doors] == [(0, False), (0, False), (0, True)]


def test_known_paths_stop_at_two_refusals(tmp_path: Path):
    with RtspDoor(onvif.own_address(), ("/stream1",), realm="x") as door:
        (told,) = ask_json(tmp_path, *at(door), password="wrong")
    assert not told["ready"] and door.refused_n == 2 and "refuses" in told["advice"][0]


def test_a_scan_finds_the_open_doors_of_a_network():
    address = onvif.own_address()
    with socket.create_server((address, 0)) as one, socket.create_server((address, 0)) as other:
        ports = [each.getsockname()[1] for each in (one, other)]
        hosts = networks.addresses([networks.network(f"{address}/24")], own=())
        found = networks.scan(hosts, [*ports, 9])
    assert len(hosts) == 254 and found == {address: ports}


@pytest.mark.needs.with_args(rtsp.missing)
def test_a_real_server_is_described_with_its_size(tmp_path: Path):
    film = footage.clip(640, 360, 10, 10, 500)
    with rtsp.RtspCamera(film, film, login="admin:right") as camera:
        (told,) = ask_json(tmp_path, "--at", f"127.0.0.1:{camera.port}")
    assert told["ready"] and told["locked"] and told["main"]["codec"] == "h264"
    assert told["main"]["url"] == f"rtsp://admin:PASSWORD@127.0.0.1:{camera.port}/main"
    assert (told["main"]["width"], told["main"]["height"], told["sub"]["width"]) == (640, 360, 640)


def test_nonsense_is_nobody(tmp_path: Path):
    nonsense = (b"<html>not found</html>", b"\x00\xff" * 50, b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
                b"<a>" * 10_000)
    with contextlib.ExitStack() as stack:
        cameras = [stack.enter_context(OnvifCamera(Camera(garbage=garbage))) for garbage in nonsense]
        said = ask(tmp_path, *at(*cameras))
    assert said.returncode == 1 and "nothing there speaks ONVIF or RTSP" in said.stderr and said.stdout == ""


def test_ctrl_c_ends_the_wait_for_a_camera_that_says_nothing():
    stop, over = Stop(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        def be_silent() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1)
                stop.set()
                over.wait()
        thread = threading.Thread(target=be_silent, daemon=True)
        thread.start()
        with pytest.raises(ConnectStopped):
            look(Lead("127.0.0.1", ports=(server.getsockname()[1],)), None, False, stop)
        over.set()
        thread.join(HANG_S)


def test_a_camera_that_drips_is_left_in_time():
    with socket.create_server(("127.0.0.1", 0)) as server:
        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                while not over.wait(0.05):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return
        over = threading.Event()
        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(OSError):
            post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"x", {}, Deadline(1.0, Stop()))
        over.set()
        thread.join(HANG_S)
    assert not thread.is_alive()
