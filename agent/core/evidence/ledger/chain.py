"""How rows hang together: each one's hash covers the hash before it, and the signature covers that hash."""
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from agent.core.evidence.ledger.row import LedgerLine, Row, canonical

GENESIS = bytes(32)                     # what the first row follows
PURPOSE = b"taimat ledger 1\n"          # the same key may sign other things, but never this by accident
FINGERPRINT_DIGITS = 16

Sign = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class RowHead:
    """The newest row's number and hash: who has seen it knows all rows up to it."""

    n: int = 0
    hash: bytes = GENESIS


def chained(prev: bytes, doc: bytes) -> bytes:
    """The hash of the row `doc` that follows the row whose hash is `prev`."""
    return hashlib.sha256(prev + doc).digest()


def message(row_hash: bytes) -> bytes:
    """What is signed for a row."""
    return PURPOSE + row_hash


def follow(head: RowHead, row: Row, sign: Sign) -> LedgerLine:
    """The row as the next line behind `head`. Raises NotCanonical."""
    assert row.n == head.n + 1
    doc = canonical(row)
    row_hash = chained(head.hash, doc)
    return LedgerLine(row.n, doc, head.hash, row_hash, sign(message(row_hash)))


def fingerprint(public_key: bytes) -> str:
    """A key's short name, for people to compare and for health reports."""
    return hashlib.sha256(public_key).hexdigest()[:FINGERPRINT_DIGITS]
