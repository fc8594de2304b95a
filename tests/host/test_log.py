"""What goes to the log: no password, however a camera wants it in its address."""
import pytest

from agent.host.log import redact


@pytest.mark.parametrize(("told", "logged"), [
    ("rtsp://admin:secret@h:554/1: refused", "rtsp://admin:***@h:554/1: refused"),
    ("rtsp://admin:se@cr:et@h/1", "rtsp://admin:***@h/1"),
    ("rtsp://:secret@h/1", "rtsp://:***@h/1"),
    ("mqtts://u:secret@h and rtsp://v:secret@h/1", "mqtts://u:***@h and rtsp://v:***@h/1"),
    ("rtsp://h/cam?user=admin&pwd=secret&channel=1", "rtsp://h/cam?user=admin&pwd=***&channel=1"),
    ("rtsp://h/user=admin&password=secret&channel=1&stream=0.sdp?", "rtsp://h/user=admin&password=***&channel=1&stream=0.sdp?"),
    ("rtsp://h/user=admin_password=secret_channel=1", "rtsp://h/user=admin_password=***"),
    ("http://h/videostream.cgi?USER=a&PASSWORD=secret", "http://h/videostream.cgi?USER=a&PASSWORD=***"),
])
def test_a_password_in_an_address_is_not_logged(told: str, logged: str):
    assert redact(told) == logged


@pytest.mark.parametrize("text", [
    "rtsp://h:554/stream@1", "rtsp://h:554/1?to=a@b", "rtsp://admin@h/1", "gate: 12:30:05 mail to a@b",
    "the password is wrong; set password_file",
])
def test_what_is_no_password_is_logged_as_it_is(text: str):
    assert redact(text) == text
