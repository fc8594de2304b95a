"""Packed payloads: what comes out is what went in, and nothing that comes from outside grows beyond its bound."""
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.wire import told
from agent.core.wire.packed import NotPacked, pack, unpack

pytestmark = pytest.mark.core
PLACE = told.Place("c-7f3a9c21b04d", "health")
HEALTH = b'{"v":1,"seq":3,"boot":"b","clock":"ntp","mono_ms":5,"int_s":30,"load1":0.5}'


@given(st.binary(max_size=2000))
def test_what_is_packed_comes_out_as_it_was(payload):
    assert unpack(pack(payload), 2000) == payload


@given(st.binary(max_size=200))
def test_whatever_comes_is_passed_on_or_refused(payload):
    for each in (payload, b"\x78" + payload, pack(payload) + b"x", pack(payload)[:-1]):
        try:
            assert len(unpack(each, 100)) <= max(100, len(each))
        except NotPacked:
            assert each.startswith(b"\x78")


def test_a_bomb_is_refused_before_it_is_one():
    with pytest.raises(NotPacked):
        unpack(zlib.compress(b"0" * 50_000_000), 8192)


def test_the_ward_reads_either_form_and_keeps_json():
    assert told.read(PLACE, HEALTH) == told.read(PLACE, pack(HEALTH))
    with pytest.raises(told.Unacceptable, match="not_packed"):
        told.read(PLACE, pack(HEALTH)[:-4])
