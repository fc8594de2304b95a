"""The keeper's care for the database: which one to go on with when the one that is open is damaged or replaced."""
from agent.host.clock import Instant
from agent.store import mend
from agent.store.database import Connection, Replaced, StoreError, connect, current, is_damage
from agent.store.folders import Folders


def open_database(folders: Folders, now: Instant) -> tuple[Connection, str | None]:
    """The store's database, and the name under which a damaged one was set aside for it, if one was.

    Raises StoreError, OSError and sqlite3.Error.
    """
    mend.finish(folders)
    try:
        return connect(folders.root), None
    except StoreError as error:
        if not is_damage(error):
            raise
    return _mended(folders, now)


def successor(db: Connection, folders: Folders, now: Instant, error: Exception) -> tuple[Connection, str | None] | None:
    """The database to go on with after `error`, as `open_database` gives it; None: the one that is open.

    Raises StoreError, OSError and sqlite3.Error.
    """
    if is_damage(error):
        made = _mended(folders, now)
        db.close()
        return made
    return (current(db), None) if isinstance(error, Replaced) else None


def examined(db: Connection, folders: Folders, now: Instant) -> tuple[Connection, str | None] | None:
    """Likewise after somebody else has met damage: all of the database is looked at."""
    if mend.is_sound(db):
        return None
    made = _mended(folders, now)
    db.close()
    return made


def _mended(folders: Folders, now: Instant) -> tuple[Connection, str]:
    done, db = mend.mend(folders), connect(folders.root)
    mend.tell(db, done, now)
    return db, done.aside.name
