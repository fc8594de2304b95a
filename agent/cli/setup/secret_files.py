"""Secrets of the configuration, such as the home broker's password: a file of root's for each change, beside it.

The roles' group reads them, as it reads the configuration. Each has a name of its own, so that undoing a change brings
the secret back as well; what neither the configuration nor its earlier text names is removed.
"""
import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from agent.host.files import write_durably

BEGINS = {"password_file": "home.password.", "url_file": "notify.url."}     # of their names, by the key


def keep(config: Path, key: str, change_id: str, secret: str) -> str:
    """Write it; returns its path for that key. Raises OSError."""
    path = config.with_name(f"{BEGINS[key]}{change_id}")
    write_durably(path, secret.encode(), 0o640)
    os.chown(path, -1, os.getegid())
    return str(path)


def tidy(config: Path, texts: Iterable[str]) -> None:
    """Remove the files that none of these texts names."""
    named = "\n".join(texts)
    for begins in BEGINS.values():
        for path in config.parent.glob(f"{begins}*"):
            if path.name not in named:
                with contextlib.suppress(OSError):
                    path.unlink()
