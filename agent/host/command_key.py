"""Public keys as the settings name them, and the check of what they signed: the ward's commands, a maker's releases.

The settings' file has the current key and, behind it, the next one. What has changed since lies in a file of its own.
"""
import base64
import os
import re
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.core.evidence.ledger.chain import fingerprint
from agent.core.evidence.ledger.row import canonical
from agent.core.evidence.ledger.seals import key_in
from agent.core.key_slots import CHANGE, KeySlots, begin
from agent.host.files import open_plain

KEY_B = 32
LARGEST_B = 4096
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----\s.*?-----END PUBLIC KEY-----", re.DOTALL)


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


def fault_in(payload: bytes, slots: KeySlots) -> str | None:
    """The same by the current key; the next one signs nothing but a change of keys."""
    fault = fault_of(payload, bytes.fromhex(slots.current))
    if fault and slots.next and _changes_keys(payload):
        return fault_of(payload, bytes.fromhex(slots.next))
    return fault


def _changes_keys(payload: bytes) -> bool:
    try:
        return bool(msgspec.json.decode(payload, type=dict[str, Any]).get("name") == CHANGE)
    except (ValueError, RecursionError):
        return False


class PublicKeyProblem(Exception):
    """The key can't be used; the text names the place and the remedy."""


def load(path: str, setting: str = "[ward] command_key", owner: str = "the ward", reader: str = "the link"
         ) -> list[bytes]:
    """The 32 bytes of each Ed25519 key in the PEM file that `setting` names: one, or two. Raises PublicKeyProblem."""
    try:
        keys = [key_in(block + b"\n") for block in _PEM.findall(Path(path).read_bytes())]
    except OSError as error:
        raise PublicKeyProblem(f"{setting}: {path}: {error.strerror}; the file must be there, and readable for {reader}"
                               ) from error
    good = [key for key in keys if key is not None and len(key) == KEY_B]
    if len(good) != len(keys) or not 1 <= len(set(good)) == len(good) <= 2:
        raise PublicKeyProblem(f"{setting}: {path}: not an Ed25519 public key in PEM, or two of them; ask {owner} for "
                               "it, or make it from the private one: openssl pkey -pubout")
    return good


def in_force(path: str, kept: Path, setting: str = "[ward] command_key", owner: str = "the ward",
             reader: str = "the link") -> KeySlots:
    """The keys that hold: as a change has left them in `kept`, or as the settings' file has them, if it is another now.

    Raises PublicKeyProblem.
    """
    given = [key.hex() for key in load(path, setting, owner, reader)]
    changed = changed_to(kept)
    return changed if changed and changed.given == given else begin(given)


def changed_to(kept: Path) -> KeySlots | None:
    """What the last change has left. A file that can't be read must not bring a revoked key back.

    Raises PublicKeyProblem.
    """
    try:
        handle = open_plain(kept)
        try:
            return msgspec.json.decode(os.read(handle, LARGEST_B), type=KeySlots)
        finally:
            os.close(handle)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise PublicKeyProblem(f"{kept}: {getattr(error, 'strerror', None) or error}; no key counts until somebody who "
                               "knows the right ones has put them into the settings' file and removed this one"
                               ) from error
