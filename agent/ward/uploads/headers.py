"""Reads a request's headers strictly: the device by the proxy's header, and the values of tus 1.0.0. Pure."""
import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.core.contract.wire import requests
from agent.core.household.sharing_rules import Kind
from agent.ward.proxied import CERTIFICATE, client_certificate, client_name
from agent.ward.uploads.check import PICTURE_B

PIECE_TYPE = "application/offset+octet-stream"
NUMBER = re.compile(r"[0-9]{1,15}")
ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
DIGEST = re.compile(r"[0-9a-f]{64}")
SHA256_B = 32
KINDS: dict[str, Kind] = {"clip": "clip", "snapshot": "snapshot"}


class UploadRefusal(Exception):
    """A refusal: HTTP status, a code for programs, a sentence for people, and more headers."""

    def __init__(self, status: int, code: str, why: str, **headers: str) -> None:
        super().__init__(why)
        self.status, self.code, self.why = status, code, why
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass(frozen=True, slots=True)
class Peer:
    name: str               # its one common name: the device's id
    key_sha256: str         # of its public key (DER SubjectPublicKeyInfo), hex


@dataclass(frozen=True, slots=True)
class Announced:
    request: str
    kind: Kind
    bytes: int
    sha256: str
    manifest: str | None


def single(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Returns the headers by lower-case name. Raises UploadRefusal if a relevant one is given twice."""
    found: dict[str, str] = {}
    for name, value in ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers):
        if name in found and name.startswith(("tus-", "upload-", "content-", CERTIFICATE)):
            raise UploadRefusal(400, "header", f"{name} is given twice")
        found[name] = value
    return found


def peer(headers: Mapping[str, str]) -> Peer | None:
    """Returns None without a certificate, or if it is not a device's."""
    certificate = client_certificate(headers.get(CERTIFICATE, ""))
    if certificate is None or not (name := client_name(certificate)):
        return None
    try:
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return Peer(name, hashlib.sha256(key).hexdigest())


def require_version(headers: Mapping[str, str]) -> None:
    """Raises UploadRefusal if the sender speaks another version."""
    if headers.get("tus-resumable") != requests.TUS:
        raise UploadRefusal(412, "version", f"Tus-Resumable has to be {requests.TUS}", Tus_Version=requests.TUS)


def announced(headers: Mapping[str, str], max_b: int) -> Announced:
    """Raises UploadRefusal."""
    size_b = _number(headers, "upload-length")
    pairs = _metadata(headers.get("upload-metadata", ""))
    kind = KINDS.get(pairs.get(requests.KIND, ""))
    request, sha256 = pairs.get(requests.REQUEST, ""), pairs.get(requests.SHA256, "")
    manifest = pairs.get(requests.MANIFEST)
    if not ULID.fullmatch(request) or kind is None or not DIGEST.fullmatch(sha256) or not DIGEST.fullmatch(
            manifest if manifest is not None else sha256):
        raise UploadRefusal(400, "metadata", "Upload-Metadata has to name request, kind (clip or snapshot) and sha256 "
                                             "(hex), each in base64, and may name manifest (hex)")
    if size_b == 0:
        raise UploadRefusal(400, "length", "there is nothing to upload")
    most_b = min(max_b, PICTURE_B) if kind == "snapshot" else max_b
    if size_b > most_b:
        raise UploadRefusal(413, "too_large", f"a {kind} has {most_b} bytes at most, not {size_b}",
                            Tus_Max_Size=str(most_b))
    return Announced(request, kind, size_b, sha256, manifest)


def offset(headers: Mapping[str, str]) -> int:
    """Raises UploadRefusal."""
    if headers.get("content-type") != PIECE_TYPE:
        raise UploadRefusal(415, "content_type", f"a piece's Content-Type has to be {PIECE_TYPE}")
    return _number(headers, "upload-offset")


def length(headers: Mapping[str, str]) -> int:
    """Raises UploadRefusal."""
    if "content-length" not in headers:
        raise UploadRefusal(411, "length", "a piece needs its Content-Length")
    size_b = _number(headers, "content-length")
    if size_b > requests.PIECE_B:
        raise UploadRefusal(413, "piece", f"a piece has {requests.PIECE_B} bytes at most")
    return size_b


def checksum(headers: Mapping[str, str]) -> bytes | None:
    """Returns the announced SHA-256 of a piece, if any. Raises UploadRefusal."""
    if (text := headers.get("upload-checksum")) is None:
        return None
    algorithm, _, encoded = text.partition(" ")
    if algorithm != "sha256" or len(digest := _unbased(encoded)) != SHA256_B:
        raise UploadRefusal(400, "checksum", "Upload-Checksum takes sha256 and the digest in base64")
    return digest


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name, "")
    if not NUMBER.fullmatch(text):
        raise UploadRefusal(400, "header", f"{name} has to be a whole number of bytes")
    return int(text)


def _metadata(text: str) -> dict[str, str]:
    """Returns the pairs of Upload-Metadata; a value that is not base64 becomes "". Raises UploadRefusal."""
    pairs: dict[str, str] = {}
    for pair in text.split(","):
        key, _, encoded = pair.strip().partition(" ")
        if key in pairs:
            raise UploadRefusal(400, "metadata", "Upload-Metadata names a key twice")
        pairs[key] = _unbased(encoded).decode("latin-1")
    return pairs


def _unbased(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError:
        return b""
