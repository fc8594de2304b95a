"""Decodes foreign JSON and raises only one kind of error.

The library itself raises others, too, for text that is not UTF-8 and for deep nesting.
"""
import functools
from typing import Any

import msgspec

_decoder = functools.cache(msgspec.json.Decoder)


def read(data: bytes | str, kind: Any) -> Any:
    """Returns the text as a value of this type. Raises only msgspec.DecodeError."""
    try:
        return _decoder(kind).decode(data)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error
