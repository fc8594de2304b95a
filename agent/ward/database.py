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
CONNECT_S = 10                  # we give up a server that does not answer after this;
SILENCE_MS = 30_000             # a silent server, and the server a silent client, after this
TURN = 0x7461696D6174           # "taimat": the lock that a commit holds
NAME_MAX = 96                   # of a device; in a city with its ward before it

_log = logging.getLogger(__name__)

_tables = sql.MetaData()


def _int(name: str, **more: Any) -> sql.Column[int]:
    return sql.Column(name, sql.BigInteger, **{"nullable": False} | more)


def _text(name: str, length: int | None = None, **more: Any) -> sql.Column[str]:
    return sql.Column(name, sql.String(length) if length else sql.Text, **{"nullable": False} | more)


def _number(name: str, **more: Any) -> sql.Column[int]:
    """A primary key that the database counts."""
    return sql.Column(name, sql.BigInteger().with_variant(sql.Integer, "sqlite"), primary_key=True, **more)


NULL, KEY = {"nullable": True}, {"primary_key": True}

# *_ms are UTC by the ward's clock, unless noted.
version = sql.Table("version", _tables, sql.Column("version", sql.Integer, primary_key=True))

device = sql.Table(
    "device", _tables, _text("dev", NAME_MAX, **KEY), _int("first_ms"),
    sql.Column("online", sql.Boolean),                          # null: no status yet
    _text("why", 64, **NULL), _text("boot", 64, **NULL), _int("conn"),
    _int("status_until_ms", **NULL), _int("health_until_ms", **NULL),
    _text("turns"),                                             # JSON: agent.ward.register.BootTurns
    _text("clock", 16, **NULL),
    _text("birth", **NULL), _text("health", **NULL),            # JSON
    _int("health_ms", **NULL), _int("event_ms", **NULL), _text("event_kind", 64, **NULL),
    _int("top"),                                                # highest seq
    _text("holes"))                                             # JSON: [first, last, due_ms, asked_n] each

event = sql.Table(
    "event", _tables, _text("dev", NAME_MAX, **KEY), _int("seq", **KEY),
    _text("kind", 64), _text("boot", 64), _int("mono_ms"), _text("clock", 16),
    _int("time_ms", **NULL),                                    # UTC by the device; null while its clock was unset
    sql.Column("hist", sql.Boolean, nullable=False), _int("taken_ms", index=True),
    _text("message"))                                           # the CloudEvent, whole

health_history = sql.Table(
    "health_history", _tables, _text("dev", NAME_MAX, **KEY),
    _int("slot_ms", **KEY, index=True),                         # start of its five minutes
    _text("message"))

to_city = sql.Table(                                            # events that the city has no receipt for
    "to_city", _tables, _number("id"),                          # as events came
    _text("dev", NAME_MAX), _int("seq"),
    _text("code", 64, **NULL),                                  # why the city will not take it; null while it waits
    sql.UniqueConstraint("dev", "seq"), sqlite_autoincrement=True)

excess = sql.Table(                                             # when a device was last over its share
    "excess", _tables, _text("dev", NAME_MAX, **KEY),
    _text("what", 16, **KEY),                                   # agent.ward.quota.Excess
    _int("at_ms"))

pruned = sql.Table(                                             # seqs of deleted events
    "pruned", _tables, _text("dev", NAME_MAX, **KEY), _int("first", **KEY), _int("last"), _text("boot", 64))

request = sql.Table(                                            # pictures that this ward has asked for
    "request", _tables, _text("id", 26, **KEY),                 # of the command
    _text("dev", 64), _text("kind", 16),                        # clip | snapshot
    _text("cam", 64), _text("case_no", 200), _text("purpose", 32), _text("officer", 200), _text("basis", 200),
    _int("begin_ms", **NULL), _int("end_ms", **NULL),           # the requested time; null for a snapshot
    _int("made_ms", index=True), _int("until_ms"),              # uploads are accepted until then
    _text("command"),                                           # as it was signed: JSON
    _text("state", 16, index=True), _text("code", 64, **NULL),  # agent.ward.requests.State, and why it ended
    _int("told_n", **NULL),                                     # its number at the household
    _int("sent_b", **NULL), _int("total_b", **NULL),            # as the device reports
    _int("bytes", **NULL), _text("sha256", 64, **NULL), _text("manifest", 64, **NULL),      # as it was announced
    _text("certificate", 64, **NULL),                           # the sender's: SHA-256 of its public key, hex
    _text("place", **NULL),                                     # the upload's folder, below the intake's
    _text("receipt", **NULL))                                   # as it was signed: JSON

request_step = sql.Table(                                       # its history: rows are only added
    "request_step", _tables, _number("n", autoincrement=True), _text("request", 26, index=True), _int("at_ms"),
    _text("who", 16),                                           # agent.ward.requests.Who
    _text("what", 32), _text("detail", **NULL))


alarm_seen = sql.Table(                                         # until when an officer has seen a place's alarms
    "alarm_seen", _tables, _text("serial", 64, **KEY), _int("at_ms"), _text("officer", 200))


class DatabaseFault(Exception):
    """The database can't be used; the text is one line with the remedy."""


class UnfitValue(DatabaseFault):
    """The database works, but refuses a value."""


def fault(url: str, error: SQLAlchemyError) -> DatabaseFault:
    kind = UnfitValue if isinstance(error, DataError | IntegrityError) else DatabaseFault
    cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    place = sql.make_url(url).render_as_string(hide_password=True)
    return kind(f"{place}: {cause}; see [database] url, and check that it exists, has room and may be written")


def open_engine(url: str, read_only: bool = False) -> sql.Engine:
    """Connects, and makes the tables if they are missing. Raises DatabaseFault."""
    try:
        engine = _engine(url, read_only)
        with engine.begin() as db:
            if not read_only:
                wait_for_turn(db)
            found = _version(db)
            if found in (None, VERSION) and not read_only:
                _tables.create_all(db)                          # only those that are missing
            if found is None and not read_only:
                db.execute(sql.insert(version).values(version=VERSION))
                found = VERSION
    except SQLAlchemyError as error:
        raise fault(url, error) from error
    except ModuleNotFoundError as error:
        raise DatabaseFault(f"[database] url: {error.name} is not installed: apt install python3-psycopg, or: "
                            "pip install 'psycopg[binary]'") from error
    if found is not None and found > VERSION:
        raise DatabaseFault(f"{engine.url}: was made by a newer Taimat (tables {found}, known up to {VERSION}): "
                            "update this one, or use another database")
    if found is None:
        raise DatabaseFault(f"{engine.url}: no data was received here yet; to begin: taimat ward ingest")
    if found < VERSION:
        raise DatabaseFault(f"{engine.url}: was made by a Taimat from before its first release (tables {found}, known "
                            f"from {VERSION} on): move it to another place, or use another database")
    return engine


@contextmanager
def transaction(engine: sql.Engine) -> Iterator[sql.Connection]:
    """Raises DatabaseFault."""
    try:
        with engine.begin() as db:
            yield db
    except SQLAlchemyError as error:
        raise fault(str(engine.url), error) from error


def wait_for_turn(db: sql.Connection) -> None:
    """Waits for the other ingests, until this transaction ends. A SQLite database has only one ingest."""
    if db.dialect.name == "postgresql":
        db.execute(sql.select(sql.func.pg_advisory_xact_lock(TURN)))


def put(db: sql.Connection, table: sql.Table, rows: Sequence[dict[str, Any]], replace: bool) -> None:
    """Inserts rows; replaces or keeps rows with the same key."""
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
    """SQLite makes no file for a reader, and flushes each commit: a receipt must outlive a power cut."""
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


def _version(db: sql.Connection) -> int | None:
    if not sql.inspect(db).has_table(version.name):
        return None
    return db.execute(sql.select(version.c.version)).scalar()


def while_there(url: str, stop: Stop, work: Callable[[sql.Engine], None], gone: Callable[[], None],
                pause_s: float) -> None:
    """Runs a service's `work` until `stop`; after a fault it calls `gone`, waits `pause_s`, and starts again."""
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
