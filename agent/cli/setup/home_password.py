"""The password for the household's broker: a file of root's for each change of it, beside the configuration.

The roles' group reads it, as it reads the configuration. It has a name of its own, so that undoing a change brings the
password back as well; what neither the configuration nor its earlier text names is removed.
"""
import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from agent.host.files import write_durably

BEGINS = "home.password."


def keep(config: Path, change_id: str, password: str) -> str:
    """Write it; returns its path for `[home] password_file`. Raises OSError."""
    path = config.with_name(f"{BEGINS}{change_id}")
    write_durably(path, password.encode(), 0o640)
    os.chown(path, -1, os.getegid())
    return str(path)


def tidy(config: Path, texts: Iterable[str]) -> None:
    """Remove the files that none of these texts names."""
    named = "\n".join(texts)
    for path in config.parent.glob(f"{BEGINS}*"):
        if path.name not in named:
            with contextlib.suppress(OSError):
                path.unlink()
