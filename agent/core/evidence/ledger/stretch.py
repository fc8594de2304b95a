"""A stretch of the ledger as a file: a line of JSON a row, in order, for whoever checks an export."""
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from agent.core.evidence.ledger.row import LedgerLine, canonical, decode

FILE = "ledger.jsonl"


class _Written(Struct, frozen=True, kw_only=True):
    doc: str
    hash: str
    n: int
    prev: str
    sig: str


_decoder = msgspec.json.Decoder(_Written)


def write(lines: Iterable[LedgerLine]) -> bytes:
    """The file's content. A row that somebody has spoilt goes along as far as it is text, and will not hold."""
    return b"".join(_text(line) + b"\n" for line in lines)


def _text(line: LedgerLine) -> bytes:
    return canonical(_Written(doc=line.doc.decode(errors="replace"), hash=line.hash.hex(), n=line.n,
                              prev=line.prev.hex(), sig=line.sig.hex()))


def read(data: bytes) -> list[LedgerLine]:
    """The rows that the file tells; a line that tells none counts as the row that belongs there, spoilt."""
    lines: list[LedgerLine] = []
    for text in data.splitlines():
        lines.append(_line(text) or LedgerLine(lines[-1].n + 1 if lines else 1, text, b"", b"", b""))
    return lines


def _line(text: bytes) -> LedgerLine | None:
    """None also for what another hand has set: there is one way to write a row, under its own number."""
    try:
        told = _decoder.decode(text)
        line = LedgerLine(told.n, told.doc.encode(), *map(bytes.fromhex, (told.prev, told.hash, told.sig)))
        row = decode(line.doc)
        return line if _text(line) == text and (row is None or row.n == line.n) else None
    except (msgspec.DecodeError, ValueError):       # a number too large, half a character, or no hex digits
        return None
