"""A file whose pictures lie on their side: what is recorded, cut, shown and looked at is upright, as in a player."""
import io
import subprocess

import av
import cv2
import numpy as np
import pytest

from agent.cameras.file import FileSource
from agent.capture.main_decoder import Decoder
from agent.capture.still import thumbnail
from agent.core.media.mp4.cut import Strip, cut
from agent.core.media.mp4.read import read_head
from agent.core.media.mp4.salvage import salvage
from agent.footage.film import Film
from agent.helpers.light_copy import copy
from agent.host.clock import SystemClock
from agent.host.decoder import turn_of
from agent.host.luma import luma_of
from agent.host.stop import Stop
from tests.core.cut_material import record
from tests.core.mp4_material import ffprobe, read_at
from tests.rigs.wait import HANG_S

WIDTH, HEIGHT = 320, 180
TURNS = pytest.mark.parametrize("turn", [90, 180, 270])
FFMPEG = ["ffmpeg", "-v", "error", "-y"]


class Taken:
    """A sink that keeps the format and the packets."""

    def __init__(self) -> None:
        self.infos, self.packets = [], []

    def stream(self, info) -> None:
        self.infos.append(info)

    def packet(self, packet) -> None:
        self.packets.append(packet)


@pytest.fixture
def lying(tmp_path, turn):
    """A second of film with a white corner at the top left of what people see, lying on its side by `turn`."""
    upright = np.full((WIDTH, HEIGHT) if turn != 180 else (HEIGHT, WIDTH), 60, np.uint8)
    upright[:40, :40] = 235
    cv2.imwrite(str(tmp_path / "lying.png"), np.rot90(upright, turn // 90))
    subprocess.run([*FFMPEG, "-loop", "1", "-framerate", "10", "-i", tmp_path / "lying.png", "-t", "1",
                    "-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "0", tmp_path / "plain.mp4"],
                   check=True, timeout=HANG_S)
    path = tmp_path / "lying.mp4"
    subprocess.run([*FFMPEG, "-display_rotation", str(-turn), "-i", tmp_path / "plain.mp4", "-c", "copy", path],
                   check=True, timeout=HANG_S)
    return path


@pytest.fixture
def taken(lying):
    """What a camera that plays this file sends."""
    taken = Taken()
    FileSource(lying, SystemClock()).run(taken, Stop())
    return taken


def corner(picture: np.ndarray) -> bool:
    """Whether it is upright: bright at the top left, dark in the other corners."""
    high, wide = picture.shape
    dark = picture[10, wide - 10], picture[high - 10, 10], picture[high - 10, wide - 10]
    return picture[10, 10] > 180 and max(dark) < 100


@TURNS
def test_players_turn_what_is_recorded_and_what_is_cut_out_of_it(turn, taken, tmp_path):
    info, packets = taken.infos[0], taken.packets
    assert (info.turn, info.width > info.height) == (turn, True)
    assert info.shown_size == ((WIDTH, HEIGHT) if turn == 180 else (HEIGHT, WIDTH))
    clip = record(info, packets, packets[-1].dts_us + 100_000)
    (film,) = cut([Strip(read_at(clip.data), read_head(read_at(clip.data)), 0)], 0, 1 << 50)
    whole = film.head() + b"".join(clip.data[run.offset:run.offset + run.size_b] for run in film.runs)
    torn = clip.data[:len(clip.data) - 40]
    saved = salvage(read_at(torn))
    for name, data in [("clip", clip.data), ("cut", whole), ("saved", saved.head + torn[len(saved.head):saved.size_b])]:
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(data)
        told = int(ffprobe(path, "-show_entries", "stream_side_data=rotation"))
        assert told % 360 == -turn % 360, name
        shown = tmp_path / f"{name}.png"
        subprocess.run([*FFMPEG, "-i", path, "-frames:v", "1", shown], check=True, timeout=HANG_S)
        picture = cv2.imread(str(shown), cv2.IMREAD_GRAYSCALE)
        assert picture.shape[::-1] == info.shown_size and corner(picture), name


@TURNS
def test_thumbnails_and_motion_see_it_upright(turn, taken):
    info, packets = taken.infos[0], taken.packets
    picture = cv2.imdecode(np.frombuffer(thumbnail(info, packets), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert corner(picture) and (picture.shape[1] > picture.shape[0]) is (turn == 180)
    decoder = Decoder(info)
    seen = next(found for packet in packets if (found := decoder.decode(packet)) is not None)
    assert corner(luma_of(seen, 0.0).y) and luma_of(seen, 0.0).shape[::-1] == info.shown_size


@TURNS
def test_footage_is_looked_at_upright_later_too(turn, taken, tmp_path):
    info, packets = taken.infos[0], taken.packets
    path = tmp_path / "clip.mp4"
    path.write_bytes(record(info, packets, packets[-1].dts_us + 100_000).data)
    with Film(path) as film:
        picture = next(film.lumas(lambda at_s: True))
        assert corner(picture.y)


@TURNS
def test_a_light_copy_is_upright_by_itself(turn, taken):
    info, packets = taken.infos[0], taken.packets
    made = io.BytesIO()
    clip = io.BytesIO(record(info, packets, packets[-1].dts_us + 100_000).data)
    assert list(copy(clip, made))[-1] == 1.0
    made.seek(0)
    with av.open(made) as film:
        frame = next(film.decode(video=0))
        assert (frame.width, frame.height) == info.shown_size and turn_of(frame) == 0
        assert corner(luma_of(frame, 0.0).y)


def test_what_has_no_matrix_is_not_turned(tmp_path):
    path = tmp_path / "plain.mp4"
    subprocess.run([*FFMPEG, "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=10:duration=0.5", "-c:v", "libx264",
                    "-pix_fmt", "yuv420p", path], check=True, timeout=HANG_S)
    taken = Taken()
    FileSource(path, SystemClock()).run(taken, Stop())
    assert taken.infos[0].turn == 0 and taken.infos[0].shown_size == (320, 180)
    with av.open(io.BytesIO(record(taken.infos[0], taken.packets, taken.packets[-1].dts_us + 1).data)) as clip:
        assert next(clip.decode(video=0)).side_data.get("DISPLAYMATRIX") is None
