"""Public keys that the settings name, and signature checks for the ward's commands and the maker's releases.

The file that the settings name holds the current key and, optionally, the next one. A later change of keys is in a
second file.
"""
import base64
import re
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.core.evidence.ledger.row import canonical, fingerprint
from agent.core.evidence.ledger.seals import key_in
from agent.core.key_slots import CHANGE, KeySlots, begin
from agent.host.files import read_plain

KEY_B = 32
LARGEST_B = 4096
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----\s.*?-----END PUBLIC KEY-----", re.DOTALL)


def verifies(key: bytes, sig: bytes, message: bytes) -> bool:
    """Whether `sig` is the message's Ed25519 signature by this key; False for an invalid key."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(sig, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def fault_of(payload: bytes, key: bytes) -> str | None:
    """Returns None for a JSON object with this key's signature in its `sig`; else "unknown_key" or "bad_signature"."""
    try:
        fields: dict[str, Any] = msgspec.json.decode(payload)     # every field, also unknown ones
        signature = fields.pop("sig", "")
        if fields.get("kid", fingerprint(key)) != fingerprint(key):
            return "unknown_key"
        data = base64.b64decode(signature, validate=True)
        # Only one encoding of the signature counts; otherwise a stranger could make valid variants.
        signed = base64.b64encode(data) == signature.encode() and verifies(key, data, canonical(fields))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return "bad_signature"
    return None if signed else "bad_signature"


def fault_in(payload: bytes, slots: KeySlots) -> str | None:
    """Checks against the current key. The next key may only sign a change of keys."""
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
    """The key cannot be used; the text names the place and the remedy."""


def load(path: str, setting: str = "[ward] command_key", owner: str = "the ward", reader: str = "the link"
         ) -> list[bytes]:
    """Returns one or two Ed25519 keys, 32 bytes each, of the PEM file that `setting` names. Raises PublicKeyProblem."""
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
    """Returns the keys in `kept`, or those in the file if it has changed since. Raises PublicKeyProblem."""
    given = [key.hex() for key in load(path, setting, owner, reader)]
    changed = changed_to(kept)
    return changed if changed and changed.given == given else begin(given)


def changed_to(kept: Path) -> KeySlots | None:
    """Returns the keys after the last change, or None. Raises PublicKeyProblem if a revoked key could come back."""
    try:
        return msgspec.json.decode(read_plain(kept, LARGEST_B), type=KeySlots)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise PublicKeyProblem(f"{kept}: {getattr(error, 'strerror', None) or error}; no key is valid until a person "
                               "puts the right ones into the settings' file and removes this one"
                               ) from error
