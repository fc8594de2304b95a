"""Checks whether a payload is signed by the ward's key: a process of its own.

`python -m agent.link.signature KEY_FILE` or `... --hex KEY`, with the payload on stdin; the exit code is the answer.
The cryptography library would otherwise stay in the link's memory for good, for a few commands a year.
"""
import base64
import sys
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.core.evidence.ledger.chain import fingerprint
from agent.core.evidence.ledger.row import canonical
from agent.host import command_key
from agent.link.verifier import BAD, GOOD, UNKNOWN_KEY


def judge(payload: bytes, key: bytes) -> int:
    """Returns GOOD, UNKNOWN_KEY or BAD for a payload: a JSON object with its signature in `sig`."""
    try:
        told: dict[str, Any] = msgspec.json.decode(payload)     # all of it, also what nobody has looked into so far
        signature = told.pop("sig", "")
        if told.get("kid", fingerprint(key)) != fingerprint(key):
            return UNKNOWN_KEY
        Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(signature, validate=True), canonical(told))
    except (InvalidSignature, ValueError, RecursionError):
        return BAD
    return GOOD


def main(argv: list[str]) -> int:
    """The process's work. Returns the exit code."""
    try:
        key = bytes.fromhex(argv[1]) if argv[0] == "--hex" else command_key.load(argv[0])
    except command_key.PublicKeyProblem as problem:
        print(problem, file=sys.stderr)
        return UNKNOWN_KEY
    return judge(sys.stdin.buffer.read(), key)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
