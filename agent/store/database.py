"""Opening the store's database: one SQLite file in WAL mode that all roles share."""
import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from agent.host.files import is_own
from agent.store.names import highest
from agent.store.schema import READABLE_FROM, SCHEMA, TABLES

# In a folder of its own that all roles may write: beside other roles' files the folder is sticky, where Linux lets
# nobody open with O_CREAT what another user made (fs.protected_regular, proc_sys_fs(5)), as SQLite opens its log.
FOLDER = "db"
FILE = f"{FOLDER}/taimat.db"
CLIPS = "clips"         # the folder beside that
READABLE = "readable_from"      # in meta: READABLE_FROM of the version that made it, or changed its schema last
MENDED = f"{FILE}.mended"      # see agent/keeper/repair.py: about to take the database's place
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
PAGE_B = 1024           # of a new database: a commit of a few short rows writes a third of what it would with 4 KB
JOURNAL_B = 8 << 20     # more than a journal has: one that was cut short grows again, and growing costs each commit
BUSY_S = 10.0           # a stalled card holds a writer for seconds; nobody gives up because of that
PRAGMAS = ("synchronous = FULL", "foreign_keys = ON", f"journal_size_limit = {JOURNAL_B}", "temp_store = MEMORY",
           "cache_size = -1024", "trusted_schema = OFF")


class StoreError(Exception):
    """The store can't be used; the text names the place and the remedy."""


class Replaced(sqlite3.OperationalError):
    """Another file has taken the place of the one that is open: open it again."""


class StoreConnection(sqlite3.Connection):
    """A connection that knows its file, for that may be replaced: by a mended one, or by a volume that came late."""

    path: Path
    inode: tuple[int, int]
    mark: Callable[[bytes], bytes] | None = None    # the keeper's: its acts carry it (agent/store/decisions)
    read_only: bool             # its card was, when it was opened: so it stays, whatever becomes of the card

    @property
    def store(self) -> Path:
        """The folder of the store that it belongs to."""
        return self.path.parent.parent

    def replaced(self) -> bool:
        """Whether `path` leads to another file by now, or to none, or to one that can be written at last."""
        try:
            found = os.stat(self.path)
            if self.read_only and not _is_read_only(self.path):
                return True
        except FileNotFoundError:
            return True
        except OSError:             # a card that is unwell says nothing about that
            return False
        return (found.st_dev, found.st_ino) != self.inode


def connect(folder: Path, busy_s: float = BUSY_S, file: str = FILE) -> StoreConnection:
    """Open (and if need be create) the database in `folder`; one connection a thread.

    Commits are flushed to the card (synchronous=FULL): an event that was acknowledged survives a power cut.
    Raises StoreError.
    """
    path = folder / file
    if file == FILE and is_own(folder / MENDED):
        raise StoreError(f"{path} was damaged, and the keeper has not put the mended one in its place yet: "
                         "see that it runs")
    try:
        return open_file(path, _make, busy_s)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path}: {getattr(error, 'strerror', None) or error}; check that the folder can be written "
                         f"and the card is not full or read-only (taimat doctor)") from error


def open_file(path: Path, make: Callable[[StoreConnection, Path], None], busy_s: float = BUSY_S,
              mode: int = 0o660) -> StoreConnection:
    """Open the database `path`, of `mode` where it is new; `make` sees that it has its tables.

    Raises OSError, sqlite3.Error and StoreError, and leaves nothing open then: its card may have to be taken away.
    """
    _create(path, mode)
    try:
        return _prepared(path, str(path), busy_s, (f"page_size = {PAGE_B}", "journal_mode = WAL", *PRAGMAS), make)
    except sqlite3.OperationalError:
        if not _is_read_only(path):
            raise
    # After an orderly stop there is no log, and SQLite can't make one on a read-only card: nobody else can, either.
    return _prepared(path, f"file:{quote(str(path))}?immutable=1", busy_s, PRAGMAS, make)


def _prepared(path: Path, name: str, busy_s: float, pragmas: Iterable[str],
              make: Callable[[StoreConnection, Path], None]) -> StoreConnection:
    found = os.lstat(path)      # before it is opened: if it is replaced in between, we only open it once more
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(f"{path} is not a plain file: somebody put it there; move it away")
    with contextlib.ExitStack() as stack:
        db = sqlite3.connect(name, isolation_level=None, timeout=busy_s, factory=StoreConnection, uri=name != str(path))
        stack.callback(db.close)
        demand_itself(db, path)
        db.path, db.inode, db.read_only = path, (found.st_dev, found.st_ino), _is_read_only(path)
        db.row_factory = sqlite3.Row
        for pragma in pragmas:
            db.execute(f"PRAGMA {pragma}")
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
    fresh = connect(db.store)
    fresh.mark = db.mark
    return fresh


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that the file is not as it wrote it. Nothing but mending it helps then."""
    cause = error.__cause__ if isinstance(error, StoreError) else error
    return isinstance(cause, sqlite3.DatabaseError) and getattr(cause, "sqlite_errorcode", 0) & 0xFF in DAMAGE


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All statements inside are committed together when the block ends, or none when it raises.

    Raises Replaced where they would go into a file that nobody reads any more.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        if isinstance(db, StoreConnection) and db.replaced():
            raise Replaced(f"{db.path} has been replaced")
        yield db
    except BaseException:
        with contextlib.suppress(sqlite3.Error):        # a full card may have rolled back already
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _create(path: Path, mode: int) -> None:
    """Make the file with this mode: SQLite would make it 0644, but each role writes the store's through its group.

    Only if it is not there: closing another descriptor of an open database would drop this process's locks on it.
    """
    if not os.path.lexists(path):
        path.parent.mkdir(mode=0o770, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode))


def _make(db: sqlite3.Connection, path: Path) -> None:
    """The tables, if there are none yet. Raises StoreError and sqlite3.Error."""
    if demand_known(db, path):
        return
    with transaction(db):
        if not make_tables(db, TABLES, SCHEMA):         # another role has been quicker
            return
        db.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (READABLE, str(READABLE_FROM)))
        with contextlib.suppress(PermissionError):      # the link may not look at clips, and numbers none
            _number_on(db, path)


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
    """See that `connect` would take the database in `folder`; nothing is made or written. Raises StoreError."""
    path, trouble = folder / FILE, None
    if not path.exists():
        return None
    for how in ("mode=ro&readonly_shm=1", "immutable=1"):       # the second where no recorder is at work: it has no log
        try:
            return _look_at(path, how)
        except sqlite3.Error as error:
            trouble = error
    raise StoreError(f"{path}: {trouble}; see: taimat doctor") from trouble


def _look_at(path: Path, how: str) -> None:
    with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True)) as db:
        demand_itself(db, path)
        demand_known(db, path)


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


def number_on(db: StoreConnection) -> None:
    """See that clips get numbers behind those on the card, before the first one gets its own.

    Raises OSError and sqlite3.Error.
    """
    if _unnumbered(db):
        with transaction(db):
            _number_on(db, db.path)


def _unnumbered(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_sequence WHERE name = 'clip'").fetchone() is None


def _number_on(db: sqlite3.Connection, path: Path) -> None:
    """Where the database is new and its predecessor lost: the card's clips keep their numbers, the sweep adopts them.
    """
    if _unnumbered(db):
        db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('clip', ?)", (highest(path.parent.parent / CLIPS),))


def _statements(script: str) -> Iterator[str]:
    """The script's statements one by one: executescript would commit between them."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
