"""Whether a public key vouches for a message."""
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def verifies(key: bytes, sig: bytes, message: bytes) -> bool:
    """Whether `sig` is the message's signature by this key; False for a key that is none."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(sig, message)
    except (InvalidSignature, ValueError):
        return False
    return True
