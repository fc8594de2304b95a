"""A webcam on a board with an encoder of its own. Here is none: x264 sits in its place behind the same libav calls."""
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from agent.cameras import SourceError, SourceStuck, effort, encode, v4l2
from agent.cameras.effort import Headroom
from agent.host import board
from agent.host.board import Board
from agent.host.stop import Stop
from tests.rigs.cameras.film_webcam import SIZE, FilmCamera, Keeper, decoded, play

PI = Board(model="Raspberry Pi Zero 2 W Rev 1.0", ram_b=416 << 20, serial=None, encoder=Path("/dev/video11"))


@pytest.fixture
def headroom(monkeypatch: pytest.MonkeyPatch) -> Headroom:
    """What this process knows of its cameras, from the beginning."""
    fresh = Headroom()
    monkeypatch.setattr(v4l2, "HEADROOM", fresh)
    return fresh


def in_its_place(**options: str) -> Any:
    """x264 as the board's encoder, with these options."""
    def create(codec: str, *asked: int) -> av.CodecContext:
        assert codec == "h264_v4l2m2m"
        context = encode.create("libx264", *asked)
        context.options = options
        return context
    return create


# by itself x264 holds pictures back to look ahead, as no board's encoder does for so long
@pytest.mark.parametrize("options", [encode.X264, {"bf": "0", "forced-idr": "1", "rc-lookahead": "5", "threads": "1"}])
def test_pictures_are_encoded_by_the_board_at_their_own_times(
        options: dict[str, str], headroom: Headroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(v4l2, "create", in_its_place(**options))
    stop, sink = Stop(), Keeper()
    play(FilmCamera("MJPG", stop), stop, sink, PI)
    assert [(info.encoder, info.width, info.height) for info in sink.infos] == [("v4l2", *SIZE)]
    times_us = [packet.pts_us for packet in sink.packets]
    assert 100 < len(times_us) <= 120 and len(decoded(sink)) == len(times_us)
    assert np.abs(np.diff(times_us) - 1e6 / 15).max() < 2
    assert [index for index, packet in enumerate(sink.packets) if packet.key] == [0, 30, 60, 90]


def test_an_encoder_that_gives_nothing_ends_the_process(headroom: Headroom, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        def open(self) -> None:
            """At once."""

        def encode(self, frame: av.VideoFrame) -> None:
            time.sleep(5)

    monkeypatch.setattr(v4l2, "create", lambda *_: Silent())
    monkeypatch.setattr(v4l2, "ENCODE_S", 0.2)
    stop = Stop()
    film = FilmCamera("MJPG", stop)
    with pytest.raises(SourceStuck, match="video encoder is not back.*bitrate_kbps"):
        play(film, stop, Keeper(), PI)
    assert film.closed_n == 1


@pytest.mark.skipif(board.read().encoder is not None, reason="this board has an encoder")
def test_an_encoder_that_is_not_there_is_named_and_at_last_replaced(headroom: Headroom) -> None:
    for _ in range(effort.HARDWARE_TRIES_N):
        with pytest.raises(SourceError, match="the board's video encoder does not work") as told:
            play(FilmCamera("MJPG", Stop()), Stop(), Keeper(), PI)
        assert told.value.code == "encoder_missing"
    stop, sink = Stop(), Keeper()
    play(FilmCamera("MJPG", stop), stop, sink, PI)
    assert [info.encoder for info in sink.infos] == ["x264 superfast"] and len(sink.packets) == 120


def test_levels_of_the_boards_encoder_go_down_and_end_with_it() -> None:
    levels, asked = Headroom(), ("gate", 1920, 1080, 30, True)
    assert (levels.level(*asked).encoder, levels.level(*asked).width) == ("v4l2", 1920)
    assert levels.lower(*asked) and levels.level(*asked).width == 1280
    assert levels.level("gate", 1920, 1080, 15, True).width == 1920         # other settings begin anew
    for _ in range(effort.HARDWARE_TRIES_N):
        levels.hardware_failed("gate")
    assert levels.level(*asked).encoder.startswith("x264 ")
