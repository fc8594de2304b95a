"""What can be had of a damaged database, put into a new one: by SQLite's own recovery, or as far as it can be read.

The recovery is `.recover` of the `sqlite3` command, a bounded process of its own. It prints statements, which are made
of what was found in the file. None of them is carried out: of each line that inserts a row, only the literals are
evaluated, where nothing else can be, and only rows of tables and columns that we know go on.
"""
import contextlib
import logging
import os
import re
import resource
import selectors
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.host.prctl import die_with_parent
from agent.store.row_check import TableForm, as_written

TOOL = "sqlite3"
WITHIN_S = 1800.0
MEMORY_B = 256 << 20            # of addresses; its unit's limit is lower, and counts what is really used
LINE_B_MAX = 16 << 20           # a row is far shorter
LOOK_EVERY_S = 1.0
WAIT_S = 10.0                   # for its end, once it has closed its output
COUNTERS = "sqlite_sequence"
# Rows that lie in no table any more are known by their form. That of `event_clip` is the form of its index, too; and
# who may look is nothing to be guessed at.
NOT_GUESSED = ("event_clip", "browser")

_NAMED = re.compile(r"INSERT OR IGNORE INTO '(\w+)'\(([^()]*)\) VALUES ?(\(.*\));", re.DOTALL)
_LOST = re.compile(r"INSERT INTO lost_and_found VALUES ?(\(.*\));", re.DOTALL)
_FUNCTIONS = ("replace", "char")        # by which the tool writes line feeds

Patience = Callable[[], None]           # called now and then while it takes long
_BROKEN = (sqlite3.DatabaseError, UnicodeDecodeError)       # the second: what SQLite says has some of the damage in it
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Salvage:
    """Fills `new`; `counters` are the highest numbers of tables that never give one twice, where these were found."""

    new: sqlite3.Connection
    forms: Mapping[str, TableForm]      # its tables
    patience: Patience
    rows_n: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    spoiled: set[str] = field(default_factory=set)      # tables of rows that hold what they can't

    def by_tool(self, file: Path) -> bool:
        """All that SQLite's recovery finds in `file`; False where it is not there, or has not come to its end."""
        if shutil.which(TOOL) is None:
            return False
        with contextlib.closing(_evaluator()) as evaluator:
            try:
                for line in _said_by_tool(file, self.patience):
                    self._hear(evaluator, line)
            except (OSError, subprocess.SubprocessError) as error:
                _log.error("SQLite's own recovery of %s did not come to its end: %s", file, error)
                return False
        return True

    def by_reading(self, old: sqlite3.Connection) -> tuple[str, ...]:
        """Each table from the front as far as it goes, and from the end; returns those that are not whole."""
        with contextlib.suppress(*_BROKEN):
            for name, counter in old.execute(f"SELECT name, seq FROM {COUNTERS}"):
                self._count(name, counter)
        with as_written(old):
            whole = {name for name, form in self.forms.items() if self._read(old, form)}
        return tuple(name for name in self.forms if name not in whole - self.spoiled)

    def _read(self, old: sqlite3.Connection, form: TableForm) -> bool:
        known = _columns(old, form.name)
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

    def _hear(self, evaluator: sqlite3.Connection, line: str) -> None:
        named, lost = _NAMED.fullmatch(line), _LOST.fullmatch(line)
        literals = named[3] if named else lost[1] if lost else None
        if literals is None:
            return
        try:
            values = evaluator.execute(f"VALUES {literals}").fetchone()
        except sqlite3.Error as error:
            _log.debug("a row of the damaged database can't be understood: %s", error)
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
        """A row that has lost its table: it goes into the only one that it fits, if there is but one."""
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
        """One row; what is there already is newer, and damage may look like a row."""
        if self.forms[table].flaw(tuple(columns), (values,)):
            self.spoiled.add(table)
            return
        with contextlib.suppress(sqlite3.IntegrityError):
            self.rows_n += self.new.execute(
                f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
                tuple(values)).rowcount


def _fitted(form: TableForm, rowid: object, cells: Sequence[object]) -> tuple[object, ...] | None:
    """The values of a row that has lost its table; None if it can't be of this one."""
    if len(cells) != len(form.columns) or form.has_rowid != isinstance(rowid, int):
        return None
    values = tuple(rowid if n == form.number else cell for n, cell in enumerate(cells))
    return None if form.flaw(form.columns, (values,)) else values


def _columns(old: sqlite3.Connection, table: str) -> set[str]:
    try:
        return {row[1] for row in old.execute(f"PRAGMA table_info({table})")}
    except _BROKEN:
        return set()


def _evaluator() -> sqlite3.Connection:
    """A connection to nothing, which gives values for literals and refuses all else."""
    db = sqlite3.connect(":memory:", isolation_level=None)

    def allow(action: int, _: object, function: str | None, *__: object) -> int:
        literal = action == sqlite3.SQLITE_SELECT or (action == sqlite3.SQLITE_FUNCTION and function in _FUNCTIONS)
        return sqlite3.SQLITE_OK if literal else sqlite3.SQLITE_DENY

    db.set_authorizer(allow)
    return db


def _said_by_tool(file: Path, patience: Patience) -> Iterator[str]:
    """The tool's lines. Raises OSError and SubprocessError where it does not come to its end in time."""
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
    """Runs in the child, before its program."""
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_B, MEMORY_B))


def _lines(process: subprocess.Popen[bytes], patience: Patience) -> Iterator[str]:
    """Whole lines as they come; a row's is one, for the tool writes line feeds by a function."""
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
