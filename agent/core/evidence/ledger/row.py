"""One row of the ledger: the bytes that are hashed and signed for it, and the chain of rows.

The bytes are JSON with sorted keys, without spaces and fractions, as in RFC 8785. So a reader can parse a row with any
JSON library and write the same bytes again. The hash of a row covers the hash before it, and the signature covers that
hash.
"""
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct, field

from agent.core import json_door

VERSION = 1
WHOLE_MAX = 2 ** 53 - 1         # JSON libraries disagree about larger numbers


class NotCanonical(ValueError):
    """A value has no single encoding. The message names it."""


class RowMoment(Struct, frozen=True, kw_only=True):
    """A time. `boot` and `mono_ms` order it reliably; `wall_ms` (UTC) dates it as far as `clock` is trustworthy."""

    boot: str
    mono_ms: int
    wall_ms: int
    clock: str                  # unset | saved | rtc | ntp

    @property
    def offset_ms(self) -> int:
        """Wall minus monotonic time. It changes by exactly the amount by which the wall clock is moved."""
        return self.wall_ms - self.mono_ms


class Row(Struct, frozen=True, kw_only=True):
    """The content of one row. The kind is open: a reader keeps unknown kinds."""

    n: int                      # 1, 2, 3, ... without a gap
    dev: str                    # the device
    kind: str                   # begin, clip, deletion, ...: core.evidence.ledger.acts
    # The number of the act, without a gap; 0 in the keeper's own rows. Its key in the signed bytes is "deed" and stays
    # so, because signed rows must keep their meaning.
    act_n: int = field(name="deed")
    at: RowMoment               # of the act
    sealed: RowMoment           # when the keeper chained and signed the row
    body: dict[str, Any]
    v: int = VERSION


class LedgerLine(Struct, frozen=True):
    """A row as it is stored: the signed bytes, and their hash and signature."""

    n: int
    doc: bytes
    prev: bytes                 # hash of the line before
    hash: bytes
    sig: bytes


def canonical(value: object) -> bytes:
    """Returns the only encoding of `value`, a Struct or JSON value without fractions. Raises NotCanonical."""
    plain = msgspec.to_builtins(value)
    _check_plain(plain)
    try:
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise NotCanonical(f"half a character in {error.object!r}") from error


def decode(doc: bytes) -> Row | None:
    """Returns the row in these bytes; None if they are not a row."""
    try:
        return json_door.read(doc, Row)
    except msgspec.DecodeError:
        return None


def _check_plain(value: object) -> None:
    if isinstance(value, dict):
        for key, each in value.items():
            if not (isinstance(key, str) and key.isascii()):
                raise NotCanonical(f"the key {key!r} is not plain ASCII")
            _check_plain(each)
    elif isinstance(value, list):
        for each in value:
            _check_plain(each)
    elif isinstance(value, float):
        raise NotCanonical(f"{value!r} is a fraction; write it as a whole number of a smaller unit")
    elif isinstance(value, int) and abs(value) > WHOLE_MAX:
        raise NotCanonical(f"{value!r} is larger than JSON's numbers are sure to be")


GENESIS = bytes(32)                     # the hash before the first row
PURPOSE = b"taimat ledger 1\n"          # separates these signatures from others by the same key
FINGERPRINT_DIGITS = 16

Sign = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class RowHead:
    """The newest row's number and hash, which fix all rows up to it."""

    n: int = 0
    hash: bytes = GENESIS


def chained(prev: bytes, doc: bytes) -> bytes:
    """Returns the hash of the row `doc` that follows the row with hash `prev`."""
    return hashlib.sha256(prev + doc).digest()


def message(row_hash: bytes) -> bytes:
    """Returns the bytes that a signature of this row signs."""
    return PURPOSE + row_hash


def follow(head: RowHead, row: Row, sign: Sign) -> LedgerLine:
    """Returns the row as the next line behind `head`. Raises NotCanonical."""
    assert row.n == head.n + 1
    doc = canonical(row)
    row_hash = chained(head.hash, doc)
    return LedgerLine(row.n, doc, head.hash, row_hash, sign(message(row_hash)))


def fingerprint(public_key: bytes) -> str:
    """Returns a key's short name, for people to compare and for health reports."""
    return hashlib.sha256(public_key).hexdigest()[:FINGERPRINT_DIGITS]
