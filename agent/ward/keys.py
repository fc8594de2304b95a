"""`taimat ward keys`: makes the command key and the receipt key that the settings name, unless they exist.

`python -m agent.ward.keys`. Beside each private half, `FILE`, it writes the public one, `FILE.pub`.
"""
import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from agent.config.load import EXIT_BAD_CONFIG, ConfigError
from agent.core.evidence.ledger import fingerprint
from agent.host.files import sync_folder, write_durably
from agent.ward import settings
from agent.ward.command_signer import CommandKey, SigningKeyFault

EXIT_NOT_WRITTEN = 73           # sysexits.h EX_CANTCREAT
OWN_ONLY, FOR_ALL = 0o600, 0o644
PUBLIC = ".pub"


def public_half(path: str) -> bytes:
    """The public half of the receipt key, from its own file: who asks need not read the private one.

    Raises SigningKeyFault.
    """
    beside = Path(path + PUBLIC)
    if path and beside.exists():
        try:
            key = load_pem_public_key(beside.read_bytes())
        except (OSError, ValueError) as error:
            raise SigningKeyFault(f"{beside}: not a public key in PEM, or not readable; delete it, and taimat ward keys"
                                  " writes a new one") from error
        if isinstance(key, Ed25519PublicKey):
            return key.public_bytes_raw()
    return CommandKey.load(path, "[intake] receipt_key").key.public_key().public_bytes_raw()


def make(path: Path) -> None:
    """Write a new private key; raises FileExistsError for a file that exists, and other OSErrors."""
    data = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWN_ONLY)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def see_to(path: str, named_by: str) -> None:
    """Make the key unless it exists, write its public half anew, and print both. Raises OSError, SigningKeyFault."""
    is_new = bool(path) and not Path(path).exists()
    if is_new:
        make(Path(path))
    public = CommandKey.load(path, named_by).key.public_key()
    write_durably(Path(path + PUBLIC), public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), FOR_ALL)
    print(f"{named_by}: {path} {'was made' if is_new else 'is there'}: key {fingerprint(public.public_bytes_raw())}, "
          f"its public half is in {path}{PUBLIC}")


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="taimat ward keys")
    parser.add_argument("--config", type=Path, required=True)
    try:
        own = settings.load(parser.parse_args(argv).config)
        see_to(own.ops.command_key, "[ops] command_key")
        see_to(own.intake.receipt_key, "[intake] receipt_key")
    except (ConfigError, SigningKeyFault) as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_CONFIG
    except OSError as error:
        print(f"{error.filename}: {error.strerror}; make its folder, or try it as another user (sudo)", file=sys.stderr)
        return EXIT_NOT_WRITTEN
    print("devices get the first one's public half as [ward] command_key; the second one's travels in each request")
    return 0


if __name__ == "__main__":
    sys.exit(main())
