"""`taimat discover` at cameras that speak ONVIF: what is found, printed, changed, written, and never done."""
import json
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from agent.cameras.discovery import network
from agent.config.load import load, parse
from tests.cli.cli import environment, taimat, taimat_process, write_config
from tests.cli.discovering import ask, ask_json, at
from tests.rigs.cameras.onvif import Camera, Encoder, OnvifCamera
from tests.rigs.cameras.rtsp_door import RtspDoor
from tests.rigs.network import lan

STREAMS = ("/main", "/sub")


# --- ONVIF

def test_a_camera_is_described_with_a_block_that_the_configuration_takes(tmp_path: Path):
    with OnvifCamera(Camera()) as camera, RtspDoor(camera.address, STREAMS) as door:
        camera.camera.rtsp_port = door.port
        said = ask(tmp_path, "--at", camera.address)
    assert said.returncode == 0, said.stderr
    row, _, block = said.stdout.partition("\n\n")
    assert row.split("\t")[:5] == [camera.address, "Hikvision TM-200", "1920x1080 H.264 15 fps", "640x360 H.264 15 fps",
                                   "ready"]
    assert "--tune" in row and "right" not in said.stdout + said.stderr
    told = parse(block, "block").camera[0]
    start = f"rtsp://admin:PASSWORD@{camera.address}:{door.port}"
    assert (told.name, told.source, told.sub) == ("tm-200", f"{start}/main", f"{start}/sub")
    assert camera.refused_n == door.refused_n == 0 and "SetVideoEncoderConfiguration" not in camera.calls


@pytest.mark.parametrize("habits", [
    {"proof": "digest"}, {"login": ""}, {"clock_ahead": timedelta(days=-400)}, {"clock_ahead": timedelta(hours=7)},
    {"services": False}, {"media2": True}, {"says": "10.99.99.99"}], ids=str)
def test_habits_of_cameras(tmp_path: Path, habits: dict):
    with OnvifCamera(Camera(**habits)) as camera, RtspDoor(camera.address, STREAMS, camera.camera.login) as door:
        camera.camera.rtsp_port = door.port
        (told,) = ask_json(tmp_path, "--at", camera.address)
    assert told["ready"] and told["model"] == "TM-200" and told["locked"] == bool(camera.camera.login)
    assert told["sub"]["url"].endswith(f"{camera.address}:{door.port}/sub") and told["sub"]["fps"] == 15
    assert any("clock" in advice for advice in told["advice"]) == ("clock_ahead" in habits)
    assert camera.refused_n == 0


def test_the_new_media_service_shows_a_stream_that_the_old_one_hides(tmp_path: Path):
    streams = [Encoder("main", "H265", 2560, 1440, 20, 40, "/main"), Encoder("sub", "H264", 640, 360, 20, 40, "/sub")]
    with OnvifCamera(Camera(media2=True, encoders=streams)) as camera, RtspDoor(camera.address, STREAMS) as door:
        camera.camera.rtsp_port = door.port
        (told,) = ask_json(tmp_path, "--at", camera.address)
    assert (told["main"]["width"], told["sub"]["width"]) == (2560, 640)


def test_a_recorder_with_two_channels_is_two_cameras(tmp_path: Path):
    streams = [Encoder(f"{kind}{channel}", "H264", width, width // 2, 15, 30, f"/{kind}{channel}", f"channel{channel}")
               for channel in (1, 2) for kind, width in (("main", 1920), ("sub", 640))]
    paths = tuple(each.path for each in streams)
    with OnvifCamera(Camera(encoders=streams)) as camera, RtspDoor(camera.address, paths) as door:
        camera.camera.rtsp_port = door.port
        told = ask_json(tmp_path, "--at", camera.address)
    assert [(each["name"], each["main"]["url"][-6:], each["sub"]["url"][-5:]) for each in told] == [
        ("tm-200", "/main1", "/sub1"), ("tm-200-2", "/main2", "/sub2")]


def test_a_wrong_password_is_tried_twice_at_most_and_never_shown(tmp_path: Path):
    with OnvifCamera(Camera()) as camera, RtspDoor(camera.address, STREAMS) as door:
        said = ask(tmp_path, *at(camera, door), password="wr0ng-s3cret")
    assert said.returncode == 1 and "refuses this user or password" in said.stdout
    assert (camera.refused_n, door.refused_n) == (1, 1)
    assert "s3cret" not in said.stdout + said.stderr


def test_without_a_user_a_camera_that_asks_for_one_says_so(tmp_path: Path):
    with OnvifCamera(Camera()) as camera:
        said = taimat_process(tmp_path, "discover", "--at", camera.address)
    assert said.returncode == 1 and "--user NAME" in said.stdout and camera.refused_n == 0


def test_a_camera_whose_rtsp_is_off_is_not_ready(tmp_path: Path):
    with OnvifCamera(Camera(rtsp_port=9)) as camera:
        said = ask(tmp_path, "--at", camera.address)
    assert said.returncode == 1 and "switch RTSP on" in said.stdout and "[[camera]]" not in said.stdout


def test_a_camera_whose_media_service_is_dead_is_told_apart_from_one_without_a_login(tmp_path: Path):
    with OnvifCamera(Camera(media_port=9)) as camera:
        (told,) = ask_json(tmp_path, "--at", camera.address)
    assert not told["ready"] and told["model"] == "TM-200" and told["name"] == ""
    assert told["advice"] == ["ONVIF: Connection refused; switch the camera off and on, then try again"]


def test_a_password_that_the_camera_puts_into_the_path_is_shown_on_demand_only(tmp_path: Path):
    path = "/user=admin_password=s3_cret_channel=1_stream=0.sdp?real_stream"
    streams = [Encoder("main", "H264", 1920, 1080, 15, 30, path)]
    with OnvifCamera(Camera(login="", encoders=streams)) as camera, RtspDoor(camera.address, (path,), "") as door:
        camera.camera.rtsp_port = door.port
        for options in ((), ("--json",)):
            hidden = ask(tmp_path, "--at", camera.address, *options).stdout
            assert path.replace("s3_cret", "PASSWORD") in hidden and "cret" not in hidden
        assert path in ask(tmp_path, "--at", camera.address, "--show-password").stdout


def test_multicast_finds_a_camera(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(network, "LISTEN_S", 1.0)
    with OnvifCamera(Camera()) as camera:
        try:
            camera.join("127.0.0.1")
        except OSError as error:
            pytest.skip(f"no multicast here: {error}")
        found, troubles = network.search(["127.0.0.1"])
    (told,) = (each for each in found if each.address == camera.address)
    assert told.match.name == "Cổng trước" and not troubles
    assert told.services[0] == f"http://{camera.address}:{camera.port}/onvif/device_service"


@pytest.mark.needs.with_args(lan.missing)
def test_a_whole_network_is_searched(tmp_path: Path):
    with lan.Lan() as network:
        network.plug_in_cameras()
        said = network.run_recorder(sys.executable, "-m", "agent", "discover", "--json", cwd=tmp_path,
                                    env=environment(tmp_path))
    told = {each["address"]: each for each in map(json.loads, said.splitlines())}
    assert set(told) == {lan.ONVIF_CAMERA, lan.PLAIN_CAMERA}
    assert told[lan.ONVIF_CAMERA]["ready"] and told[lan.ONVIF_CAMERA]["model"] == "TM-200"
    assert told[lan.PLAIN_CAMERA]["main"]["url"] == f"rtsp://{lan.PLAIN_CAMERA}/stream1"


# --- --tune

@pytest.mark.parametrize("media2", [False, True])
def test_tune_slows_the_sub_stream_alone_and_reads_it_back(tmp_path: Path, media2: bool):
    with OnvifCamera(Camera(media2=media2)) as camera, RtspDoor(camera.address, STREAMS) as door:
        camera.camera.rtsp_port = door.port
        (told,) = ask_json(tmp_path, "--at", camera.address, "--tune")
        (again,) = ask_json(tmp_path, "--at", camera.address, "--tune")
    assert [(each.fps, each.gop) for each in camera.camera.encoders] == [(15, 30), (5, 10)]
    assert told["sub"]["fps"] == 5 and "from 15 to 5" in told["advice"][0]
    assert "left at 5" in again["advice"][0] and camera.calls.count("SetVideoEncoderConfiguration") == 1


@pytest.mark.parametrize(("habits", "fps", "said"), [
    ({"settable": "no"}, 15, "does not let"), ({"settable": "lies"}, 15, "still says 15"),
    ({"rates": (10, 25)}, 10, "to 10")])
def test_tune_tells_what_a_camera_does_not_let(tmp_path: Path, habits: dict, fps: int, said: str):
    with OnvifCamera(Camera(**habits)) as camera, RtspDoor(camera.address, STREAMS) as door:
        camera.camera.rtsp_port = door.port
        (told,) = ask_json(tmp_path, "--at", camera.address, "--tune")
    assert told["ready"] and told["sub"]["fps"] == fps and said in told["advice"][0]
    assert [each.fps for each in camera.camera.encoders] == [15, fps]


# --- --write

def test_write_adds_new_cameras_once_with_the_password_for_the_owner_alone(tmp_path: Path):
    config = write_config(tmp_path, more='[[camera]]\nname = "tm-200"\nsource = "rtsp://10.0.0.9/x"\n')
    config.chmod(0o644)
    login = "admin:p@ss:w/rd"
    with OnvifCamera(Camera(login=login)) as camera, RtspDoor(camera.address, STREAMS, login) as door:
        camera.camera.rtsp_port = door.port
        said = ask(tmp_path, "--at", camera.address, "--write", config, password="p@ss:w/rd")
        again = taimat_process(tmp_path, "discover", "--at", camera.address, "--write", config)
    assert said.returncode == again.returncode == 0 and "added tm-200-2" in said.stdout and "p@ss" not in said.stdout
    assert "configured as tm-200-2" in again.stdout and "nothing to add" in again.stdout
    assert config.stat().st_mode & 0o137 == 0
    source = load(config).camera[1].source
    assert source == f"rtsp://admin:p%40ss%3Aw%2Frd@{camera.address}:{door.port}/main"


def test_write_leaves_a_configuration_alone_that_is_wrong_or_missing(tmp_path: Path):
    (tmp_path / "bad.toml").write_text("[store]\nkeep = 1\n")
    for name in ("bad.toml", "none.toml"):
        said = ask(tmp_path, "--at", "127.0.0.1:9", "--write", tmp_path / name)
        assert said.returncode == 78 and name in said.stderr
    assert (tmp_path / "bad.toml").read_text() == "[store]\nkeep = 1\n"


# --- wishes that can't be

@pytest.mark.parametrize(("arguments", "said"), [
    (["--network", "8.8.8.0/24"], "not a private network"), (["--network", "10.0.0.0/16"], "too large"),
    (["--network", "home"], "write a network"), (["--at", "127.0.0.1:x"], "ADDRESS:PORT"),
    (["--user", "admin"], "TAIMAT_CAMERA_PASSWORD"), (["--password-file", "x"], "--user NAME"),
    (["--user", "admin", "--password-file", "/none"], "/none")])
def test_a_wish_that_can_t_be_is_told_with_what_would_be_right(tmp_path: Path, arguments: list[str], said: str):
    answer = taimat(tmp_path, "discover", *arguments)
    assert answer.returncode == 2 and said in " ".join(answer.stderr.replace("│", " ").split()).replace("- ", "-")
