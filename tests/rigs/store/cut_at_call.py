"""A power cut at one call of a module of ours: what was called before it is done, nothing behind it is."""
import contextlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest


class Cut(Exception):
    """The power goes."""


@contextlib.contextmanager
def cut_before(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, nth: int) -> Iterator[None]:
    """The block has to end by a cut before the `nth` call (from 0) of what `module` knows as `name`."""
    calls_n = 0
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part)

    def cut(*args: Any, **named: Any) -> Any:
        nonlocal calls_n
        calls_n += 1
        if calls_n > nth:
            raise Cut
        return found(*args, **named)

    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(f"{module.__name__}.{name}", cut)
        yield
