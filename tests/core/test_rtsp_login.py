"""Logins: the standards' own examples, the camera's best offer, and a password that is in none of the headers."""
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.protocols.rtsp.login import Login, challenges

# RFC 7616 §3.9.1: the same request by MD5 and by SHA-256.
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
OFFER = ('Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
         'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"')
RESPONSES = {"MD5": "8ca523f5e9506fed4657c9700eebdbec",
             "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"}


@pytest.mark.parametrize("algorithm", RESPONSES)
def test_digest_as_in_the_standards_example(algorithm: str):
    login = Login("Mufasa", "Circle of Life", CNONCE)
    assert login.challenged([OFFER.format(algorithm)])
    said = login.authorization("GET", "/dir/index.html")
    assert f'response="{RESPONSES[algorithm]}"' in said and "nc=00000001" in said and f"algorithm={algorithm}" in said
    assert "nc=00000002" in login.authorization("GET", "/dir/index.html")


def test_digest_of_a_camera_that_knows_no_qop():
    # RFC 2617 §3.5's values, by the formula for a missing qop
    login = Login("Mufasa", "Circle Of Life", "x")
    login.challenged(['Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'])
    said = login.authorization("GET", "/dir/index.html")
    assert 'response="670fd8c2df070c60b045671b8b24ff02"' in said and "nc=" not in said and "algorithm" not in said


def test_basic_as_in_the_standards_example():
    login = Login("Aladdin", "open sesame", "x")
    assert login.authorization("GET", "/") is None
    login.challenged(['Basic realm="WallyWorld"'])
    assert login.authorization("GET", "/") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


@pytest.mark.parametrize("headers", [
    ['Basic realm="c"', 'Digest realm="c", nonce="n"', 'Digest realm="c", nonce="n", algorithm="SHA-256"'],
    ['Digest realm="c", nonce="n", algorithm="SHA-256"', 'Basic realm="c"'],
    ['Basic realm="c", Digest realm="c, \\"d\\"", nonce="m", Digest realm="c", nonce="n", algorithm=SHA-256'],
    ['Digest realm="c", nonce="n", algorithm=SHA-512-256',
     'Digest realm="c", nonce="n", algorithm=sha-256, qop="auth"'],
])
def test_the_strongest_offer_that_we_know_is_taken(headers: list[str]):
    login = Login("me", "pw", "x")
    assert login.challenged(headers)
    assert re.search(r"(?i)^Digest .*algorithm=sha-256", login.authorization("PLAY", "rtsp://h/"))


@pytest.mark.parametrize("header", ["", "Negotiate", 'Digest realm="c"', 'Digest nonce="n", qop="auth-int"',
                                    'Digest nonce="n", algorithm=SHA-512-256'])
def test_what_we_can_not_answer_is_not_answered(header: str):
    login = Login("me", "pw", "x")
    assert not login.challenged([header]) and login.authorization("PLAY", "rtsp://h/") is None


def test_a_stale_nonce_is_no_wrong_password():
    login = Login("me", "pw", "x")
    login.challenged(['Digest realm="c", nonce="1"'])
    assert not login.stale
    login.challenged(['Digest realm="c", nonce="2", stale=TRUE'])
    assert login.stale and 'nonce="2"' in login.authorization("PLAY", "rtsp://h/")


@given(st.text(max_size=12), st.text(max_size=12), st.text(st.characters(max_codepoint=255), max_size=40))
def test_any_user_password_and_challenge_make_a_header(user: str, password: str, junk: str):
    login = Login(user, password, "x")
    offered = login.challenged([junk, 'Digest realm="r", nonce="n"', junk])
    said = login.authorization("PLAY", "rtsp://h/")
    assert offered and (said is None) == (not user and not password)
    if said is not None:
        assert re.match("(Digest username=|Basic )", said.encode("latin-1").decode("latin-1"))


@given(st.text(st.characters(max_codepoint=255), max_size=300))
def test_any_header_is_read(header: str):
    assert all(one.scheme == one.scheme.lower() for one in challenges([header]))
