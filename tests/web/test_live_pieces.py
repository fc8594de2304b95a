"""A live stream as pieces: made once, and for each viewer a film that begins with its own first picture."""
import io
from dataclasses import replace

import av
import pytest

from agent.core.media.mp4.boxes import base
from agent.core.media.mp4.write import TIMESCALE, Movie
from agent.web.live.streams import LivePieces
from tests.rigs.cameras.h264 import movie

INFO, PACKETS = movie()
KEYS = [n for n, packet in enumerate(PACKETS) if packet.key]


def test_pieces_begin_with_the_first_keyframe_and_with_each_further_one():
    pieces = LivePieces(INFO).of(PACKETS[1:])
    assert len(pieces) == len(KEYS) - 1 and all(piece.key for piece in pieces) and pieces[0].begin == 0


def test_packets_that_come_one_by_one_are_one_film():
    stream = LivePieces(INFO)
    pieces = [piece for packet in PACKETS for piece in stream.of([packet])]
    assert [piece.key for piece in pieces] == [packet.key for packet in PACKETS]
    assert [piece.begin for piece in pieces] == [
        (packet.dts_us - PACKETS[0].dts_us) * TIMESCALE // 1_000_000 for packet in PACKETS]


def test_a_viewer_who_comes_later_gets_the_same_fragments_in_a_time_of_its_own():
    stream = LivePieces(INFO)
    pieces = [piece for packet in PACKETS for piece in stream.of([packet])]
    joined = pieces[KEYS[-1]:]
    seen = [piece.since(joined[0].begin) for piece in joined]
    assert base(seen[0]) == 0 and all(len(mine) == len(piece.data) for mine, piece in zip(seen, joined, strict=True))
    data = Movie(INFO, index_entries_max=0).init_segment() + b"".join(seen)
    with av.open(io.BytesIO(data)) as film:
        frames = list(film.decode(video=0))
    assert (frames[0].pts, len(frames)) == (0, len(joined))


def test_a_viewers_pictures_begin_at_once_though_they_are_reordered():
    late = [replace(packet, pts_us=packet.pts_us + 200_000) for packet in PACKETS]
    assert {piece.reorder_us for piece in LivePieces(INFO).of(late)} == {200_000}


def test_times_that_run_backwards_are_told():
    stream = LivePieces(INFO)
    stream.of(PACKETS)
    with pytest.raises(ValueError):
        stream.of(PACKETS)
