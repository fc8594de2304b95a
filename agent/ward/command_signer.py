"""The ward's command key. It signs orders, so that devices need not trust the broker in between.

A device has the public half (`[ward] command_key` there), and checks each signature over the RFC 8785 form.
"""
import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from agent.core.evidence.ledger.row import canonical, fingerprint

MAKE_ONE = "name a file there that does not exist yet, and make it: taimat ward keys"


class SigningKeyFault(Exception):
    """The key can't be used; the text names the place and the remedy."""


@dataclass(frozen=True, slots=True)
class CommandKey:
    key: Ed25519PrivateKey
    kid: str                    # fingerprint of the public half

    @classmethod
    def load(cls, path: str, named_by: str = "[ops] command_key") -> "CommandKey":
        """Reads the Ed25519 key in a PEM file; the setting `named_by` names it. Raises SigningKeyFault."""
        if not path:
            raise SigningKeyFault(f"{named_by}: is not set; {MAKE_ONE}")
        try:
            key = load_pem_private_key(Path(path).read_bytes(), password=None)
        except OSError as error:
            raise SigningKeyFault(f"{named_by}: {path}: {error.strerror}; it must be there, and readable for "
                                  "the users that sign with it") from error
        except TypeError as error:
            raise SigningKeyFault(f"{named_by}: {path}: is locked with a password; write it without one, into a "
                                  "file that others can't read: openssl pkey -in FILE -out NEW") from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise SigningKeyFault(f"{named_by}: {path}: not a private key in PEM; {MAKE_ONE}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise SigningKeyFault(f"{named_by}: {path}: not an Ed25519 key; {MAKE_ONE}")
        return cls(key, fingerprint(key.public_key().public_bytes_raw()))

    def sign(self, message: dict[str, Any]) -> dict[str, Any]:
        """Adds the key's id and the signature. Raises NotCanonical for values without an RFC 8785 form."""
        named = {**message, "kid": self.kid}
        return {**named, "sig": base64.b64encode(self.key.sign(canonical(named))).decode()}
