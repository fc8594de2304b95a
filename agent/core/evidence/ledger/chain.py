"""Chains rows: each row's hash covers the hash before it, and the signature covers that hash."""
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from agent.core.evidence.ledger.row import LedgerLine, Row, canonical

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
