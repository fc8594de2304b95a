"""The keys with which a command opens encrypted recordings."""
import sqlite3
from pathlib import Path

import typer

from agent.config.settings import Settings
from agent.store.encryption.file_keys import Keyring
from agent.store.folders import Folders

ASK = Path("-")


def keyring(settings: Settings, folders: Folders, db: sqlite3.Connection, household_key: Path | None) -> Keyring:
    """The keeper's keys or the keeper itself, or the household's key out of that file ("-": it is asked for).

    Raises LockedError and typer.BadParameter.
    """
    if household_key is None:
        return Keyring(folders, Path(settings.store.runtime))
    from agent.store.encryption.household import opener  # only here: it needs the cryptography library

    if household_key == ASK:
        typed = typer.prompt("The household's key", hide_input=True)
    else:
        try:
            typed = household_key.read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is no text"
            raise typer.BadParameter(f"--household-key {household_key}: {reason}") from error
    return Keyring(folders, household=opener(db, typed))
