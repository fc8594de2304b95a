"""Reads a certificate's owner, validity and public key from its bytes. Pure.

A certificate is DER (ITU-T X.690) of the fixed shape in RFC 5280, 4.1. A few lines find its fields; a cryptography
library would cost the link 8 MB of memory.
"""
import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

HEADER, FOOTER = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"     # RFC 7468
OID, VERSION_TAG, UTC_TIME = 0x06, 0xA0, 0x17
SHORT_B = 0x80              # shorter lengths take one byte
COMMON_NAME = bytes.fromhex("550403")       # 2.5.4.3


class NotACertificate(Exception):
    """The bytes are not an X.509 certificate with a common name."""


@dataclass(frozen=True, slots=True)
class Leaf:
    common_name: str
    not_before: datetime    # UTC, like not_after
    not_after: datetime
    key_sha256: str         # of the public key as encoded there (SubjectPublicKeyInfo), hex


def of_pem(text: str) -> Leaf:
    """Reads the first certificate of a PEM file, which may contain a chain. Raises NotACertificate."""
    begin, end = text.find(HEADER), text.find(FOOTER)
    if not 0 <= begin < end:
        raise NotACertificate("no certificate in PEM")
    try:
        return read(base64.b64decode(text[begin + len(HEADER):end]))
    except ValueError as error:
        raise NotACertificate("no certificate in PEM") from error


def read(der: bytes) -> Leaf:
    """Reads the common name, the validity, and the public key's digest. Raises NotACertificate."""
    try:
        fields = _parts(_parts(_parts(der)[0][1])[0][1])           # Certificate -> TBSCertificate -> its fields
        if fields[0][0] == VERSION_TAG:
            fields = fields[1:]
        _serial, _algorithm, _issuer, validity, subject, key = fields[:6]
        begin, end = (_time(*each) for each in _parts(validity[1])[:2])
        return Leaf(_common_name(subject[1]), begin, end, hashlib.sha256(_der(*key)).hexdigest())
    except (IndexError, ValueError, UnicodeDecodeError) as error:
        raise NotACertificate("not an X.509 certificate with a common name") from error


def _parts(data: bytes) -> list[tuple[int, bytes]]:
    parts = []
    while data:
        tag, length, header = data[0], data[1], 2
        if length & 0x80:
            header += length & 0x7F
            length = int.from_bytes(data[2:header], "big")
        if header + length > len(data):
            raise ValueError("cut short")
        parts.append((tag, data[header:header + length]))
        data = data[header + length:]
    return parts


def _der(tag: int, content: bytes) -> bytes:
    """Encodes again as it was: DER has one form for each length."""
    size = len(content)
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, size] if size < SHORT_B else [tag, SHORT_B | len(length), *length]) + content


def _common_name(name: bytes) -> str:
    for _, one in _parts(name):
        for _, pair in _parts(one):
            oid, value = _parts(pair)[:2]
            if oid == (OID, COMMON_NAME):
                return value[1].decode()
    raise ValueError("no common name")


def _time(tag: int, content: bytes) -> datetime:
    """RFC 5280, 4.1.2.5: UTCTime until 2049 with a year of two digits, GeneralizedTime after that."""
    text = content.decode("ascii")
    if tag == UTC_TIME:
        text = ("19" if text[0] >= "5" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
