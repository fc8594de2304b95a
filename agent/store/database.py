"""Opening the store's database: one SQLite file in WAL mode that keeper and capture write, and all roles read."""
import _sqlite3
import contextlib
import ctypes
import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agent.host.files import is_own
from agent.store import numbers
from agent.store.distrust import Distrusted, distrust, is_distrusted, is_failed_write
from agent.store.schema import READABLE_FROM, SCHEMA, TABLES

# In a folder of its own that its writers may write: beside other roles' files the folder is sticky, where Linux lets
# nobody open with O_CREAT what another user made (fs.protected_regular, proc_sys_fs(5)), as SQLite opens its log.
FOLDER = "db"
FILE = f"{FOLDER}/taimat.db"
READABLE = "readable_from"      # in meta: READABLE_FROM of the version that made it, or changed its schema last
WAITING = ".mended"     # the ending of a database that is about to take the place of one: agent/keeper/renewal.py
PAGE_B = 1024           # of a new database: a commit of a few short rows writes a third of what it would with 4 KB
JOURNAL_B = 8 << 20     # more than a journal has: one that was cut short grows again, and growing costs each commit
BUSY_S = 10.0           # a stalled card holds a writer for seconds; nobody gives up because of that
# SQLite keeps to itself what goes wrong in a checkpoint of its own, so `transaction` makes them.
PRAGMAS = ("synchronous = FULL", "foreign_keys = ON", f"journal_size_limit = {JOURNAL_B}", "temp_store = MEMORY",
           "cache_size = -1024", "trusted_schema = OFF", "wal_autocheckpoint = 0")
CHECKPOINT_EVERY_N = 48     # commits of a connection
NO_CHECKPOINT_ON_CLOSE, TRIGGERS, VIEWS = 1006, 1003, 1015      # SQLITE_DBCONFIG_*: NO_CKPT_ON_CLOSE, ENABLE_...
# Steps of SQLite's machine in one statement: a minute or so of a small board, ten times what a million rows need.
STEPS_N_MAX, STEPS_N = 500_000_000, 1_000_000
CELL_B_MAX = 16 << 20       # ours are far shorter; an index on an expression could ask for more at each insertion


class StoreError(Exception):
    """The store can't be used; the text names the place and the remedy."""


class Replaced(sqlite3.OperationalError):
    """Another file has taken the place of the one that is open: open it again."""


class StoreConnection(sqlite3.Connection):
    """A connection that knows its file, for that may be replaced: by a mended one, or by a volume that came late."""

    path: Path
    inode: tuple[int, int]
    signer: Any = None          # the keeper's: agent/keeper/ledger_writer.py
    read_only: bool             # its card was, when it was opened: so it stays, whatever becomes of the card
    reader = False              # it is there for reading alone
    frozen = False              # a reader's: nobody was at work, and it does not see what is written from then on
    uncopied_n = 0              # commits since this connection's last checkpoint
    _steps_n = 0                # of the newest statement

    def too_long(self) -> bool:
        """Whether a statement seems to have no end: in a damaged file, or one that somebody has prepared."""
        self._steps_n += STEPS_N
        return self._steps_n > STEPS_N_MAX

    @property
    def store(self) -> Path:
        """The folder of the store that it belongs to."""
        return self.path.parent.parent

    def replaced(self) -> bool:
        """Whether `path` leads to another file by now, or to none, or to one that can be written at last."""
        try:
            found = os.stat(self.path)
            if self.frozen or (self.read_only and not _is_read_only(self.path)):
                return True
        except FileNotFoundError:
            return True
        except OSError:             # a card that is unwell says nothing about that
            return False
        return (found.st_dev, found.st_ino) != self.inode

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        """As in the base class; after a write that has failed nobody commits to this file any more."""
        self._steps_n = 0
        try:
            return super().execute(sql, parameters)
        except sqlite3.OperationalError as error:
            if is_failed_write(error):
                distrust(self.path.parent, self.inode)
                super().execute("PRAGMA query_only = ON")       # a statement of its own is not `transaction`
            elif error.sqlite_errorcode == sqlite3.SQLITE_READONLY:
                self.demand_trust()
            raise

    def distrusted(self) -> bool:
        """Whether a write of this file has failed, here or in another process."""
        return is_distrusted(self.path.parent, self.inode)

    def demand_trust(self) -> None:
        """That it may be written. Raises Distrusted."""
        if self.distrusted():
            raise Distrusted(f"{self.path}: the card has failed a write, and the keeper has not put a fresh copy of "
                             "the database in its place yet: see that it runs")

    def checkpoint(self) -> None:
        """Bring what was committed from the log into the file. Raises sqlite3.OperationalError."""
        self.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self.uncopied_n = 0

    def close(self) -> None:
        """Close; a distrusted log stays as it is, because SQLite would copy it onto the same blocks and delete it."""
        if self.distrusted():
            self.configure(NO_CHECKPOINT_ON_CLOSE, True)
        super().close()

    def configure(self, option: int, value: bool) -> None:
        """Set an option of sqlite3_db_config."""
        if hasattr(self, "setconfig"):
            self.setconfig(option, value)
        else:               # Python 3.11 has no door to this: its connection begins with SQLite's
            ctypes.CDLL(_sqlite3.__file__).sqlite3_db_config(
                ctypes.c_void_p.from_address(id(self) + object.__basicsize__), option, int(value), None)


def connect(folder: Path, busy_s: float = BUSY_S, file: str = FILE, read_only: bool = False) -> StoreConnection:
    """Open (and if need be create) the database in `folder`; one connection a thread.

    Commits are flushed to the card (synchronous=FULL): an event that was acknowledged survives a power cut. With
    `read_only` nothing is made or written; a role without the right to write opens it so. Raises StoreError.
    """
    path = folder / file
    try:
        return _open_to_read(path, busy_s) if read_only else open_file(path, _make, busy_s)
    except (OSError, sqlite3.Error, UnicodeDecodeError) as error:       # the last: what SQLite says of a damaged schema
        raise StoreError(f"{path}: {getattr(error, 'strerror', None) or error}; check that the folder can be written "
                         f"and the card is not full or read-only (taimat doctor)") from error


def open_file(path: Path, make: Callable[[StoreConnection, Path], None], busy_s: float = BUSY_S) -> StoreConnection:
    """Open the database `path`; `make` sees that it has its tables.

    Raises OSError, sqlite3.Error and StoreError, and leaves nothing open then: its card may have to be taken away.
    """
    _demand_none_waits(path)
    _create(path)
    try:
        return _prepared(path, str(path), busy_s, (f"page_size = {PAGE_B}", "journal_mode = WAL", *PRAGMAS), make)
    except sqlite3.OperationalError:
        if not _is_read_only(path):
            raise
    # After an orderly stop there is no log, and SQLite can't make one on a read-only card: nobody else can, either.
    return _prepared(path, f"file:{quote(str(path))}?immutable=1", busy_s, PRAGMAS, make)


def _open_to_read(path: Path, busy_s: float) -> StoreConnection:
    """Open the database without a right to write it. Raises OSError, sqlite3.Error and StoreError."""
    _demand_none_waits(path)
    pragmas = (*PRAGMAS, "query_only = ON")
    try:
        db = _prepared(path, f"file:{quote(str(path))}?mode=ro", busy_s, pragmas, demand_known)
    except sqlite3.OperationalError:
        # Its writers have ended in order and have left no log, which a reader can't make. So it is for one look.
        db = _prepared(path, f"file:{quote(str(path))}?immutable=1", busy_s, pragmas, demand_known)
        db.frozen = True
    db.reader = True
    return db


def _demand_none_waits(path: Path) -> None:
    """That no other database is about to take its place. Raises StoreError."""
    if is_own(Path(f"{path}{WAITING}")):
        raise StoreError(f"the keeper has not put {path.name}{WAITING} in the place of {path} yet: see that it runs")


def _prepared(path: Path, name: str, busy_s: float, pragmas: Iterable[str],
              make: Callable[[StoreConnection, Path], object]) -> StoreConnection:
    found = os.lstat(path)      # before it is opened: if it is replaced in between, we only open it once more
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(f"{path} is not a plain file: somebody put it there; move it away")
    for beside in (Path(f"{path}{side}") for side in ("-journal", "-wal", "-shm")):
        if beside.is_symlink() or (beside.exists() and not beside.is_file()):
            with contextlib.suppress(OSError):      # a reader can't
                beside.rmdir() if beside.is_dir() and not beside.is_symlink() else beside.unlink()
                continue
            raise StoreError(f"{beside} is not a plain file: SQLite would wait at a pipe for ever; move it away")
    with contextlib.ExitStack() as stack:
        db = sqlite3.connect(name, isolation_level=None, timeout=busy_s, factory=StoreConnection, uri=name != str(path))
        db.path, db.inode, db.read_only = path, (found.st_dev, found.st_ino), _is_read_only(path)
        stack.callback(db.close)
        demand_itself(db, path)
        for option in (TRIGGERS, VIEWS):        # another role may have made some: they would run with our rights
            db.configure(option, False)
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, CELL_B_MAX)
        db.set_progress_handler(db.too_long, STEPS_N)
        db.row_factory = sqlite3.Row
        for pragma in (*pragmas, *(["query_only = ON"] if db.distrusted() else [])):
            db.execute(f"PRAGMA {pragma}")
        _demand_none_waits(path)        # a new file may be one that was made while they change places
        make(db, path)
        stack.pop_all()
    return db


def demand_itself(db: sqlite3.Connection, path: Path) -> None:
    """See that the file at `path` itself was opened: SQLite follows a link that was laid there just then.

    It tells which file it has opened in the end, and opens that one without following any. Raises StoreError.
    """
    opened = db.execute("PRAGMA database_list").fetchone()[2]
    if opened != os.path.join(os.path.realpath(path.parent), path.name):
        raise StoreError(f"{path} led to {opened} when it was opened: somebody put a link there; move it away")


def _is_read_only(path: Path) -> bool:
    """Whether its file system is mounted so. Raises OSError."""
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def current(db: StoreConnection) -> StoreConnection:
    """The same connection, or a new one if its file has been replaced. Raises StoreError."""
    if not db.replaced():
        return db
    with contextlib.suppress(sqlite3.Error):
        db.close()
    fresh = connect(db.store, read_only=db.reader)
    fresh.signer = db.signer
    return fresh


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All statements inside are committed together when the block ends, or none when it raises.

    Raises Replaced where they would go into a file that nobody reads any more, and Distrusted where the card may not
    keep them.
    """
    ours = db if isinstance(db, StoreConnection) else None
    if ours is not None and ours.uncopied_n >= CHECKPOINT_EVERY_N:
        ours.checkpoint()           # before it begins: what is committed below must not seem to have failed
    db.execute("BEGIN IMMEDIATE")
    try:
        if ours is not None:
            if ours.replaced():
                raise Replaced(f"{ours.path} has been replaced")
            ours.demand_trust()
        yield db
    except BaseException:
        with contextlib.suppress(sqlite3.Error):        # a full card may have rolled back already
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
    if ours is not None:
        ours.uncopied_n += 1


def admit(handle: int, path: Path) -> bool:
    """Give an open file the rights of a database at `path`: its folder's group writes it, and all who may pass through
    that folder read it. Returns whether it has them, or is ours. Raises OSError.
    """
    folder = path.parent.stat()
    mode = 0o664 if folder.st_mode & stat.S_IXOTH else 0o660 if folder.st_mode & stat.S_IRWXG else 0o600
    with contextlib.suppress(PermissionError):      # another user's, or FAT, which knows no rights
        if os.fstat(handle).st_gid != folder.st_gid:
            os.fchown(handle, -1, folder.st_gid)
        if stat.S_IMODE(os.fstat(handle).st_mode) != mode:
            os.fchmod(handle, mode)
    found = os.fstat(handle)
    return found.st_uid == os.geteuid() or (found.st_gid, stat.S_IMODE(found.st_mode)) == (folder.st_gid, mode)


def _create(path: Path) -> None:
    """Make the file with its rights, whatever the umask is; SQLite gives the log the same.

    Only if it is not there: closing another descriptor of an open database would drop this process's locks on it.
    """
    if not os.path.lexists(path):
        path.parent.mkdir(mode=0o770, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            admit(handle, path)
            os.close(handle)


def _make(db: StoreConnection, path: Path) -> None:
    """The tables, if there are none yet, and numbers behind all that others know. Raises StoreError and sqlite3.Error.
    """
    note = numbers.noted(db.store) if path == db.store / FILE else None
    if demand_known(db, path):
        if not db.read_only and numbers.is_behind(db, note):
            with transaction(db):
                numbers.go_on(db, note)
        return
    with transaction(db):
        if not make_tables(db, TABLES, SCHEMA):         # another role has been quicker
            return
        db.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (READABLE, str(READABLE_FROM)))
        numbers.go_on(db, note, new=True)


def make_tables(db: sqlite3.Connection, tables: str, schema: int) -> bool:
    """Make these tables and note the schema's number, unless there is one. Returns whether they were made.

    Within the caller's transaction. Raises sqlite3.Error.
    """
    if db.execute("PRAGMA user_version").fetchone()[0]:
        return False
    for statement in _statements(tables):
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {schema}")
    return True


def _is_readable(db: sqlite3.Connection) -> bool:
    """Whether the newer version that was here has only added to what we know."""
    row = db.execute("SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?", (READABLE,)).fetchone()
    return row is not None and 0 < row[0] <= SCHEMA


def demand_usable(folder: Path) -> None:
    """See that `connect` would take the database in `folder`; nothing is written in it. Raises StoreError."""
    if (folder / FILE).exists():
        connect(folder, read_only=True).close()


def demand_known(db: sqlite3.Connection, path: Path) -> int:
    """The number of the database's schema, if we can go on with it; 0: it has no tables yet.

    Raises StoreError and sqlite3.Error.
    """
    number: int = db.execute("PRAGMA user_version").fetchone()[0]
    if 0 < number < SCHEMA:
        raise StoreError(f"{path} was written by a Taimat from before its first release (schema {number}, known from "
                         f"{SCHEMA} on): stop Taimat, move {path.name}, {path.name}-wal and {path.name}-shm to another "
                         "place, and start it: a new one is made, and the clips beside it stay")
    if number > SCHEMA and not _is_readable(db):
        raise StoreError(f"{path} was written by a newer Taimat (schema {number}, known up to {SCHEMA}): update this "
                         "one")
    return number


def is_held(error: BaseException) -> bool:
    """Whether another process has a lock that we would need: no fault of the card's, and no damage."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PROTOCOL)


def _statements(script: str) -> Iterator[str]:
    """The script's statements one by one: executescript would commit between them."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
