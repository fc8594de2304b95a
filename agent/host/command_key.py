"""The ward's public key for commands, as the settings name it."""
from pathlib import Path

from agent.core.ledger.seals import key_in

KEY_B = 32


class KeyProblem(Exception):
    """The key can't be used; the text names the place and the remedy."""


def load(path: str) -> bytes:
    """The 32 bytes of the Ed25519 key in this PEM file. Raises KeyProblem."""
    try:
        key = key_in(Path(path).read_bytes())
    except OSError as error:
        raise KeyProblem(f"[ward] command_key: {path}: {error.strerror}; the file must be there, and readable for the "
                         "link") from error
    if key is None or len(key) != KEY_B:
        raise KeyProblem(f"[ward] command_key: {path}: not an Ed25519 public key in PEM; ask the ward for it, or make "
                         "it from the private one: openssl pkey -pubout")
    return key
