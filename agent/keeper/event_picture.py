"""Opens the pictures of events for the link, which may open neither pictures nor keys."""
import logging
import sqlite3

from agent.config.settings import Home
from agent.core.evidence.encrypted import DamagedError, LockedError
from agent.host.clock import Instant
from agent.store import home, notify
from agent.store.encryption.clear_file import open_clear
from agent.store.encryption.file_keys import Keyring
from agent.store.folders import Folders

PICTURE_B_MAX = 400_000         # capture's are a tenth of that

_log = logging.getLogger(__name__)


def event_picture(db: sqlite3.Connection, folders: Folders, event_id: int) -> bytes:
    """The event's, masks painted; b"" where there is none, or none that can be read. Raises sqlite3.Error."""
    name = notify.thumb(db, event_id)
    if not name:
        return b""
    try:
        file = open_clear(folders.thumb(name), Keyring(folders).file_key)
        try:
            return file.read_at(0, file.size_b) if file.size_b <= PICTURE_B_MAX else b""
        finally:
            file.close()
    except (OSError, LockedError, DamagedError) as error:
        _log.warning("the picture of an event can't be handed out: %s", error)
        return b""


def picture_for_home(db: sqlite3.Connection, folders: Folders, settings: Home, camera: str, now: Instant) -> bytes:
    """What Home Assistant is shown: that of the event which has just ended, if the household lets it have pictures.

    Raises sqlite3.Error.
    """
    event_id = home.just_over(db, camera, now) if settings.enabled and settings.snapshots else None
    return event_picture(db, folders, event_id) if event_id is not None else b""
