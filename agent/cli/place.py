"""Where this user's Taimat is: the configuration that a command means, and the store that belongs to it."""
import os
from dataclasses import dataclass
from pathlib import Path

from agent.config.load import DEFAULT_PATH, load
from agent.config.settings import Settings
from agent.host.users import step_down
from agent.store.database import FILE, StoreConnection, StoreError, connect
from agent.store.decisions import database as decisions
from agent.store.decisions.database import mark
from agent.store.folders import Folders


@dataclass(frozen=True, slots=True)
class UserPlaces:
    """Where one user's Taimat keeps its things: the whole machine's places for root, else below the user's home."""

    config: Path
    store: Path
    runtime: Path


def user_places(uid: int | None = None) -> UserPlaces:
    """The places of the user `uid`, or of the one that runs this; the XDG base directories where they are set."""
    uid = os.getuid() if uid is None else uid
    if uid == 0:
        return UserPlaces(DEFAULT_PATH, Path("/var/lib/taimat"), Path("/run/taimat"))
    own = Path(os.path.expanduser("~"))
    session = os.environ.get("XDG_RUNTIME_DIR")
    return UserPlaces(Path(os.environ.get("XDG_CONFIG_HOME") or own / ".config") / "taimat" / "taimat.toml",
                      Path(os.environ.get("XDG_DATA_HOME") or own / ".local/share") / "taimat",
                      Path(session) / "taimat" if session else Path(f"/tmp/taimat-{uid}"))


def config_path(given: Path | None) -> Path:
    """The configuration to use: the one that was named, else the user's own if there is one, else the machine's."""
    if given is not None:
        return given.absolute()
    own = user_places().config
    return own if os.path.exists(own) else DEFAULT_PATH     # unlike Path.exists: False where we may not look


def load_here(given: Path | None) -> Settings:
    """The settings; root has the rights of their store's owner from then on. Raises ConfigError."""
    settings = load(config_path(given))
    step_down(Path(settings.store.folder))
    return settings


def _found(given: Path | None) -> tuple[Settings, Folders]:
    settings = load_here(given)
    folders = Folders(Path(settings.store.folder))
    if not os.path.exists(folders.root / FILE):
        raise StoreError(f"{folders.root}: nothing was recorded here yet, or this user may not look (sudo); "
                         f"to begin: taimat run")
    return settings, folders


def open_store(given: Path | None) -> tuple[Settings, Folders, StoreConnection]:
    """The settings, the folders and the database of a store that exists. Raises ConfigError, StoreError."""
    settings, folders = _found(given)
    return settings, folders, connect(folders.root)


def open_decisions(given: Path | None) -> tuple[Settings, Folders, StoreConnection, StoreConnection]:
    """The same, with the household's decisions, which the owner alone may change, before the shared database.

    Raises ConfigError, StoreError.
    """
    settings, folders = _found(given)
    own, db = decisions.connect(folders), connect(folders.root)
    db.mark = mark(own)
    return settings, folders, own, db
