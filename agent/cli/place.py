"""Finds this user's configuration and its store."""
import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.cli.exits import denied
from agent.config.load import DEFAULT_PATH, STATE, ConfigError, last_good, load
from agent.config.settings import Settings, Store
from agent.core.passwords import redact
from agent.host.users import as_owner, step_down
from agent.store.database import FILE, StoreConnection, StoreError, connect
from agent.store.folders import Folders


@dataclass(frozen=True, slots=True)
class UserPlaces:
    """One user's places: the machine's for root, else below the user's home."""

    config: Path
    store: Path
    runtime: Path


def user_places(uid: int | None = None) -> UserPlaces:
    """Returns the places of `uid`, or of the current user; they follow the XDG base directories."""
    uid = os.getuid() if uid is None else uid
    if uid == 0:
        return UserPlaces(DEFAULT_PATH, Path("/var/lib/taimat"), Path("/run/taimat"))
    own = Path(os.path.expanduser("~"))
    session = os.environ.get("XDG_RUNTIME_DIR")
    return UserPlaces(Path(os.environ.get("XDG_CONFIG_HOME") or own / ".config") / "taimat" / "taimat.toml",
                      Path(os.environ.get("XDG_DATA_HOME") or own / ".local/share") / "taimat",
                      Path(session) / "taimat" if session else Path(f"/tmp/taimat-{uid}"))


def config_path(given: Path | None) -> Path:
    """Returns the given configuration, else the user's own if it exists, else the machine's."""
    if given is not None:
        return given.absolute()
    own = user_places().config
    return own if os.path.exists(own) else DEFAULT_PATH     # unlike Path.exists: False if we may not look


def load_here(given: Path | None) -> Settings:
    """Returns the settings, and gives root the rights of the store's owner from now on. Raises ConfigError.

    If the file is wrong and the recorder runs on its last good copy, it prints the mistake and returns that copy.
    """
    path = config_path(given)
    try:
        settings = load(path)
    except ConfigError as error:
        if denied(error) or (settings := _in_use(path)) is None:
            raise
        print(redact(f"{error}\nuntil that is right, the last good configuration holds"), file=sys.stderr)
    store = Path(settings.store.folder)
    step_down(store)
    try:
        (store / FILE).stat()
    except PermissionError as error:        # else the store would seem to be empty
        raise StoreError(f"{store}: this user may not look there") from error
    except OSError:
        pass
    return settings


def _in_use(path: Path) -> Settings | None:
    """Returns what a recorder uses despite a wrong file: the last good settings, else the defaults of a store."""
    with as_owner(STATE if path == DEFAULT_PATH else path.parent), contextlib.suppress(OSError, msgspec.MsgspecError):
        return last_good(path)
    own = user_places()
    store = {own.config: own.store, DEFAULT_PATH: STATE}.get(path)
    if store is None or not os.path.exists(store / FILE):
        return None
    return Settings(store=Store(folder=str(store), runtime=str(own.runtime)))


def existing_store(given: Path | None) -> tuple[Settings, Folders]:
    """Returns the settings and the folders of an existing store. Raises ConfigError and StoreError."""
    settings = load_here(given)
    folders = Folders(Path(settings.store.folder))
    if not os.path.exists(folders.root / FILE):
        begin = "taimat doctor says what keeps it" if config_path(given) == DEFAULT_PATH else "to begin: taimat run"
        raise StoreError(f"{folders.root}: nothing was recorded here yet; {begin}")
    return settings, folders


def open_store(given: Path | None) -> tuple[Settings, Folders, StoreConnection]:
    """Returns settings, folders and database of an existing store. Raises ConfigError and StoreError."""
    settings, folders = existing_store(given)
    return settings, folders, connect(folders.root)
