"""Saves rows of a damaged database into a new one, by SQLite's own recovery or as far as it can be read.

The recovery is `.recover` of the `sqlite3` command, in a bounded process of its own. It prints statements made of what
it found in the file. None of them is executed: of each line that inserts a row, only the literals are evaluated, where
nothing else can be, and only rows of known tables and columns are used.

It works on a copy of the damaged file, in which bad blocks are zeros and the schema is restored. All our databases are
made by the same statements in the same order, so their schemas occupy the same pages. If those are damaged, they are
taken from a new database.
"""
import contextlib
import logging
import os
import re
import resource
import selectors
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.host.prctl import die_with_parent
from agent.store.database import PAGE_B, StoreError
from agent.store.row_check import TableForm, as_written

if TYPE_CHECKING:
    import subprocess

COPY_WITHIN_S = 600
UNREAD_N_MAX = 64           # blocks of 4 KB
HEADER_B = 100
WAL = "-wal"
# How our header begins, apart from a counter in between: magic, page size, WAL mode, no reserve, fractions.
MAGIC = b"SQLite format 3\0" + PAGE_B.to_bytes(2) + bytes((2, 2, 0, 64, 32, 32))
PAGES_N_AT = 28
TOOL = "sqlite3"
WITHIN_S = 1800.0
MEMORY_B = 256 << 20            # of address space; its unit's limit is lower, and counts what is used
LINE_B_MAX = 16 << 20           # a row is far shorter
LOOK_EVERY_S = 1.0
WAIT_S = 10.0                   # for its end, after it has closed its output
COUNTERS = "sqlite_sequence"
# Rows that have lost their table are recognized by their form. That of `event_clip` is also the form of its index, and
# access rights must not be guessed.
NOT_GUESSED = ("event_clip", "browser")

_NAMED = re.compile(r"INSERT OR IGNORE INTO '(\w+)'\(([^()]*)\) VALUES ?(\(.*\));", re.DOTALL)
_LOST = re.compile(r"INSERT INTO lost_and_found VALUES ?(\(.*\));", re.DOTALL)
_FUNCTIONS = ("replace", "char")        # the tool writes line feeds with these

Patience = Callable[[], None]           # called now and then during long work
_BROKEN = (sqlite3.DatabaseError, UnicodeDecodeError)       # the second: SQLite's message contains damaged text

_log = logging.getLogger(__name__)


def copy_damaged(source: Path, target: Path) -> None:
    """Copies the file and its log by another process, because closing a file here would release this process's locks.

    Raises SubprocessError and OSError, and StoreError if more than UNREAD_N_MAX blocks cannot be read: then the card
    fails.
    """
    import subprocess
    for side in ("", WAL):
        if os.path.exists(f"{source}{side}"):
            done = subprocess.run(["dd", f"if={source}{side}", f"of={target}{side}", "bs=4096",
                                   "conv=noerror,sync,excl", "iflag=nofollow,nonblock", "status=noxfer"],
                                  check=True, timeout=COPY_WITHIN_S, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  env={**os.environ, "LC_ALL": "C"})
            if (unread_n := done.stderr.count(b"error reading")) > UNREAD_N_MAX:
                raise StoreError(f"{source}{side}: {unread_n} blocks of it cannot be read: replace the card")


def restore_schema(damaged: Path, fresh: sqlite3.Connection, path: Path) -> None:
    """Restores the schema's pages if they cannot be read, from `fresh`, a new database at `path`. Raises OSError."""
    fresh.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    roots = dict(map(tuple, fresh.execute("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0")))
    if _names(damaged) >= roots.keys():
        return
    pages = path.read_bytes()
    with damaged.open("r+b") as file:
        header = file.read(HEADER_B)
        if header[:16] == MAGIC[:16] and header[16:18] != MAGIC[16:18]:
            return                          # its pages have another size, and are elsewhere
        for number in set(range(1, len(pages) // PAGE_B + 1)) - set(roots.values()):
            file.seek((number - 1) * PAGE_B)
            file.write(pages[(number - 1) * PAGE_B:number * PAGE_B])
        file.seek(PAGES_N_AT)
        file.write(bytes(4))                # unknown: a log has fewer than were copied in whole blocks
        if header.startswith(MAGIC):        # it knows which pages are free
            file.seek(0)
            file.write(header)


def _names(path: Path) -> set[str]:
    """Returns the tables and indexes in its schema; none if that cannot be read."""
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            return {row[0] for row in db.execute("SELECT name FROM sqlite_schema")}
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return set()


@dataclass(slots=True)
class Salvage:
    """Fills `new`. `counters` has the highest numbers found of tables that never reuse one."""

    new: sqlite3.Connection
    forms: Mapping[str, TableForm]      # its tables
    patience: Patience
    rows_n: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    spoiled: set[str] = field(default_factory=set)      # tables with invalid rows

    def by_tool(self, file: Path) -> bool:
        """Saves the rows that SQLite's recovery finds in `file`; False if the tool is missing or did not finish."""
        import subprocess
        if shutil.which(TOOL) is None:
            return False
        with contextlib.closing(_evaluator()) as evaluator:
            try:
                for line in _said_by_tool(file, self.patience):
                    self._read_line(evaluator, line)
            except (OSError, subprocess.SubprocessError) as error:
                _log.error("SQLite's own recovery of %s did not finish: %s", file, error)
                return False
        return True

    def by_reading(self, old: sqlite3.Connection) -> tuple[str, ...]:
        """Reads each table from the front as far as possible, and from the end; returns those that are not whole."""
        with contextlib.suppress(*_BROKEN):
            for name, counter in old.execute(f"SELECT name, seq FROM {COUNTERS}"):
                self._count(name, counter)
        with as_written(old):
            whole = {name for name, form in self.forms.items() if self._read(old, form)}
        return tuple(name for name in self.forms if name not in whole - self.spoiled)

    def _read(self, old: sqlite3.Connection, form: TableForm) -> bool:
        try:
            known = {row[1] for row in old.execute(f"PRAGMA table_info({form.name})")}
        except _BROKEN:
            return False
        columns = [name for name in form.columns if name in known]
        if not columns:
            return False
        for order in ("ASC", "DESC"):
            by = ", ".join(f"{column} {order}" for column in form.keys)
            try:
                for row in old.execute(f"SELECT {', '.join(columns)} FROM {form.name} NOT INDEXED ORDER BY {by}"):
                    self._put(form.name, columns, row)
                return order == "ASC"
            except _BROKEN:
                self.patience()
        return False

    def _read_line(self, evaluator: sqlite3.Connection, line: str) -> None:
        named, lost = _NAMED.fullmatch(line), _LOST.fullmatch(line)
        literals = named[3] if named else lost[1] if lost else None
        if literals is None:
            return
        try:
            values = evaluator.execute(f"VALUES {literals}").fetchone()
        except sqlite3.Error as error:
            _log.debug("a row of the damaged database is not understood: %s", error)
            return
        if lost:
            self._place(*values)
        elif named:
            columns = [name.strip(" '") for name in named[2].split(",")]
            if len(columns) == len(values):
                self._name(named[1], dict(zip(columns, values, strict=True)))

    def _name(self, table: str, row: dict[str, Any]) -> None:
        if table == COUNTERS:
            self._count(row.get("name"), row.get("seq"))
        elif table in self.forms:
            columns = [name for name in self.forms[table].columns if name in row]
            self._put(table, columns, [row[name] for name in columns])

    def _place(self, root: object, page: object, fields_n: int, rowid: object, *cells: object) -> None:
        """Puts a row that has lost its table into the only table that it fits, if there is just one."""
        cells = cells[:fields_n]
        fitting = {name: row for name, form in self.forms.items() if (row := _fitted(form, rowid, cells))}
        if len(fitting) == 1:
            name, row = fitting.popitem()
            if name not in NOT_GUESSED:
                self._put(name, self.forms[name].columns, row)

    def _count(self, table: object, counter: object) -> None:
        if isinstance(table, str) and isinstance(counter, int):
            self.counters[table] = max(counter, self.counters.get(table, 0))

    def _put(self, table: str, columns: Sequence[str], values: Sequence[object]) -> None:
        if self.forms[table].flaw(tuple(columns), (values,)):
            self.spoiled.add(table)
            return
        with contextlib.suppress(sqlite3.IntegrityError):
            self.rows_n += self.new.execute(
                f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
                tuple(values)).rowcount


def _fitted(form: TableForm, rowid: object, cells: Sequence[object]) -> tuple[object, ...] | None:
    """Returns the values of a row that has lost its table; None if it does not fit this one."""
    if len(cells) != len(form.columns) or form.has_rowid != isinstance(rowid, int):
        return None
    values = tuple(rowid if n == form.number else cell for n, cell in enumerate(cells))
    return None if form.flaw(form.columns, (values,)) else values


def _evaluator() -> sqlite3.Connection:
    """Returns a connection to nothing, which evaluates literals and refuses everything else."""
    db = sqlite3.connect(":memory:", isolation_level=None)

    def allow(action: int, _: object, function: str | None, *__: object) -> int:
        literal = action == sqlite3.SQLITE_SELECT or (action == sqlite3.SQLITE_FUNCTION and function in _FUNCTIONS)
        return sqlite3.SQLITE_OK if literal else sqlite3.SQLITE_DENY

    db.set_authorizer(allow)
    return db


def _said_by_tool(file: Path, patience: Patience) -> Iterator[str]:
    """Yields the tool's lines. Raises OSError and SubprocessError if it does not finish in time."""
    import subprocess
    command = (TOOL, "-batch", "-init", os.devnull, str(file), ".recover --ignore-freelist")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env={"PATH": os.environ.get("PATH", os.defpath), "SQLITE_TMPDIR": str(file.parent)},
                          preexec_fn=_bounded) as process:
        try:
            yield from _lines(process, patience)
            if code := process.wait(WAIT_S):
                raise subprocess.CalledProcessError(code, TOOL)
        finally:
            process.kill()


def _bounded() -> None:
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_B, MEMORY_B))


def _lines(process: "subprocess.Popen[bytes]", patience: Patience) -> Iterator[str]:
    """Yields whole lines as they come; a row is one line, because the tool writes line feeds by a function."""
    import subprocess
    assert process.stdout is not None
    until_mono_s, pending = time.monotonic() + WITHIN_S, b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            patience()
            if time.monotonic() > until_mono_s:
                raise subprocess.TimeoutExpired(process.args, WITHIN_S)
            if not selector.select(LOOK_EVERY_S):
                continue
            block = os.read(process.stdout.fileno(), 1 << 16)
            if not block:
                return
            *whole, pending = (pending + block).split(b"\n")
            if len(pending) > LINE_B_MAX:
                raise subprocess.SubprocessError(f"a line of more than {LINE_B_MAX} bytes")
            for line in whole:
                with contextlib.suppress(UnicodeDecodeError):
                    yield line.decode()
