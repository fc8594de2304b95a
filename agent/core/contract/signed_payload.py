"""The link's question to the process that checks signatures, and its answer."""
from msgspec import Struct

GOOD, UNKNOWN_KEY, BAD = 0, 10, 11      # verdicts, a byte each
CODES = {GOOD: None, UNKNOWN_KEY: "unknown_key", BAD: "bad_signature"}


class SignedPayload(Struct, frozen=True):
    """A JSON object to verify, with its own signature as `sig`."""

    payload: bytes
    key: str = ""           # hex; "": the ward's
