"""The live view over HTTP: real H.264 from a camera's socket, and what happens when camera, viewer or page go."""
import http.client
import json
import re
import socket
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agent.host.runtime import VIDEO, made
from agent.web.live import streams as live
from agent.web.live.streams import DurationGuess
from tests.rigs.cameras.h264 import movie
from tests.rigs.cameras.live_camera import LiveCam
from tests.rigs.house.household import FRAME_US, Household, house_of
from tests.rigs.wait import HANG_S, Stopwatch, until

house = house_of()


@pytest.fixture
def cam(house):
    info, packets = movie()
    cam = LiveCam(house.runtime, "gate", info, packets, FRAME_US)
    yield cam
    cam.close()


def watch(house: Household) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=HANG_S)
    connection.request("GET", "/live/gate.mp4", headers={"cookie": house.cookie})
    return connection.getresponse()


def frames(answer: http.client.HTTPResponse, count: int) -> bytes:
    data = b""
    while data.count(b"moof") < count:
        data += answer.read1(65536)
    return data


def take(answer: http.client.HTTPResponse, seconds: float) -> bytes:
    data, deadline_s = b"", time.monotonic() + seconds
    while time.monotonic() < deadline_s:
        data += answer.read1(65536)
    return data


def read_on(answer: http.client.HTTPResponse, size_b: int) -> bytes:
    data = b""
    while len(data) < size_b:
        piece = answer.read1(65536)
        assert piece, "it has ended"
        data += piece
    return data


def test_the_stream_is_the_recorded_video_as_it_comes(house, cam, tmp_path):
    answer = watch(house)
    assert answer.status == 200
    assert re.fullmatch(r'video/mp4; codecs="avc1\.[0-9a-f]{6}"', answer.getheader("content-type"))
    assert answer.getheader("cache-control") == "no-store"
    file = tmp_path / "seen.mp4"
    with Stopwatch() as taken:
        file.write_bytes(frames(answer, 15))
    answer.close()
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", file]
    stream = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["streams"][0]
    assert (stream["codec_name"], stream["width"], stream["height"]) == ("h264", 320, 180)
    # A fragment for what comes together: at first a whole GOP, and what a busy machine was late for.
    assert 15 <= int(stream["nb_read_frames"]) <= 40 * taken.slowness


def test_many_viewers_are_one_to_the_camera_and_none_is_none(house, cam):
    """Each sees the stream from a keyframe on, whenever it came; the camera's process has one connection for all."""
    answers = [watch(house) for _ in range(12)]
    assert all(answer.status == 200 and answer.read1(65536)[4:8] == b"ftyp" for answer in answers)
    assert len(cam.live._viewers) == 1
    answers.pop().close()
    assert take(answers[0], 0.5)
    for answer in answers:
        answer.close()
    until(lambda: not [viewer for viewer in cam.live._viewers if not viewer.gone])


def test_a_viewer_that_leaves_gives_its_place_back(house, cam):
    answers = [watch(house) for _ in range(live.VIEWERS_N_MAX)]
    assert watch(house).status == 503
    for answer in answers:
        answer.close()
    until(lambda: (answer := watch(house)).status == 200 or answer.close())


def test_a_viewer_that_takes_nothing_loses_whole_gops_and_holds_up_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "QUEUE_B_MAX", 600_000)
    info, packets = movie()
    filler = (100_000).to_bytes(4, "big") + b"\x0c" + bytes(99_999)           # NAL type 12: a decoder steps over it
    heavy = [replace(packet, data=packet.data + filler) for packet in packets]     # 16 Mbit/s at 20 a second
    with Household(tmp_path) as house:
        cam = LiveCam(house.runtime, "gate", info, heavy, FRAME_US // 2)
        lazy, nimble = watch(house), watch(house)
        with Stopwatch() as taken:
            read_on(nimble, 4 * 20 * 100_000)
        assert taken.fair_s < 6 and house.get("/").status == 200
        late = read_on(lazy, 4 * 20 * 100_000)
        lazy.close()
        nimble.close()
        cam.close()
    packets = probe(late, tmp_path)
    times_s = [float(packet["pts_time"]) for packet in packets]
    gaps = [n for n in range(1, len(packets)) if times_s[n] - times_s[n - 1] > 0.2]
    assert gaps and all("K" in packets[n]["flags"] for n in gaps)


def probe(data: bytes, folder: Path) -> list[dict]:
    file = folder / "probed.mp4"
    file.write_bytes(data)
    done = subprocess.run(["ffprobe", "-v", "error", "-show_packets", "-of", "json", file], capture_output=True)
    return json.loads(done.stdout)["packets"]


@pytest.mark.parametrize("camera, status, reason", [("yard", 503, "camera_off"), ("nobody", 404, "camera_off")])
def test_no_picture_is_told_with_its_reason(house, camera, status, reason):
    answer = house.get(f"/live/{camera}.mp4")
    assert (answer.status, json.loads(answer.body)) == (status, {"reason": reason})


def test_a_camera_without_a_picture_yet_is_told_too(house, monkeypatch):
    monkeypatch.setattr(live, "FIRST_PACKET_S", 0.2)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(made(house.runtime / VIDEO) / "live-gate.sock"))
        silent.listen(1)
        answer = house.get("/live/gate.mp4")
    assert (answer.status, json.loads(answer.body)) == (503, {"reason": "no_picture"})


def test_a_new_format_ends_the_stream_so_that_the_page_asks_again(house, cam):
    answer = watch(house)
    take(answer, 0.5)
    other, _ = movie(size=(640, 360))
    cam.live.stream(other)
    until(lambda: answer.read1(65536) == b"")


def test_nonsense_on_the_socket_harms_only_this_viewer(house):
    with socket.socket(socket.AF_UNIX) as odd:
        odd.bind(str(made(house.runtime / VIDEO) / "live-gate.sock"))
        odd.listen(1)
        odd.settimeout(HANG_S)
        threading.Thread(target=lambda: odd.accept()[0].sendall(b"HTTP/1.1 200 OK\r\n" * 10), daemon=True).start()
        answer = house.get("/live/gate.mp4")
    assert json.loads(answer.body) == {"reason": "no_picture"}
    assert house.get("/").status == 200


def test_the_page_ends_within_three_seconds_though_somebody_watches(tmp_path):
    house = Household(tmp_path)
    info, packets = movie()
    cam = LiveCam(house.runtime, "gate", info, packets, FRAME_US)
    house.__enter__()
    answers = [watch(house) for _ in range(3)]
    with Stopwatch() as ending:
        house.__exit__()
    assert ending.fair_s < 3
    until(lambda: answers[0].read1(65536) == b"")          # ended in order, not cut off
    cam.close()


def test_a_gap_is_not_taken_for_a_frame():
    _, packets = movie()
    pace = DurationGuess()
    assert pace.guess_us(packets[:5]) == FRAME_US
    late = replace(packets[5], dts_us=packets[4].dts_us + 3_000_000)
    assert pace.guess_us([late]) == FRAME_US
