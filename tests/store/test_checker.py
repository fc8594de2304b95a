"""The checker that goes with every export: its Ed25519 is everybody's, and old Pythons understand it."""
import ast
import inspect

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.store.export import verify
from tests.rigs.examples import examples

# RFC 8032, 7.1, test 3
PUBLIC = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
MESSAGE = bytes.fromhex("af82")
SIGNATURE = bytes.fromhex("6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
                          "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a")


def accepted(key: bytes, signature: bytes, message: bytes) -> bool:
    """By the library that the keeper signs with."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def test_it_knows_the_standard_s_own_example():
    assert verify.signed(PUBLIC, SIGNATURE, MESSAGE) and not verify.signed(PUBLIC, SIGNATURE, MESSAGE + b"x")


@settings(max_examples=examples(60))
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=100))
def test_it_accepts_what_the_library_signs(secret: bytes, message: bytes):
    key = Ed25519PrivateKey.from_private_bytes(secret)
    assert verify.signed(key.public_key().public_bytes_raw(), key.sign(message), message)


@settings(max_examples=examples(150))
@given(st.sampled_from(["key", "signature", "message"]), st.integers(0, 63), st.integers(1, 255))
def test_it_refuses_what_the_library_refuses(what: str, at: int, change: int):
    parts = {"key": PUBLIC, "signature": SIGNATURE, "message": MESSAGE}
    text = parts[what]
    at %= len(text)
    parts[what] = text[:at] + bytes([text[at] ^ change]) + text[at + 1:]
    assert verify.signed(*parts.values()) == accepted(*parts.values())


def test_it_refuses_what_has_the_wrong_length_and_the_same_signature_written_in_another_way():
    s = int.from_bytes(SIGNATURE[32:], "little") + verify.L
    again = SIGNATURE[:32] + s.to_bytes(32, "little")
    for key, signature in ((b"", SIGNATURE), (PUBLIC, b""), (PUBLIC, SIGNATURE + b"\0"), (PUBLIC[:31], SIGNATURE),
                           (b"\xff" * 32, SIGNATURE), (PUBLIC, again)):
        assert not verify.signed(key, signature, MESSAGE)


def test_it_is_short_and_python_3_8_reads_it():
    source = inspect.getsource(verify)
    ast.parse(source, feature_version=(3, 8))
    assert len(source.splitlines()) <= 185
