"""`taimat ward keys`: makes the command key and the receipt key of the settings, and rotates the command key.

Beside each private half, `FILE`, it writes the public one, `FILE.pub`. The command key has a next one, `FILE.next`,
whose private half is kept in a safe; `FILE.pub` has the public halves of both.
"""
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent.core.evidence.ledger.row import fingerprint
from agent.core.key_slots import CHANGE, KeysChange
from agent.host.clock import SystemClock
from agent.host.files import rename_durably, sync_folder, write_durably
from agent.ward import settings
from agent.ward.authority.certificates import private_pem
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.authority.places import restart_desk
from agent.ward.command_signer import CommandKey, SigningKeyFault
from agent.ward.exits import EXIT_UNDONE, OPS, ended
from agent.ward.orders import give

OWN_ONLY, FOR_ALL = 0o600, 0o644
PUBLIC = ".pub"
NEXT = ".next"


def public_half(path: str) -> bytes:
    """Reads the receipt key's public file, so callers need not read the private one. Raises SigningKeyFault."""
    beside = Path(path + PUBLIC)
    if path and beside.exists():
        return _public_in(beside).public_bytes_raw()
    return CommandKey.load(path, "[intake] receipt_key").key.public_key().public_bytes_raw()


def make(path: Path) -> None:
    """Writes a new private key. Raises FileExistsError and other OSErrors."""
    data = private_pem(Ed25519PrivateKey.generate())
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWN_ONLY)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def ensure(path: str, named_by: str) -> None:
    """Makes the key unless it exists, writes its public half, and prints both. Raises OSError and SigningKeyFault."""
    is_new = bool(path) and not Path(path).exists()
    if is_new:
        make(Path(path))
    public = CommandKey.load(path, named_by).key.public_key()
    write_durably(Path(path + PUBLIC), _pem(public), FOR_ALL)
    print(f"{named_by}: {path} {'was made' if is_new else 'is there'}: key {fingerprint(public.public_bytes_raw())}, "
          f"its public half is in {path}{PUBLIC}")


def ensure_next(path: str) -> KeysChange:
    """Makes the next command key if it is missing; returns the change for devices. Raises OSError, SigningKeyFault."""
    spare, current = path + NEXT, CommandKey.load(path).key.public_key()
    beside = Path(spare + PUBLIC)
    known = _public_in(beside) if beside.exists() else None
    if Path(spare).exists():
        known = CommandKey.load(spare).key.public_key()
    elif known is None or known == current:         # there was none, or it is the current one by now
        make(Path(spare))
        known = CommandKey.load(spare).key.public_key()
        print(f"{spare} was made: key {fingerprint(known.public_bytes_raw())}, the next one; move it off this machine")
    write_durably(beside, _pem(known), FOR_ALL)
    write_durably(Path(path + PUBLIC), _pem(current) + _pem(known), FOR_ALL)
    return KeysChange(ver=SystemClock().now().wall_ms, current=current.public_bytes_raw().hex(),
                      next=known.public_bytes_raw().hex())


def rotate(path: str) -> None:
    """Replaces the current key with the next one. Raises OSError and SigningKeyFault."""
    if not path or not Path(path + NEXT).exists():
        raise SigningKeyFault(f"{path}{NEXT} is missing: bring it here from its safe")
    CommandKey.load(path + NEXT)
    rename_durably(Path(path + NEXT), Path(path))


def _public_in(path: Path) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SigningKeyFault(f"{path}: not a public key in PEM, or not readable; delete it, and taimat ward keys"
                              " writes a new one") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SigningKeyFault(f"{path}: not an Ed25519 key; delete it, and taimat ward keys writes a new one")
    return key


def _pem(public: Ed25519PublicKey) -> bytes:
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@ended({**OPS, AuthorityFault: EXIT_UNDONE}, "make its folder, or try it as another user (sudo)")
def run(config: Path, devices: Sequence[str], wait_s: float, as_json: bool, rotates: bool = False) -> int:
    """Makes the keys, and sends them to these devices; with `rotates`, first makes the next command key current."""
    own = settings.load(config)
    if rotates:
        rotate(own.ops.command_key)
        restart_desk()
    ensure(own.ops.command_key, "[ops] command_key")
    change = ensure_next(own.ops.command_key)
    if devices:
        return give(own, devices, CHANGE, msgspec.to_builtins(change), patience_s=wait_s, as_json=as_json)
    ensure(own.intake.receipt_key, "[intake] receipt_key")
    print(f"devices get {own.ops.command_key}{PUBLIC} as [ward] command_key; the receipt key travels in each request")
    return 0
