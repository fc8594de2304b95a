"""One row of the ledger, and the bytes that are hashed and signed for it.

The bytes are JSON with sorted keys, without spaces and without fractions, as RFC 8785 has it for such values: whoever
reads a row with any JSON library can write the same bytes again.
"""
import json
from typing import Any

import msgspec
from msgspec import Struct, field

VERSION = 1
WHOLE_MAX = 2 ** 53 - 1         # beyond it JSON libraries disagree on what a number is


class NotCanonical(ValueError):
    """A value that has no single way to be written; the text names it."""


class RowMoment(Struct, frozen=True, kw_only=True):
    """When: `boot` and `mono_ms` order it for certain, `wall_ms` (UTC) dates it as far as `clock` may be believed."""

    boot: str
    mono_ms: int
    wall_ms: int
    clock: str                  # unset | saved | rtc | ntp

    @property
    def offset_ms(self) -> int:
        """Wall minus monotonic time: what changes exactly if somebody moves the wall clock."""
        return self.wall_ms - self.mono_ms


class Row(Struct, frozen=True, kw_only=True):
    """What one row tells. The kind is open: a reader keeps what it does not know."""

    n: int                      # 1, 2, 3, ... without a gap
    dev: str                    # the device
    kind: str                   # begin, clip, deletion, ...: core.evidence.ledger.acts
    # The number of the act, without a gap; 0 in the keeper's own rows. In the bytes that are signed its key is "deed",
    # and stays so: rows that are signed already must keep their meaning.
    act_n: int = field(name="deed")
    at: RowMoment               # of the act
    sealed: RowMoment           # when the keeper chained and signed it
    body: dict[str, Any]
    v: int = VERSION


class LedgerLine(Struct, frozen=True):
    """A row as it is stored: the signed bytes themselves, and what binds them."""

    n: int
    doc: bytes
    prev: bytes                 # hash of the line before
    hash: bytes
    sig: bytes


_decoder = msgspec.json.Decoder(Row)


def canonical(value: object) -> bytes:
    """The one way to write `value`, a Struct or what JSON knows but for fractions. Raises NotCanonical."""
    plain = msgspec.to_builtins(value)
    _demand_plain(plain)
    try:
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise NotCanonical(f"half a character in {error.object!r}") from error


def decode(doc: bytes) -> Row | None:
    """The row that these bytes tell; None where they tell none."""
    try:
        return _decoder.decode(doc)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _demand_plain(value: object) -> None:
    if isinstance(value, dict):
        for key, each in value.items():
            if not (isinstance(key, str) and key.isascii()):
                raise NotCanonical(f"the key {key!r} is not plain ASCII")
            _demand_plain(each)
    elif isinstance(value, list):
        for each in value:
            _demand_plain(each)
    elif isinstance(value, float):
        raise NotCanonical(f"{value!r} is a fraction; write it as a whole number of a smaller unit")
    elif isinstance(value, int) and abs(value) > WHOLE_MAX:
        raise NotCanonical(f"{value!r} is larger than JSON's numbers are sure to be")
