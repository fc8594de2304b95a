"""Opens the store's database: one SQLite file in WAL mode that keeper and capture write, and all roles read."""
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

# In its own folder, which its writers may write. Folders that roles share are sticky, and there Linux does not let one
# user open another's file with O_CREAT, as SQLite opens its log (fs.protected_regular, proc_sys_fs(5)).
FOLDER = "db"
FILE = f"{FOLDER}/taimat.db"
READABLE = "readable_from"      # in meta: READABLE_FROM of the version that made it, or changed its schema last
WAITING = ".mended"     # the ending of a database that is about to replace one: agent/keeper/renewal.py
PAGE_B = 1024           # of a new database: a commit of a few short rows writes a third of what 4 KB pages need
JOURNAL_B = 8 << 20     # above a log's usual size: one that was truncated grows again, which costs each commit
BUSY_S = 10.0           # a stalled card can hold a writer for seconds
# SQLite does not report errors of its automatic checkpoints, so `transaction` makes them.
PRAGMAS = ("synchronous = FULL", "foreign_keys = ON", f"journal_size_limit = {JOURNAL_B}", "temp_store = MEMORY",
           "cache_size = -1024", "trusted_schema = OFF", "wal_autocheckpoint = 0")
CHECKPOINT_EVERY_N = 48     # commits of a connection
NO_CHECKPOINT_ON_CLOSE, TRIGGERS, VIEWS = 1006, 1003, 1015      # SQLITE_DBCONFIG_*: NO_CKPT_ON_CLOSE, ENABLE_...
# Steps of SQLite's machine in one statement: about a minute on a small board, ten times what a million rows need.
STEPS_N_MAX, STEPS_N = 500_000_000, 1_000_000
CELL_B_MAX = 16 << 20       # ours are far shorter; a foreign index on an expression could need more at each insertion


class StoreError(Exception):
    """The store cannot be used; the text says where and how to help."""


class Replaced(sqlite3.OperationalError):
    """Another file has taken the place of the open one: open it again."""


class StoreConnection(sqlite3.Connection):
    """A connection that knows its file, which may be replaced by a repaired one or by a volume mounted late."""

    path: Path
    inode: tuple[int, int]
    signer: Any = None          # the keeper's: agent/keeper/ledger_writer.py
    read_only: bool             # its card was, when it was opened; a later change does not matter
    reader = False              # it was opened for reading only
    frozen = False              # a reader's: opened while no writer ran, so it does not see later writes
    uncopied_n = 0              # commits since this connection's last checkpoint
    _steps_n = 0                # of the newest statement

    def too_long(self) -> bool:
        """Whether a statement seems endless, as in a damaged or maliciously prepared file."""
        self._steps_n += STEPS_N
        return self._steps_n > STEPS_N_MAX

    @property
    def store(self) -> Path:
        return self.path.parent.parent

    def replaced(self) -> bool:
        """Whether `path` now leads to another file or to none, or has become writable."""
        try:
            found = os.stat(self.path)
            if self.frozen or (self.read_only and not _is_read_only(self.path)):
                return True
        except FileNotFoundError:
            return True
        except OSError:             # a failing card is no answer
            return False
        return (found.st_dev, found.st_ino) != self.inode

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        """As in the base class. After a failed write nothing is committed to this file."""
        self._steps_n = 0
        try:
            return super().execute(sql, parameters)
        except sqlite3.OperationalError as error:
            if is_failed_write(error):
                distrust(self.path.parent, self.inode)
                super().execute("PRAGMA query_only = ON")       # for statements outside `transaction`
            elif error.sqlite_errorcode == sqlite3.SQLITE_READONLY:
                self.require_trust()
            raise

    def distrusted(self) -> bool:
        """Whether a write of this file has failed, here or in another process."""
        return is_distrusted(self.path.parent, self.inode)

    def require_trust(self) -> None:
        """Raises Distrusted if the file must not be written."""
        if self.distrusted():
            raise Distrusted(f"{self.path}: the card has failed a write, and the keeper has not put a fresh copy of "
                             "the database in its place yet: see that it runs")

    def checkpoint(self) -> None:
        """Raises sqlite3.OperationalError."""
        self.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self.uncopied_n = 0

    def close(self) -> None:
        """Closes. A distrusted log stays, because SQLite would copy it onto the same blocks and delete it."""
        if self.distrusted():
            self.configure(NO_CHECKPOINT_ON_CLOSE, True)
        super().close()

    def configure(self, option: int, value: bool) -> None:
        if hasattr(self, "setconfig"):
            self.setconfig(option, value)
        else:               # Python 3.11 has no method for this: its object begins with SQLite's handle
            ctypes.CDLL(_sqlite3.__file__).sqlite3_db_config(
                ctypes.c_void_p.from_address(id(self) + object.__basicsize__), option, int(value), None)


def connect(folder: Path, busy_s: float = BUSY_S, file: str = FILE, read_only: bool = False) -> StoreConnection:
    """Opens (and if necessary creates) the database in `folder`; use one connection per thread. Commits are flushed to
    the card (synchronous=FULL), so an acknowledged event survives a power cut. With `read_only` nothing is created or
    written. Raises StoreError."""
    path = folder / file
    try:
        return _open_to_read(path, busy_s) if read_only else open_file(path, _make, busy_s)
    except (OSError, sqlite3.Error, UnicodeDecodeError) as error:       # the last one for a damaged schema
        raise StoreError(f"{path}: {getattr(error, 'strerror', None) or error}; check that the folder can be written "
                         f"and the card is not full or read-only (taimat doctor)") from error


def open_file(path: Path, make: Callable[[StoreConnection, Path], None], busy_s: float = BUSY_S) -> StoreConnection:
    """Opens `path`, with tables by `make`. Raises OSError, sqlite3.Error, StoreError, and then leaves nothing open."""
    _require_none_waits(path)
    _create(path)
    try:
        return _prepared(path, str(path), busy_s, (f"page_size = {PAGE_B}", "journal_mode = WAL", *PRAGMAS), make)
    except sqlite3.OperationalError:
        if not _is_read_only(path):
            raise
    # After an orderly stop there is no log, and no process can make one on a read-only card.
    return _prepared(path, f"file:{quote(str(path))}?immutable=1", busy_s, PRAGMAS, make)


def _open_to_read(path: Path, busy_s: float) -> StoreConnection:
    _require_none_waits(path)
    pragmas = (*PRAGMAS, "query_only = ON")
    try:
        db = _prepared(path, f"file:{quote(str(path))}?mode=ro", busy_s, pragmas, require_known)
    except sqlite3.OperationalError:
        # Its writers have ended and left no log, which a reader can't make. So this connection is for one look.
        db = _prepared(path, f"file:{quote(str(path))}?immutable=1", busy_s, pragmas, require_known)
        db.frozen = True
    db.reader = True
    return db


def _require_none_waits(path: Path) -> None:
    """Raises StoreError if another database is about to replace this one."""
    if is_own(Path(f"{path}{WAITING}")):
        raise StoreError(f"the keeper has not put {path.name}{WAITING} in the place of {path} yet: see that it runs")


def _prepared(path: Path, name: str, busy_s: float, pragmas: Iterable[str],
              make: Callable[[StoreConnection, Path], object]) -> StoreConnection:
    found = os.lstat(path)      # before opening: if it is replaced in between, it is only opened once more
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(f"{path} is not a plain file, so another program made it: move it away")
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
        require_itself(db, path)
        for option in (TRIGGERS, VIEWS):        # those of another role would run with our rights
            db.configure(option, False)
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, CELL_B_MAX)
        db.set_progress_handler(db.too_long, STEPS_N)
        db.row_factory = sqlite3.Row
        for pragma in (*pragmas, *(["query_only = ON"] if db.distrusted() else [])):
            db.execute(f"PRAGMA {pragma}")
        _require_none_waits(path)        # a new file may have been made during a replacement
        make(db, path)
        stack.pop_all()
    return db


def require_itself(db: sqlite3.Connection, path: Path) -> None:
    """Raises StoreError unless the file at `path` was opened, and not one that a link has led to."""
    opened = db.execute("PRAGMA database_list").fetchone()[2]
    if opened != os.path.join(os.path.realpath(path.parent), path.name):
        raise StoreError(f"{path} led to {opened} when it was opened, through a link: move the link away")


def _is_read_only(path: Path) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def current(db: StoreConnection) -> StoreConnection:
    """Returns the connection, or a new one if its file was replaced. Raises StoreError."""
    if not db.replaced():
        return db
    with contextlib.suppress(sqlite3.Error):
        db.close()
    fresh = connect(db.store, read_only=db.reader)
    fresh.signer = db.signer
    return fresh


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Commits all statements of the block together, or none if it raises. Raises Replaced and Distrusted."""
    ours = db if isinstance(db, StoreConnection) else None
    if ours is not None and ours.uncopied_n >= CHECKPOINT_EVERY_N:
        ours.checkpoint()           # before BEGIN, so that a commit does not seem to have failed
    db.execute("BEGIN IMMEDIATE")
    try:
        if ours is not None:
            if ours.replaced():
                raise Replaced(f"{ours.path} has been replaced")
            ours.require_trust()
        yield db
    except BaseException:
        with contextlib.suppress(sqlite3.Error):        # a full card may have rolled back already
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
    if ours is not None:
        ours.uncopied_n += 1


@contextlib.contextmanager
def unflushed(db: sqlite3.Connection) -> Iterator[None]:
    """Commits of the block may be undone by a power cut, until any process makes one that is flushed."""
    db.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        db.execute("PRAGMA synchronous = FULL")


def admit(handle: int, path: Path) -> bool:
    """Sets a database file's rights: its folder's group may write, and everyone who may enter the folder may read.
    Returns whether the file has them, or is ours. Raises OSError."""
    folder = path.parent.stat()
    mode = 0o664 if folder.st_mode & stat.S_IXOTH else 0o660 if folder.st_mode & stat.S_IRWXG else 0o600
    with contextlib.suppress(PermissionError):      # another user's file, or FAT, which has no rights
        if os.fstat(handle).st_gid != folder.st_gid:
            os.fchown(handle, -1, folder.st_gid)
        if stat.S_IMODE(os.fstat(handle).st_mode) != mode:
            os.fchmod(handle, mode)
    found = os.fstat(handle)
    return found.st_uid == os.geteuid() or (found.st_gid, stat.S_IMODE(found.st_mode)) == (folder.st_gid, mode)


def _create(path: Path) -> None:
    """Creates the file with its rights, independent of the umask; SQLite gives its log the same. A file that exists is
    not opened: closing that descriptor would drop this process's locks on an open database."""
    if not os.path.lexists(path):
        path.parent.mkdir(mode=0o770, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            admit(handle, path)
            os.close(handle)


def _make(db: StoreConnection, path: Path) -> None:
    """Creates the tables if there are none yet, and moves counters past all numbers known elsewhere."""
    note = numbers.noted(db.store) if path == db.store / FILE else None
    if require_known(db, path):
        if not db.read_only and numbers.is_behind(db, note):
            with transaction(db):
                numbers.go_on(db, note)
        return
    with transaction(db):
        if not make_tables(db, TABLES, SCHEMA):         # another role was faster
            return
        db.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (READABLE, str(READABLE_FROM)))
        numbers.go_on(db, note, new=True)


def make_tables(db: sqlite3.Connection, tables: str, schema: int) -> bool:
    """Creates the tables unless the schema has a number; returns whether it did. Within the caller's transaction."""
    if db.execute("PRAGMA user_version").fetchone()[0]:
        return False
    for statement in _statements(tables):
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {schema}")
    return True


def require_usable(folder: Path) -> None:
    """Raises StoreError if `connect` would refuse the database in `folder`; writes nothing."""
    if (folder / FILE).exists():
        connect(folder, read_only=True).close()


def require_known(db: sqlite3.Connection, path: Path) -> int:
    """Returns the number of a schema that we can use; 0 without tables. Raises StoreError and sqlite3.Error."""
    number: int = db.execute("PRAGMA user_version").fetchone()[0]
    if 0 < number < SCHEMA:
        raise StoreError(f"{path} was written by a Taimat from before its first release (schema {number}, known from "
                         f"{SCHEMA} on): stop Taimat, move {path.name}, {path.name}-wal and {path.name}-shm to another "
                         "place, and start it: a new one is made, and the clips beside it stay")
    if number > SCHEMA:             # usable if that version only added to the schema
        row = db.execute("SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?", (READABLE,)).fetchone()
        if row is None or not 0 < row[0] <= SCHEMA:
            raise StoreError(f"{path} was written by a newer Taimat (schema {number}, known up to {SCHEMA}): update "
                             "this one")
    return number


def is_held(error: BaseException) -> bool:
    """Whether another process holds a lock that we need; this is neither a fault of the card nor damage."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PROTOCOL)


def _statements(script: str) -> Iterator[str]:
    """Yields the script's statements one by one, because executescript would commit between them."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
