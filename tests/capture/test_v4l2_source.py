"""A webcam's source, fed with real pictures: a film plays the camera, see tests/rigs/cameras/film_webcam.py."""
import errno
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from agent.cameras import SourceError, SourceStuck, v4l2, videodev
from agent.cameras.v4l2 import FramePacer, V4l2Source, choose_format
from agent.config.settings import Camera
from agent.host.clock import SystemClock
from agent.host.stop import Stop
from tests.rigs.cameras import footage
from tests.rigs.cameras.film_webcam import SIZE, FilmCamera, Keeper, decoded, play

HIDDEN = [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)]


@pytest.mark.parametrize("fourcc", ["MJPG", "YUYV", "NV12", "H264"])
def test_every_picture_is_recorded_at_its_time_and_shown_to_motion(fourcc: str) -> None:
    stop, sink = Stop(), Keeper()
    film = FilmCamera(fourcc, stop)
    play(film, stop, sink)
    assert [(info.codec, info.width, info.height) for info in sink.infos] == [("h264", *SIZE)]
    assert len(sink.packets) == 120 and film.closed_n == 1
    assert np.abs(np.diff([packet.pts_us for packet in sink.packets]) - 1e6 / 15).max() < 2
    assert [index for index, packet in enumerate(sink.packets) if packet.key] == [0, 30, 60, 90]
    frames = decoded(sink)
    truth = [picture[:SIZE[1]] for picture in footage.frames(*SIZE, footage.clip(*SIZE, 15, 30, 1000, seconds=8))]
    assert len(frames) == 120
    assert np.abs(frames[100].astype(int) - truth[100]).mean() < 6          # the right picture, in the right brightness
    if fourcc == "H264":        # pictures for motion are the feed's to decode
        assert sink.lumas == []
        return
    assert len(sink.lumas) == pytest.approx(40, abs=2) and sink.lumas[0].shape == SIZE[::-1]
    assert np.abs(sink.lumas[-1].astype(int) - truth[-1]).mean() < 12


@pytest.mark.parametrize("fourcc", ["MJPG", "YUYV"])
def test_masks_are_in_the_video_and_in_what_motion_sees(fourcc: str) -> None:
    stop, sink = Stop(), Keeper()
    play(FilmCamera(fourcc, stop), stop, sink, masks=[HIDDEN])
    middle = np.s_[:, SIZE[1] // 4:SIZE[1] * 3 // 4, SIZE[0] // 4:SIZE[0] * 3 // 4]
    frames = decoded(sink)
    assert frames[middle].max() <= 24 and frames[:, :60].mean() > 60
    assert np.array(sink.lumas)[middle].max() == 0


def test_h264_cameras_give_jpeg_when_something_is_masked() -> None:
    stop, sink = Stop(), Keeper()
    play(FilmCamera("MJPG", stop, offered=["H264", "MJPG"]), stop, sink, masks=[HIDDEN])
    assert decoded(sink)[:, 150:210, 300:340].max() <= 24
    with pytest.raises(SourceError, match="no mask can be painted into H.264") as told:
        play(FilmCamera("H264", stop), Stop(), Keeper(), masks=[HIDDEN])
    assert told.value.code == "camera_stream_bad"


def test_a_camera_that_gives_something_else_than_it_offers_is_refused() -> None:
    film, start = FilmCamera("MJPG", Stop()), FilmCamera.start
    film.start = lambda *wish: start(film, *wish)._replace(fourcc="H264")
    with pytest.raises(SourceError, match="offers MJPG but gives H264"):
        play(film, Stop(), Keeper(), masks=[HIDDEN])
    assert film.closed_n == 1


def test_nothing_is_shown_while_nobody_looks() -> None:
    stop, sink = Stop(), Keeper(wants=False)
    play(FilmCamera("MJPG", stop), stop, sink)
    assert len(sink.packets) == 120 and sink.lumas == []


def test_a_damaged_jpeg_costs_its_picture_only() -> None:
    stop, sink = Stop(), Keeper()
    film = FilmCamera("MJPG", stop)
    film.spoil = {40, 41, 80}
    play(film, stop, sink)
    assert len(sink.packets) == 117 == len(decoded(sink))


def test_silence_and_rubbish_are_given_up_within_five_seconds() -> None:
    for spoilt in ((), range(45, 120)):
        stop, sink = Stop(), Keeper()
        film = FilmCamera("MJPG", stop, after="nothing")
        film.spoil = set(spoilt)
        with pytest.raises(SourceError, match="gives no picture for 4.5 s") as told:
            play(film, stop, sink)
        assert told.value.code == "camera_no_frames" and film.closed_n == 1
        assert film.mono - sink.packets[-1].pts_us / 1e6 == pytest.approx(4.7, abs=0.3)


@pytest.mark.parametrize(("number", "code", "remedy"), [
    (errno.ENODEV, "camera_not_found", "plug it in again"), (errno.EIO, "camera_no_frames", "cable"),
    (errno.EINVAL, "camera_stream_bad", "settings"), (errno.EPROTO, "camera_no_frames", "dmesg")])
def test_what_the_kernel_says_becomes_a_remedy(number: int, code: str, remedy: str) -> None:
    stop, sink = Stop(), Keeper()
    film = FilmCamera("MJPG", stop, after=number)
    with pytest.raises(SourceError, match=remedy) as told:
        play(film, stop, sink)
    assert told.value.code == code and "v4l2:/dev/video0" in str(told.value)
    assert len(sink.packets) == 120 and film.closed_n == 1


def test_devices_that_are_missing_forbidden_or_no_camera_are_told_apart(tmp_path: Path) -> None:
    def opened(path: str) -> SourceError:
        with pytest.raises(SourceError) as told:
            V4l2Source(Camera(name="gate", source=f"v4l2:{path}"), path, SystemClock()).run(Keeper(), Stop())
        return told.value

    assert opened("/dev/video-not-there").code == "camera_not_found"
    plain = tmp_path / "plain"
    plain.write_text("no device")
    assert "not a camera" in str(opened(str(plain))) and "not a camera" in str(opened("/dev/null"))


def test_a_device_without_end_asks_for_the_end_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop()
    film = FilmCamera("MJPG", stop)
    monkeypatch.setattr(v4l2, "CLOSE_S", 0.2)
    film.close = lambda: time.sleep(3)
    with pytest.raises(SourceStuck, match="not back within"):
        play(film, stop, Keeper())


def test_the_best_format_is_chosen() -> None:
    vga, hd = 640 * 480, 1280 * 720
    everything = ["YUYV", "MJPG", "H264", "GREY"]
    assert choose_format(everything, hd, masked=False) == "H264"
    assert choose_format(everything, hd, masked=True) == "MJPG"
    assert choose_format(everything, vga, masked=True) == "YUYV"
    assert choose_format(["YUYV"], hd, masked=False) == "YUYV"
    assert choose_format(["GREY", "RGB3"], vga, masked=False) is None
    assert choose_format(["H264"], hd, masked=True) is None


@pytest.mark.parametrize(("comes", "wanted"), [(30, 15), (30, 10), (30, 20), (15, 15), (25, 15), (7, 15)])
def test_the_pace_is_what_was_asked_or_what_comes(comes: int, wanted: int) -> None:
    pace, jitter = FramePacer(wanted), np.random.default_rng(1).uniform(-3000, 3000, comes * 20)
    times = np.arange(comes * 20) * 1e6 / comes + jitter
    assert sum(pace.due(int(time)) for time in times) == pytest.approx(min(comes, wanted) * 20, abs=3)


def test_the_kernels_structures_are_ours(tmp_path: Path) -> None:
    """Against the kernel's own header, where a C compiler and that header are installed."""
    if not shutil.which("cc") or not Path("/usr/include/linux/videodev2.h").exists():
        pytest.skip("no C compiler or no linux-libc-dev to compare with")
    numbers = {"VIDIOC_QUERYCAP": videodev.QUERYCAP, "VIDIOC_ENUM_FMT": videodev.ENUM_FMT,
               "VIDIOC_S_FMT": videodev.S_FMT, "VIDIOC_S_PARM": videodev.S_PARM,
               "VIDIOC_REQBUFS": videodev.REQBUFS, "VIDIOC_QUERYBUF": videodev.QUERYBUF,
               "VIDIOC_QBUF": videodev.QBUF, "VIDIOC_DQBUF": videodev.DQBUF, "VIDIOC_STREAMON": videodev.STREAMON,
               "offsetof(struct v4l2_buffer, timestamp)": videodev.Buffer.seconds.offset,
               "offsetof(struct v4l2_buffer, m)": videodev.Buffer.offset.offset,
               "offsetof(struct v4l2_buffer, length)": videodev.Buffer.length.offset,
               "offsetof(struct v4l2_format, fmt.pix.bytesperline)": videodev.PixelFormat.row_b.offset,
               "offsetof(struct v4l2_streamparm, parm.capture.timeperframe)":
                   videodev.StreamParameters.numerator.offset,
               "offsetof(struct v4l2_fmtdesc, pixelformat)": videodev.FormatDescription.fourcc.offset,
               "offsetof(struct v4l2_capability, device_caps)": videodev.Capability.device_caps.offset,
               "V4L2_BUF_FLAG_ERROR": videodev.SPOILT, "V4L2_CAP_STREAMING": videodev.CAN_STREAM}
    prints = "".join(f'printf("%lu\\n", (unsigned long)({name}));' for name in numbers)
    program = "\n".join(["#include <stdio.h>", "#include <stddef.h>", "#include <linux/videodev2.h>",
                         f"int main(void) {{ {prints} return 0; }}"])
    (tmp_path / "ask.c").write_text(program)
    subprocess.run(["cc", "-o", tmp_path / "ask", tmp_path / "ask.c"], check=True)
    said = subprocess.run([tmp_path / "ask"], check=True, capture_output=True, text=True).stdout.split()
    assert dict(zip(numbers, map(int, said), strict=True)) == numbers
