"""A small picture within a JPEG: decoders see the large one, lists find the small one, and a cut file has none."""
import cv2
import numpy as np
import pytest

from agent.core.media.jpeg import SMALL_B_MAX, small_of, with_small


def encoded(wide: int, high: int) -> bytes:
    slope = np.linspace(0, 255, wide * high * 3).reshape(high, wide, 3).astype(np.uint8)
    return cv2.imencode(".jpg", slope)[1].tobytes()


LARGE, SMALL = encoded(640, 360), encoded(272, 153)
BOTH = with_small(LARGE, SMALL)


def shape(jpeg: bytes) -> tuple[int, ...]:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape


def test_both_pictures_are_there_and_the_large_one_is_unchanged():
    assert small_of(BOTH) == small_of(BOTH[:SMALL_B_MAX + 1000]) == SMALL
    assert shape(BOTH) == (360, 640, 3) and shape(small_of(BOTH)) == (153, 272, 3)
    assert LARGE in (BOTH[:20] + BOTH[-len(LARGE) + 20:])


def test_a_file_without_one_says_so():
    assert small_of(LARGE) is None and small_of(b"") is None and small_of(b"no picture at all") is None


def test_what_does_not_fit_is_left_out():
    assert with_small(LARGE, SMALL + bytes(SMALL_B_MAX)) == LARGE
    assert with_small(b"no picture", SMALL) == b"no picture"


def test_a_cut_or_spoilt_file_has_none_and_breaks_nothing():
    for at in range(400):
        assert small_of(BOTH[:at]) is None
    for at in range(20, 110):
        for spoilt in (0x00, 0xFF):
            found = small_of(BOTH[:at] + bytes([spoilt]) + BOTH[at + 1:])
            assert found is None or found.startswith(b"\xff\xd8")


@pytest.mark.parametrize("first", [LARGE[:2] + LARGE[4 + int.from_bytes(LARGE[4:6], "big"):]])
def test_a_jpeg_without_jfif_takes_one_too(first: bytes):
    assert small_of(with_small(first, SMALL)) == SMALL and shape(with_small(first, SMALL)) == (360, 640, 3)
