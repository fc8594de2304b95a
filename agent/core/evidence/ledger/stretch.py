"""A section of the ledger as a file for checking an export: one line of JSON for each row, in order."""
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from agent.core import json_door
from agent.core.evidence.ledger.row import LedgerLine, canonical, decode

FILE = "ledger.jsonl"


class _Written(Struct, frozen=True, kw_only=True):
    doc: str
    hash: str
    n: int
    prev: str
    sig: str



def write(lines: Iterable[LedgerLine]) -> bytes:
    """Returns the file's content. A damaged row is included as far as it is text, and will fail the check."""
    return b"".join(_text(line) + b"\n" for line in lines)


def _text(line: LedgerLine) -> bytes:
    return canonical(_Written(doc=line.doc.decode(errors="replace"), hash=line.hash.hex(), n=line.n,
                              prev=line.prev.hex(), sig=line.sig.hex()))


def read(data: bytes) -> list[LedgerLine]:
    """Returns the rows in the file. A line that is not a valid row becomes a damaged row with the expected number."""
    lines: list[LedgerLine] = []
    for text in data.splitlines():
        lines.append(_line(text) or LedgerLine(lines[-1].n + 1 if lines else 1, text, b"", b"", b""))
    return lines


def _line(text: bytes) -> LedgerLine | None:
    """None also for another spelling: a row has only one encoding, under its own number."""
    try:
        raw = json_door.read(text, _Written)
        line = LedgerLine(raw.n, raw.doc.encode(), *map(bytes.fromhex, (raw.prev, raw.hash, raw.sig)))
        row = decode(line.doc)
        return line if _text(line) == text and (row is None or row.n == line.n) else None
    except (msgspec.DecodeError, ValueError):       # a number too large, half a character, or no hex digits
        return None
