"""The configuration's text before root's newest change, beside the file and for root alone: passwords are in it.

It is put back only while the file is what that change has made of it: nobody's later edit is lost.
"""
import contextlib
import hashlib
from pathlib import Path

import msgspec

from agent.cli.setup.refusal import SettingsRefused
from agent.config.load import ConfigError, parse
from agent.core.contract.setup import LastChange
from agent.host.files import is_own, write_durably

KEPT = ".before"            # beside the configuration


class KeptText(msgspec.Struct, kw_only=True, frozen=True):
    """The newest change, and what it has replaced."""

    change: LastChange
    made_sha256: str        # of the file that it has made
    before: str


def keep(config: Path, change: LastChange, before: bytes, made: bytes) -> None:
    """Remember a change that is about to be made. Raises OSError."""
    kept = KeptText(change=change, made_sha256=_digest(made), before=before.decode())
    write_durably(_path(config), msgspec.json.encode(kept), 0o600)


def newest(config: Path) -> KeptText | None:
    """What can be put back now; None where nobody has changed anything, or an editor has since."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        if is_own(_path(config)):
            kept = msgspec.json.decode(_path(config).read_bytes(), type=KeptText)
            return kept if _digest(config.read_bytes()) == kept.made_sha256 else None
    return None


def text_before(config: Path, change_id: str) -> str:
    """The text before that change. Raises SettingsRefused."""
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
