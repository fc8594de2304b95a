"""What root keeps beside the configuration: its text before the newest change, and a file for each change's secret.

Only root may read that text, because it holds passwords. Undo works only while the file is as the change left it, so no
later edit is lost. The roles' group may read secrets, such as the home broker's password. Each secret has a file name
of its own, so undo restores it as well. A secret goes once neither the configuration nor the kept text names it.
"""
import contextlib
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from agent.config.load import ConfigError, parse
from agent.core.contract.setup import LastChange, Problem
from agent.core.passwords import redact
from agent.host.files import is_own, write_durably

KEPT = ".before"            # beside the configuration
BEGINS = {"password_file": "home.password.", "url_file": "notify.url."}     # of secrets' names, by the key


class SettingsRefused(Exception):
    """A change was refused. `problem` is for the page, the text (without passwords) for a technician."""

    def __init__(self, problem: Problem, detail: str) -> None:
        super().__init__(redact(detail))
        self.problem = problem


class KeptText(msgspec.Struct, kw_only=True, frozen=True):
    change: LastChange
    made_sha256: str        # of the file that it has made
    before: str


def keep(config: Path, change: LastChange, before: bytes, made: bytes) -> None:
    """Notes a change before it is made. Raises OSError."""
    kept = KeptText(change=change, made_sha256=_digest(made), before=before.decode())
    write_durably(_path(config), msgspec.json.encode(kept), 0o600)


def newest(config: Path) -> KeptText | None:
    """Returns the change that can be undone; None without a change, or if the file was edited since."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        if is_own(_path(config)):
            kept = msgspec.json.decode(_path(config).read_bytes(), type=KeptText)
            return kept if _digest(config.read_bytes()) == kept.made_sha256 else None
    return None


def text_before(config: Path, change_id: str) -> str:
    """Returns the text before that change. Raises SettingsRefused."""
    kept = newest(config)
    if kept is None or kept.change.id != change_id:
        raise SettingsRefused("not_last", f"{config} is not what change {change_id} has made of it")
    try:
        parse(kept.before, str(config))
    except ConfigError as error:
        raise SettingsRefused("not_valid", str(error)) from error
    return kept.before


def _path(config: Path) -> Path:
    return config.with_name(config.name + KEPT)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def keep_secret(config: Path, key: str, change_id: str, secret: str) -> str:
    """Writes a secret to a file; returns the path. Raises OSError."""
    path = config.with_name(f"{BEGINS[key]}{change_id}")
    write_durably(path, secret.encode(), 0o640)
    os.chown(path, -1, os.getegid())
    return str(path)


def tidy_secrets(config: Path, texts: Iterable[str]) -> None:
    named = "\n".join(texts)
    for begins in BEGINS.values():
        for path in config.parent.glob(f"{begins}*"):
            if path.name not in named:
                with contextlib.suppress(OSError):
                    path.unlink()
