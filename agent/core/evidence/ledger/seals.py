"""One Ed25519 key and its signatures in the file formats of openssl, minisign and ssh-keygen.

Pure: the caller passes a function that signs. Ed25519 has one signature for a message, so a check takes the signature
out of a file and writes the file again.
"""
import base64
import hashlib
import struct
from collections.abc import Callable, Iterator, Mapping

from agent.core.evidence.ledger.row import fingerprint

Sign = Callable[[bytes], bytes]
Verifies = Callable[[bytes, bytes, bytes], bool]        # public key, signature, message; never raises

MANIFEST = "manifest.json"
RAW, MINISIG, SSHSIG = f"{MANIFEST}.ed25519", f"{MANIFEST}.minisig", f"{MANIFEST}.sig"
PEM, MINISIGN_KEY, SIGNERS = "device.pem", "device.pub", "allowed_signers"
NAMESPACE = "taimat-export"                             # ssh-keygen -n
FORMATS_N = 3
FILES = (RAW, MINISIG, SSHSIG, PEM, MINISIGN_KEY, SIGNERS)
_DER = bytes.fromhex("302a300506032b6570032100")        # RFC 8410: an Ed25519 public key follows
_SSH_TYPE = b"ssh-ed25519"
_SIGNATURE_B = 64


def signatures(manifest: bytes, key: bytes, sign: Sign) -> dict[str, bytes]:
    """Returns the manifest's signatures by file name. `key` is the public key."""
    prehashed = sign(hashlib.blake2b(manifest).digest())
    return {RAW: sign(manifest), MINISIG: _minisig(key, prehashed, sign(prehashed + _trusted(key))),
            SSHSIG: _sshsig(key, sign(_ssh_message(manifest)))}


def keys(key: bytes, dev: str) -> dict[str, bytes]:
    """Returns the public key by file name. The file for ssh names it after `dev`."""
    ssh = base64.b64encode(_ssh_key(key)).decode()
    return {PEM: _armored("PUBLIC KEY", _DER + key, 64),
            MINISIGN_KEY: f"untrusted comment: key of {dev}\n{_b64(b'Ed' + _minisign_id(key) + key)}\n".encode(),
            SIGNERS: f'{dev} namespaces="{NAMESPACE}" {_SSH_TYPE.decode()} {ssh}\n'.encode()}


def key_in(pem: bytes) -> bytes | None:
    """Returns the public key in the PEM file; None if absent."""
    try:
        der = base64.b64decode(b"".join(pem.split(b"\n")[1:-2]))
    except ValueError:
        return None
    return der.removeprefix(_DER) if der.startswith(_DER) else None


def wrong(files: Mapping[str, bytes], manifest: bytes, key: bytes, verifies: Verifies) -> Iterator[str]:
    """Yields the names of missing or invalid signatures of this manifest."""
    checks = {RAW: _raw_holds, MINISIG: _minisig_holds, SSHSIG: _sshsig_holds}
    for name, holds in checks.items():
        if name not in files or not holds(files[name], manifest, key, verifies):
            yield name


def _raw_holds(data: bytes, manifest: bytes, key: bytes, verifies: Verifies) -> bool:
    return verifies(key, data, manifest)


def _minisig_holds(data: bytes, manifest: bytes, key: bytes, verifies: Verifies) -> bool:
    lines = data.split(b"\n")
    try:
        prehashed = base64.b64decode(lines[1])[-_SIGNATURE_B:]
        over_all = base64.b64decode(lines[3])
    except (ValueError, IndexError):
        return False
    return (data == _minisig(key, prehashed, over_all)
            and verifies(key, prehashed, hashlib.blake2b(manifest).digest())
            and verifies(key, over_all, prehashed + _trusted(key)))


def _sshsig_holds(data: bytes, manifest: bytes, key: bytes, verifies: Verifies) -> bool:
    try:
        signature = base64.b64decode(b"".join(data.split(b"\n")[1:-2]))[-_SIGNATURE_B:]
    except ValueError:
        return False
    return data == _sshsig(key, signature) and verifies(key, signature, _ssh_message(manifest))


def _minisig(key: bytes, prehashed: bytes, over_all: bytes) -> bytes:
    encoded = _b64(b"ED" + _minisign_id(key) + prehashed)
    return (f"untrusted comment: signature of an export\n{encoded}\n"
            f"trusted comment: {_trusted(key).decode()}\n{_b64(over_all)}\n").encode()


def _trusted(key: bytes) -> bytes:
    return f"taimat export, key {fingerprint(key)}".encode()


def _minisign_id(key: bytes) -> bytes:
    """minisign prints a key's id in reverse, so that it shows our fingerprint."""
    return bytes.fromhex(fingerprint(key))[::-1]


def _ssh_message(manifest: bytes) -> bytes:
    return b"SSHSIG" + b"".join(map(_string, (NAMESPACE.encode(), b"", b"sha512", hashlib.sha512(manifest).digest())))


def _sshsig(key: bytes, signature: bytes) -> bytes:
    parts = (_ssh_key(key), NAMESPACE.encode(), b"", b"sha512", _string(_SSH_TYPE) + _string(signature))
    return _armored("SSH SIGNATURE", b"SSHSIG" + struct.pack(">I", 1) + b"".join(map(_string, parts)), 70)


def _ssh_key(key: bytes) -> bytes:
    return _string(_SSH_TYPE) + _string(key)


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _armored(what: str, data: bytes, width: int) -> bytes:
    text = _b64(data)
    lines = [text[at:at + width] for at in range(0, len(text), width)]
    return "\n".join([f"-----BEGIN {what}-----", *lines, f"-----END {what}-----", ""]).encode()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
