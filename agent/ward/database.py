"""The ward's database: its tables, in one SQL for SQLite and PostgreSQL, and its opening."""
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sql
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from agent.host.stop import Stop
from agent.host.systemd import notify

VERSION = 5                     # of the tables; lower ones date from before the first release
CONNECT_S = 10                  # a server that does not answer is given up after this;
SILENCE_MS = 30_000             # one that falls silent after this, and the server gives up a client likewise
TURN = 0x7461696D6174           # "taimat": the lock that a commit holds
NAME_MAX = 96                   # of a device; in a city with its ward before it

_log = logging.getLogger(__name__)

_tables = sql.MetaData()

version = sql.Table("version", _tables, sql.Column("version", sql.Integer, primary_key=True))

device = sql.Table(
    "device", _tables,
    sql.Column("dev", sql.String(NAME_MAX), primary_key=True),
    sql.Column("first_ms", sql.BigInteger, nullable=False),     # *_ms: UTC by the ward's clock
    sql.Column("online", sql.Boolean),                          # null: no status yet
    sql.Column("why", sql.String(64)),
    sql.Column("boot", sql.String(64)),
    sql.Column("conn", sql.BigInteger, nullable=False),
    sql.Column("status_until_ms", sql.BigInteger),
    sql.Column("health_until_ms", sql.BigInteger),
    sql.Column("turns", sql.Text, nullable=False),              # JSON: agent.ward.clones.BootTurns
    sql.Column("clock", sql.String(16)),
    sql.Column("birth", sql.Text),                              # JSON
    sql.Column("health", sql.Text),                             # JSON
    sql.Column("health_ms", sql.BigInteger),
    sql.Column("event_ms", sql.BigInteger),
    sql.Column("event_kind", sql.String(64)),
    sql.Column("top", sql.BigInteger, nullable=False),          # highest seq
    sql.Column("holes", sql.Text, nullable=False))              # JSON: [first, last, due_ms, asked_n] each

event = sql.Table(
    "event", _tables,
    sql.Column("dev", sql.String(NAME_MAX), primary_key=True),
    sql.Column("seq", sql.BigInteger, primary_key=True),
    sql.Column("kind", sql.String(64), nullable=False),
    sql.Column("boot", sql.String(64), nullable=False),
    sql.Column("mono_ms", sql.BigInteger, nullable=False),
    sql.Column("clock", sql.String(16), nullable=False),
    sql.Column("time_ms", sql.BigInteger),                      # UTC by the device; null while its clock was unset
    sql.Column("hist", sql.Boolean, nullable=False),
    sql.Column("taken_ms", sql.BigInteger, nullable=False, index=True),
    sql.Column("message", sql.Text, nullable=False))            # the CloudEvent, whole

health_history = sql.Table(
    "health_history", _tables,
    sql.Column("dev", sql.String(NAME_MAX), primary_key=True),
    sql.Column("slot_ms", sql.BigInteger, primary_key=True, index=True),    # start of its five minutes
    sql.Column("message", sql.Text, nullable=False))

to_city = sql.Table(                                            # events that the city has no receipt for
    "to_city", _tables,
    sql.Column("id", sql.BigInteger().with_variant(sql.Integer, "sqlite"), primary_key=True),   # as events came
    sql.Column("dev", sql.String(NAME_MAX), nullable=False),
    sql.Column("seq", sql.BigInteger, nullable=False),
    sql.Column("code", sql.String(64)),                         # why the city will not take it; null while it waits
    sql.UniqueConstraint("dev", "seq"), sqlite_autoincrement=True)

excess = sql.Table(                                             # when a device was last over its share
    "excess", _tables,
    sql.Column("dev", sql.String(NAME_MAX), primary_key=True),
    sql.Column("what", sql.String(16), primary_key=True),       # agent.ward.quota.Excess
    sql.Column("at_ms", sql.BigInteger, nullable=False))

pruned = sql.Table(                                             # seqs of deleted events
    "pruned", _tables,
    sql.Column("dev", sql.String(NAME_MAX), primary_key=True),
    sql.Column("first", sql.BigInteger, primary_key=True),
    sql.Column("last", sql.BigInteger, nullable=False),
    sql.Column("boot", sql.String(64), nullable=False))

request = sql.Table(                                            # pictures that this ward has asked for
    "request", _tables,
    sql.Column("id", sql.String(26), primary_key=True),         # of the command
    sql.Column("dev", sql.String(64), nullable=False),
    sql.Column("kind", sql.String(16), nullable=False),         # clip | snapshot
    sql.Column("cam", sql.String(64), nullable=False),
    sql.Column("case_no", sql.String(200), nullable=False),
    sql.Column("purpose", sql.String(32), nullable=False),
    sql.Column("officer", sql.String(200), nullable=False),
    sql.Column("basis", sql.String(200), nullable=False),
    sql.Column("begin_ms", sql.BigInteger),                     # the time that is asked for; none for a snapshot
    sql.Column("end_ms", sql.BigInteger),
    sql.Column("made_ms", sql.BigInteger, nullable=False, index=True),
    sql.Column("until_ms", sql.BigInteger, nullable=False),     # uploads are accepted until then
    sql.Column("command", sql.Text, nullable=False),            # as it was signed: JSON
    sql.Column("state", sql.String(16), nullable=False, index=True),    # agent.ward.requests.State
    sql.Column("code", sql.String(64)),                         # why it ended
    sql.Column("told_n", sql.BigInteger),                       # its number at the household
    sql.Column("sent_b", sql.BigInteger),                       # by the device's word
    sql.Column("total_b", sql.BigInteger),
    sql.Column("bytes", sql.BigInteger),                        # of the upload, as it was announced
    sql.Column("sha256", sql.String(64)),
    sql.Column("manifest", sql.String(64)),
    sql.Column("certificate", sql.String(64)),                  # who announced it: SHA-256 of its public key, hex
    sql.Column("place", sql.Text),                              # the upload's folder, below the intake's
    sql.Column("receipt", sql.Text))                            # as it was signed: JSON

request_step = sql.Table(                                       # its history: rows are only added
    "request_step", _tables,
    sql.Column("n", sql.BigInteger().with_variant(sql.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sql.Column("request", sql.String(26), nullable=False, index=True),
    sql.Column("at_ms", sql.BigInteger, nullable=False),
    sql.Column("who", sql.String(16), nullable=False),          # agent.ward.requests.Who
    sql.Column("what", sql.String(32), nullable=False),
    sql.Column("detail", sql.Text))


class DatabaseFault(Exception):
    """The database can't be used; the text is one line with the remedy."""


class UnfitValue(DatabaseFault):
    """The database is well, and does not take a value."""


def fault(url: str, error: SQLAlchemyError) -> DatabaseFault:
    """An error of the database as one line with the remedy."""
    kind = UnfitValue if isinstance(error, DataError | IntegrityError) else DatabaseFault
    cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    place = sql.make_url(url).render_as_string(hide_password=True)
    return kind(f"{place}: {cause}; see [database] url, and whether it is there, has room and may be written")


def open_engine(url: str, read_only: bool = False) -> sql.Engine:
    """Connect, and make the tables if there are none. Raises DatabaseFault."""
    try:
        engine = _engine(url, read_only)
        with engine.begin() as db:
            if not read_only:
                wait_for_turn(db)
            found = _version(db)
            if found is None and not read_only:
                found = _make(db)
    except SQLAlchemyError as error:
        raise fault(url, error) from error
    except ModuleNotFoundError as error:
        raise DatabaseFault(f"[database] url: {error.name} is not installed: apt install python3-psycopg, or: "
                            "pip install 'psycopg[binary]'") from error
    if found is not None and found > VERSION:
        raise DatabaseFault(f"{engine.url}: was made by a newer Taimat (tables {found}, known up to {VERSION}): "
                            "update this one, or use another database")
    if found is None:
        raise DatabaseFault(f"{engine.url}: nothing was taken in here yet; to begin: taimat ward ingest")
    if found < VERSION:
        raise DatabaseFault(f"{engine.url}: was made by a Taimat from before its first release (tables {found}, known "
                            f"from {VERSION} on): move it to another place, or use another database")
    return engine


@contextmanager
def transaction(engine: sql.Engine) -> Iterator[sql.Connection]:
    """One transaction. Raises DatabaseFault."""
    try:
        with engine.begin() as db:
            yield db
    except SQLAlchemyError as error:
        raise fault(str(engine.url), error) from error


def wait_for_turn(db: sql.Connection) -> None:
    """Wait until no other ingest commits; none does until this transaction has ended.

    A SQLite database has one ingest, and needs no such lock.
    """
    if db.dialect.name == "postgresql":
        db.execute(sql.select(sql.func.pg_advisory_xact_lock(TURN)))


def put(db: sql.Connection, table: sql.Table, rows: Sequence[dict[str, Any]], replace: bool) -> None:
    """Insert rows; rows whose key exists are replaced, or left as they are."""
    if not rows:
        return
    dialect: Any = postgresql if db.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(table)
    if replace:
        own = {column.name: insert.excluded[column.name] for column in table.columns if not column.primary_key}
        insert = insert.on_conflict_do_update(index_elements=table.primary_key.columns, set_=own)
    else:
        insert = insert.on_conflict_do_nothing()
    db.execute(insert, list(rows))


def _engine(url: str, read_only: bool) -> sql.Engine:
    """An engine. SQLite makes no file for a reader, and flushes each commit: a receipt must outlive a power cut."""
    place = sql.make_url(url)
    if place.get_backend_name() == "postgresql":
        return sql.create_engine(place.set(drivername="postgresql+psycopg"), pool_pre_ping=True,
                                 connect_args={"connect_timeout": CONNECT_S, "tcp_user_timeout": SILENCE_MS,
                                               "options": f"-c statement_timeout={SILENCE_MS} -c "
                                               f"idle_in_transaction_session_timeout={SILENCE_MS}"})
    if read_only:
        return sql.create_engine(place.set(database=f"file:{place.database}", query={"mode": "ro", "uri": "true"}))
    engine = sql.create_engine(place)

    @sql.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "trusted_schema = OFF"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _make(db: sql.Connection) -> int:
    _tables.create_all(db)
    db.execute(sql.insert(version).values(version=VERSION))
    return VERSION


def _version(db: sql.Connection) -> int | None:
    if not sql.inspect(db).has_table(version.name):
        return None
    return db.execute(sql.select(version.c.version)).scalar()


def while_there(url: str, stop: Stop, work: Callable[[sql.Engine], None], gone: Callable[[], None],
                pause_s: float) -> None:
    """Let a service `work` with the database until `stop`; when that is `gone`, it begins anew after `pause_s`."""
    notify("READY=1")
    while not stop.is_set():
        try:
            engine = open_engine(url)
            try:
                work(engine)
            finally:
                engine.dispose()
        except DatabaseFault as error:
            gone()
            _log.error("%s", error)
            notify("WATCHDOG=1")
            stop.wait(pause_s)
