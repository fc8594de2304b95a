"""Range headers, by the letter of RFC 9110 and by chance."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.web.server.response import ByteRange, OutsideFile, parse_range

numbers = st.integers(0, 10**12)


RFC_EXAMPLES = [
    ("bytes=0-499", ByteRange(0, 500)), ("bytes=500-999", ByteRange(500, 1000)), ("bytes=-500", ByteRange(9500, 10000)),
    ("bytes=9500-", ByteRange(9500, 10000)), ("bytes=0-0", ByteRange(0, 1)), ("bytes=-1", ByteRange(9999, 10000))]


@pytest.mark.parametrize("header, span", [
    *RFC_EXAMPLES,
    ("bytes=9999-123456", ByteRange(9999, 10000)), ("bytes=-20000", ByteRange(0, 10000)),
    (" Bytes = 1 - 2 ", ByteRange(1, 3))])
def test_a_part_of_a_file(header, span):
    assert parse_range(header, 10_000) == span


@pytest.mark.parametrize("header", [
    None, "", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "bytes=0-1,5-6", "lines=0-1", "bytes=0-1;", "bytes=--5",
    "bytes=1_0-20", "bytes=٣-٤", "bytes=" + "9" * 20 + "-"])
def test_what_is_malformed_or_multiple_is_no_range(header):
    assert parse_range(header, 10_000) is None


@pytest.mark.parametrize("header", ["bytes=10000-", "bytes=10000-10001", "bytes=-0"])
def test_what_lies_behind_the_end_is_told(header):
    with pytest.raises(OutsideFile):
        parse_range(header, 10_000)


@given(numbers, numbers, st.integers(1, 10**12))
def test_a_span_is_what_was_asked_for_cut_at_the_end(first, more, size_b):
    try:
        span = parse_range(f"bytes={first}-{first + more}", size_b)
    except OutsideFile:
        assert first >= size_b
    else:
        assert span == ByteRange(first, min(first + more + 1, size_b))


@given(numbers, st.integers(0, 10**12))
def test_the_last_bytes(count, size_b):
    try:
        span = parse_range(f"bytes=-{count}", size_b)
    except OutsideFile:
        assert not count or not size_b
    else:
        assert span.end == size_b and span.end - span.first == min(count, size_b)


@given(st.text(alphabet="bytes=0123456789-, ", max_size=30), st.integers(0, 1000))
def test_no_header_breaks_it_or_reaches_outside(header, size_b):
    try:
        span = parse_range(header, size_b)
    except OutsideFile:
        return
    assert span is None or 0 <= span.first < span.end <= size_b
