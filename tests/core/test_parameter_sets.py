"""What a decoder must know is learnt from whatever brings it, replaced by what is newer, and never lost to damage."""
import pytest

from agent.core.media import nal
from agent.core.media.nal import ParameterSets
from tests.core.mp4_material import encode
from tests.rigs.cameras.h264 import movie

SMALL, LARGE = encode("h264")[0], movie(seconds=1)[0]
SPS, PPS = nal.config_units("h264", SMALL.config)[0]


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_the_format_is_known_once_all_kinds_have_come_in_whatever_order(codec: str):
    stream = encode(codec)[0]
    units = nal.config_units(codec, stream.config)[0]
    known = ParameterSets(codec, [])
    assert [known.learn([unit]) for unit in reversed(units)] == [False] * (len(units) - 1) + [True]
    assert known.info == ParameterSets(codec, units).info == stream and known.reorder_n == 0


@pytest.mark.parametrize("repeated", [[], [SPS], [PPS], [SPS, PPS], [PPS, SPS], [SPS, SPS, PPS], [b"\x65\x88"]])
def test_what_is_known_already_changes_nothing(repeated: list[bytes]):
    known = ParameterSets("h264", [SPS, PPS])
    before = known.info
    assert not known.learn(repeated) and known.info is before


def test_other_sets_are_another_format():
    known = ParameterSets("h264", [SPS, PPS])
    assert known.learn(nal.config_units("h264", LARGE.config)[0]) and known.info == LARGE
    assert known.learn([SPS, PPS]) and known.info == SMALL


@pytest.mark.parametrize("damaged", [[SPS[:3]], [SPS[:3], PPS], [b"\x67"]])
def test_damaged_sets_are_as_good_as_none(damaged: list[bytes]):
    known = ParameterSets("h264", [*damaged, b""])
    assert known.info is None and known.learn([SPS, PPS]) and known.info == SMALL
    assert not known.learn(damaged) and known.info == SMALL and not known.learn([SPS, PPS])
