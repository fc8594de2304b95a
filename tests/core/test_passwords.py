"""What is told: no password, however a camera wants it in its address, and however it is written."""
import json
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.source import parse_source
from agent.core.health.conditions import finding
from agent.core.passwords import redact
from agent.core.protocols.rtsp.address import parse


@pytest.mark.parametrize(("text", "told"), [
    ("rtsp://admin:secret@h:554/1: refused", "rtsp://admin:***@h:554/1: refused"),
    ("rtsp://admin:se@cr:et@h/1", "rtsp://admin:***@h/1"),
    ("rtsp://:secret@h/1", "rtsp://:***@h/1"),
    ("mqtts://u:secret@h and rtsp://v:secret@h/1", "mqtts://u:***@h and rtsp://v:***@h/1"),
    ("rtsp://h/cam?user=admin&pwd=secret&channel=1", "rtsp://h/cam?user=admin&pwd=***&channel=1"),
    ("rtsp://h/user=admin&password=secret&channel=1&stream=0.sdp?", "rtsp://h/user=admin&password=***&channel=1&stream=0.sdp?"),
    ("rtsp://h/user=admin_password=secret_channel=1", "rtsp://h/user=admin_password=***"),
    ("http://h/videostream.cgi?USER=a&PASSWORD=secret", "http://h/videostream.cgi?USER=a&PASSWORD=***"),
])
def test_a_password_in_an_address_is_not_told(text: str, told: str):
    assert redact(text) == told


@pytest.mark.parametrize(("text", "told"), [
    ("rtsp://admin:p@ss#1@192.168.1.20/1", "rtsp://admin:***@192.168.1.20/1"),
    ("rtsp://admin:12/34?5@h/1: refused", "rtsp://admin:***@h/1: refused"),
    ("rtsp://ad@min:secret@h/1", "rtsp://ad@min:***@h/1"),
    ("rtsp://admin:p@10.0.0.1#1@h/1", "rtsp://admin:***@h/1"),
    ("rtsp://admin:a://b@h/1", "rtsp://admin:***@h/1"),
    ("rtsp://admin:my se@cret word@h/1: closed", "rtsp://admin:***@h/1: closed"),
    ("rtsp://admin:12 34@h/1", "rtsp://admin:***@h/1"),
    ("rtsp://u:secret@[fe80::1]:554/1: by a@b", "rtsp://u:***@[fe80::1]:554/1: by a@b"),
    ('source = "rtsp://u:se\\"c@ret@h/1"   # a@b', 'source = "rtsp://u:***@h/1"   # a@b'),
    ('{"source":"rtsp://u:secret@h/1","site":"a@b"}', '{"source":"rtsp://u:***@h/1","site":"a@b"}'),
    ("it is 'rtsp://u:secret@h/1', says a@b", "it is 'rtsp://u:***@h/1', says a@b"),
])
def test_of_an_address_that_is_written_badly_all_is_masked_that_may_be_the_password(text: str, told: str):
    assert redact(text) == told


@pytest.mark.parametrize("key", ["loginpas", "psw", "userpwd", "password", "pwd", "pass", "passwd", "usr_pw", "Pwd"])
def test_each_word_for_a_password_in_a_query_is_known(key: str):
    assert redact(f"rtsp://h/1?u=a&{key}=my secret&c=1: gone") == f"rtsp://h/1?u=a&{key}=***&c=1: gone"
    assert redact(f"rtsp://h/1?{key}=my secret: gone") == f"rtsp://h/1?{key}=***: gone"
    assert redact(f"it asked for /1?{key}=secret twice") == f"it asked for /1?{key}=*** twice"


@pytest.mark.parametrize("text", [
    "rtsp://10.0.0.1:554/stream@1", "rtsp://cam.lan:554/1?to=a@b", "rtsp://admin@h/1", "gate: 12:30:05 mail to a@b",
    "the password is wrong; set password_file", "rtsp://h/1: capture@network has ended",
    "http://ward.example:8080/x: capture@network has ended", "rtsp://u:***@h/1: refused",
])
def test_what_is_no_password_is_told_as_it_is(text: str):
    assert redact(text) == text


def test_a_condition_tells_none():
    assert finding("config_rejected", detail="it is 'rtsp://u:se#cr@et@h/1'").detail == "it is 'rtsp://u:***@h/1'"


@given(odd=st.text("aZ1@#?/: %&='\"\\.ồ", max_size=8), place=st.sampled_from(
    ["192.168.1.20/1", "cam.lan:554/1?channel=1", "cam", "[fe80::1]"]))
def test_any_password_is_understood_or_refused_and_never_told(odd: str, place: str):
    url = f"rtsp://admin:first{odd}last@{place}"
    try:
        parse_source(url)
        address = parse(url)
        assert address.host in place and address.password == unquote(f"first{odd}last")
    except ValueError as error:
        assert "first" not in str(error) and "last" not in str(error)
    for text in (url, f"{url}: refused", f"gate: {url}: closed, says a@b", f"source = {json.dumps(url)}  # c@d",
                 f"it is {url!r}"):
        told = redact(text)
        assert "first" not in told and "last" not in told
