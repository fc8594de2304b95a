"""A public key as the settings name it, and the check of what it signed: the ward's commands, a maker's releases."""
import base64
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.core.evidence.ledger.chain import fingerprint
from agent.core.evidence.ledger.row import canonical
from agent.core.evidence.ledger.seals import key_in

KEY_B = 32


def verifies(key: bytes, sig: bytes, message: bytes) -> bool:
    """Whether `sig` is the message's signature by this key; False for a key that is none."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(sig, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def fault_of(payload: bytes, key: bytes) -> str | None:
    """None for a JSON object with this key's signature in its `sig`; else "unknown_key" or "bad_signature"."""
    try:
        told: dict[str, Any] = msgspec.json.decode(payload)     # all of it, also what nobody has looked into so far
        signature = told.pop("sig", "")
        if told.get("kid", fingerprint(key)) != fingerprint(key):
            return "unknown_key"
        signed = verifies(key, base64.b64decode(signature, validate=True), canonical(told))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return "bad_signature"
    return None if signed else "bad_signature"


class PublicKeyProblem(Exception):
    """The key can't be used; the text names the place and the remedy."""


def load(path: str, setting: str = "[ward] command_key", owner: str = "the ward", reader: str = "the link") -> bytes:
    """The 32 bytes of the Ed25519 key in the PEM file that `setting` names. Raises KeyProblem."""
    try:
        key = key_in(Path(path).read_bytes())
    except OSError as error:
        raise PublicKeyProblem(f"{setting}: {path}: {error.strerror}; the file must be there, and readable for {reader}"
                               ) from error
    if key is None or len(key) != KEY_B:
        raise PublicKeyProblem(f"{setting}: {path}: not an Ed25519 public key in PEM; ask {owner} for it, or make it "
                               "from the private one: openssl pkey -pubout")
    return key
