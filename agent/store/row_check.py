"""What each column may hold, by the schema: types, ranges, UTF-8, JSON. We never write anything else."""
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from agent.core.contract.facts import HealthSample
from agent.core.household.sharing_rules import Kind, State
from agent.store import damage
from agent.store.schema import TABLES

# Milliseconds of a calendar date, and of a machine's or a clip's life; numbers that every JSON reader can hold.
# Neither the sum of two of them nor all bytes of a card exceed SQLite's integers.
DATE, SPAN, NUMBER = (Annotated[int, Meta(ge=-most, le=most)] for most in (240 * 10 ** 12, 1 << 43, (1 << 53) - 1))
KINDS: Mapping[str, Any] = {"TEXT": str, "REAL": Annotated[float, Meta(ge=-1e15, le=1e15)], "BLOB": bytes}
WORDS: Mapping[str, Any] = {"request.kind": Kind, "request.state": State}      # other columns may hold any word
JSON: Mapping[str, Any] = {
    "event.boxes": list[list[float]], "event.zones": list[str], "event.path": list[list[float]],
    "health.samples": list[HealthSample], "outbox.data": dict[str, Any], "deferred.data": dict[str, Any],
    "deferred.events": list[int], "command.answer": dict[str, Any], "signing_request.signatures": dict[str, str]}
EXEMPT = ("ledger", "quarantine")           # taimat verify checks the first; the second is for spoiled messages

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class TableForm:
    """One of our tables: its columns in order, what they may hold, and how a row is recognised."""

    name: str
    columns: tuple[str, ...]
    types: tuple[Any, ...]
    keys: tuple[str, ...]
    number: int | None              # the index of the column that is the row's number
    has_rowid: bool

    @property
    def found_by(self) -> tuple[str, ...]:
        return ("rowid",) if self.has_rowid else self.keys

    def flaw(self, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> str | None:
        """Returns what is wrong with rows of these columns, some maybe of other tables; None if nothing is."""
        shape, texts = _shape(self, columns)
        try:
            msgspec.convert(list(map(tuple, rows)), shape)
            for place, decode in texts:
                for row in rows:
                    if row[place] is not None:
                        decode(row[place])
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
            return f"{self.name}: {error}"
        return None


class SpoiledRow(NamedTuple):
    """A row, by its rowid or its keys, what is wrong with it, and all its values: bytes where text is not UTF-8."""

    form: TableForm
    key: tuple[Any, ...]
    flaw: str
    values: tuple[Any, ...]


@cache
def forms_of(tables: str = TABLES) -> dict[str, TableForm]:
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.executescript(tables)
        made = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        return {name: _form(db, name, sql) for name, sql in made.fetchall()}


def _form(db: sqlite3.Connection, name: str, sql: str) -> TableForm:
    info = db.execute(f"PRAGMA table_info({name})").fetchall()
    keys = [row[0] for row in sorted(info, key=lambda row: row[5]) if row[5]]
    number = keys[0] if len(keys) == 1 and info[keys[0]][2] == "INTEGER" else None
    types = (_type(f"{name}.{column}", kind, bool(needed or key)) for _, column, kind, needed, _, key in info)
    return TableForm(name, tuple(row[1] for row in info), tuple(types), tuple(info[n][1] for n in keys), number,
                     has_rowid="WITHOUT ROWID" not in sql)


def _type(name: str, kind: str, needed: bool) -> Any:
    found = WORDS.get(name, NUMBER if kind == "INTEGER" else KINDS.get(kind))
    if kind == "INTEGER" and name.endswith("_ms"):
        found = SPAN if "mono" in name or "dur" in name else DATE
    return found if needed else found | None


@cache
def _shape(form: TableForm, columns: tuple[str, ...]) -> tuple[Any, list[tuple[int, Callable[[str], Any]]]]:
    types = dict(zip(form.columns, form.types, strict=True))
    row: Any = tuple[tuple(types.get(column, int | float | str | None) for column in columns)]
    return list[row], [(n, msgspec.json.Decoder(JSON[name]).decode) for n, column in enumerate(columns)
                       if (name := f"{form.name}.{column}") in JSON]


def _text(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


@contextlib.contextmanager
def as_written(db: sqlite3.Connection, decode: Callable[[bytes], object] = _text) -> Iterator[None]:
    """Reads text that is not UTF-8 as bytes, or through `decode`, instead of failing."""
    before, db.text_factory = db.text_factory, decode
    try:
        yield
    finally:
        db.text_factory = before


def sound(db: sqlite3.Connection, table: str, query: str,
          values: Sequence[object] | Mapping[str, object] = ()) -> list[Any]:
    """Returns the rows of `table` that the query finds; spoiled ones are skipped and reported. Raises sqlite3.Error."""
    form = forms_of()[table]
    try:
        rows = (cursor := db.execute(query, values)).fetchall()
        if not form.flaw(_names(cursor), rows):
            return rows
    except sqlite3.OperationalError as error:
        if not damage.is_damage(error):
            raise
    with as_written(db):
        rows = (cursor := db.execute(query, values)).fetchall()
    return [row for row in rows if _is_sound(form, _names(cursor), row)]


def _names(cursor: sqlite3.Cursor) -> tuple[str, ...]:
    return tuple(name for name, *_ in cursor.description)


def _is_sound(form: TableForm, columns: tuple[str, ...], row: Sequence[Any]) -> bool:
    if flaw := form.flaw(columns, (row,)):
        _log.error("a row is passed over: %s", flaw)
        damage.meet(ValueError(flaw))
    return not flaw


def spoiled(db: sqlite3.Connection, tables: Mapping[str, TableForm], patience: Callable[[], object] = lambda: None
            ) -> Iterator[SpoiledRow]:
    """Yields all spoiled rows of these tables; use `db` for nothing else meanwhile. Raises sqlite3.Error."""
    for form in (form for form in tables.values() if form.name not in EXEMPT):
        patience()
        with as_written(db):
            for row in db.execute(f"SELECT {', '.join((*form.found_by, *form.columns))} FROM {form.name}"):
                key, held = tuple(row)[:-len(form.columns)], tuple(row)[-len(form.columns):]
                if flaw := form.flaw(form.columns, (held,)):
                    yield SpoiledRow(form, key, flaw, held)
