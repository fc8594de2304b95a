"""The enrolment book: the claim, certificates and alarms of each place, in one SQLite file in the authority's folder.

It has no secrets: a claim's SHA-256, a Wi-Fi's name. It has no write-ahead log, so that users without write access to
the folder can read it. Each change is flushed before it is answered, so the book knows every certificate that a device
has.
"""
import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, structs

from agent.config.settings import Title
from agent.core.contract.enrolment import Ready, Serial, Site
from agent.ward.authority.issuer import AuthorityFault

VERSION = 1
LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z"
KEYS_MAX = 16                   # keys in a claim's alarms; others count as one
TABLES = """
CREATE TABLE place (serial TEXT PRIMARY KEY COLLATE NOCASE, site TEXT NOT NULL, household TEXT NOT NULL,
    title TEXT NOT NULL, cameras INTEGER NOT NULL, wifi TEXT NOT NULL, country TEXT NOT NULL, board TEXT NOT NULL,
    sensor TEXT NOT NULL, "join" INTEGER NOT NULL) STRICT;
CREATE TABLE claim (digest TEXT PRIMARY KEY, serial TEXT NOT NULL COLLATE NOCASE REFERENCES place,
    made_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, key TEXT NOT NULL DEFAULT '', dev TEXT NOT NULL DEFAULT '',
    used_ms INTEGER, revoked_ms INTEGER) STRICT;
CREATE INDEX claim_serial ON claim (serial);
CREATE TABLE certificate (number TEXT PRIMARY KEY, dev TEXT NOT NULL, serial TEXT NOT NULL COLLATE NOCASE,
    made_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, revoked_ms INTEGER, why TEXT NOT NULL DEFAULT '') STRICT;
CREATE INDEX certificate_dev ON certificate (dev);
CREATE INDEX certificate_serial ON certificate (serial);
CREATE TABLE alarm (digest TEXT NOT NULL REFERENCES claim, key TEXT NOT NULL, code TEXT NOT NULL, peer TEXT NOT NULL,
    first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, times INTEGER NOT NULL, PRIMARY KEY (digest, key)) STRICT;
CREATE TABLE ready (dev TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, told TEXT NOT NULL) STRICT;
"""


def tables(db: sqlite3.Connection) -> None:
    for statement in TABLES.split(";"):
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {VERSION}")


@dataclass(frozen=True, slots=True)
class KnownClaim:
    """A claim as the book has it: only the SHA-256 of its secret."""

    digest: str
    serial: str
    until_ms: int
    key: str = ""               # SHA-256 of the key that has used it; "": none has
    dev: str = ""               # the device that it has become
    revoked_ms: int | None = None


class DevicePlace(Struct, kw_only=True, frozen=True):
    """Where a device will hang, and its equipment."""

    serial: Serial
    site: Site = ""
    household: Annotated[str, Meta(max_length=80, pattern=LINE, description="without line breaks")] = ""
    title: Title = ""
    cameras: Annotated[int, Meta(ge=0, le=32)] = 1
    wifi: Annotated[str, Meta(max_length=32, pattern=LINE, description="without line breaks")] = ""
    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z", description="two capital letters, as VN")] = "VN"
    board: str = ""
    sensor: str = ""
    join: bool = False          # a camera of the ward's own


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCertificate:
    """A device's certificate. *_ms are UTC by the ward's clock."""

    number: int                 # its X.509 serial number
    dev: str
    serial: str                 # of the place
    made_ms: int
    until_ms: int
    revoked_ms: int | None = None
    why: str = ""               # it was revoked


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneAlarm:
    """A claim was used by a second device or after it was revoked: a card was copied, stolen or found."""

    serial: str
    code: str                   # claim_used | claim_revoked
    peer: str                   # where from, as the proxy saw it
    first_ms: int
    last_ms: int
    times: int


@dataclass(frozen=True, slots=True)
class PlaceEntry:
    place: DevicePlace
    claim: KnownClaim | None
    ready_ms: int | None
    ready: Ready | None

    @property
    def dev(self) -> str:
        """The id of the device there; "" before it is enrolled."""
        return self.claim.dev if self.claim else ""


class Entries:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    # what stands there

    def place(self, serial: str) -> DevicePlace | None:
        row = self._db.execute("SELECT * FROM place WHERE serial = ?", (serial,)).fetchone()
        return _place(row) if row else None

    def states(self) -> list[PlaceEntry]:
        rows = self._db.execute(
            "SELECT place.*, claim.digest, claim.until_ms, claim.key, claim.dev, claim.revoked_ms, at_ms, told "
            "FROM place LEFT JOIN claim ON claim.rowid = (SELECT max(rowid) FROM claim WHERE serial = place.serial) "
            "LEFT JOIN ready ON ready.dev = claim.dev ORDER BY place.serial").fetchall()
        return [PlaceEntry(_place(row), _claim(row) if row["digest"] else None, row["at_ms"],
                           msgspec.json.decode(row["told"], type=Ready) if row["told"] else None) for row in rows]

    def claim(self, digest: str) -> KnownClaim | None:
        row = self._db.execute("SELECT * FROM claim WHERE digest = ?", (digest,)).fetchone()
        return _claim(row) if row else None

    def newest_claim(self, serial: str) -> KnownClaim | None:
        row = self._db.execute("SELECT * FROM claim WHERE serial = ? ORDER BY rowid DESC", (serial,)).fetchone()
        return _claim(row) if row else None

    def certificate(self, number: int) -> IssuedCertificate | None:
        row = self._db.execute("SELECT * FROM certificate WHERE number = ?", (f"{number:x}",)).fetchone()
        return _certificate(row) if row else None

    def certificates(self, of: str | None = None) -> list[IssuedCertificate]:
        """Those of a device, by its id or serial number, or all, in the order of issue."""
        rows = self._db.execute("SELECT * FROM certificate WHERE ?1 IS NULL OR dev = ?1 OR serial = ?1 ORDER BY rowid",
                                (of,))
        return [_certificate(row) for row in rows]

    def alarms(self) -> list[CloneAlarm]:
        """Newest first, without those from before the place's newest claim: a new card was the answer to them."""
        rows = self._db.execute(
            "SELECT serial, code, peer, first_ms, last_ms, times FROM alarm JOIN claim USING (digest) WHERE last_ms >= "
            "(SELECT made_ms FROM claim AS newest WHERE newest.serial = claim.serial ORDER BY rowid DESC LIMIT 1) "
            "ORDER BY last_ms DESC")
        return [CloneAlarm(**row) for row in rows]

    # what is written

    def expect(self, place: DevicePlace, digest: str, now_ms: int, until_ms: int) -> list[IssuedCertificate]:
        """Replaces what was valid at this place by a new claim; returns the certificates to revoke."""
        gone = self.revoke(place.serial, "replaced", now_ms)
        names = DevicePlace.__struct_fields__
        columns, marks = ", ".join(f'"{name}"' for name in names), ", ".join(f":{name}" for name in names)
        own = ", ".join(f'"{name}" = :{name}' for name in names if name != "serial")
        self._db.execute(f"INSERT INTO place ({columns}) VALUES ({marks}) ON CONFLICT (serial) DO UPDATE SET {own}",
                         structs.asdict(place))
        self._db.execute("INSERT INTO claim (digest, serial, made_ms, until_ms) VALUES (?, ?, ?, ?)",
                         (digest, place.serial, now_ms, until_ms))
        return gone

    def grant(self, claim: KnownClaim, key: str, certificate: IssuedCertificate) -> None:
        """Notes that the device with this key has used the claim."""
        self._db.execute("UPDATE claim SET key = ?, dev = ?, used_ms = coalesce(used_ms, ?) WHERE digest = ?",
                         (key, certificate.dev, certificate.made_ms, claim.digest))
        self.add(certificate)

    def add(self, certificate: IssuedCertificate) -> None:
        row = asdict(certificate) | {"number": f"{certificate.number:x}"}
        self._db.execute("INSERT INTO certificate VALUES "
                         "(:number, :dev, :serial, :made_ms, :until_ms, :revoked_ms, :why)", row)

    def revoke(self, which: str, why: str, now_ms: int) -> list[IssuedCertificate]:
        """Revokes a device's claims and certificates; returns the certificates that were valid."""
        self._db.execute("UPDATE claim SET revoked_ms = ? WHERE (serial = ? OR dev = ?) AND revoked_ms IS NULL",
                         (now_ms, which, which))
        gone = [each for each in self.certificates(which) if each.revoked_ms is None and each.until_ms > now_ms]
        self._db.executemany("UPDATE certificate SET revoked_ms = ?, why = ? WHERE number = ?",
                             [(now_ms, why, f"{each.number:x}") for each in gone])
        return gone

    def raise_alarm(self, alarm: CloneAlarm, claim: KnownClaim, key: str) -> None:
        """Notes an alarm. Beyond KEYS_MAX keys of one claim, all others count as one."""
        known = [row["key"] for row in self._db.execute("SELECT key FROM alarm WHERE digest = ?", (claim.digest,))]
        key = key if key in known or len(known) < KEYS_MAX else "others"
        self._db.execute("INSERT INTO alarm VALUES (?, ?, ?, ?, ?, ?, 1) ON CONFLICT (digest, key) DO UPDATE SET "
                         "last_ms = excluded.last_ms, times = times + 1, peer = excluded.peer, code = excluded.code",
                         (claim.digest, key, alarm.code, alarm.peer, alarm.first_ms, alarm.last_ms))

    def note_ready(self, dev: str, ready: Ready, now_ms: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO ready VALUES (?, ?, ?)",
                         (dev, now_ms, msgspec.json.encode(ready).decode()))


def _place(row: sqlite3.Row) -> DevicePlace:
    values = {name: row[name] for name in DevicePlace.__struct_fields__}
    return DevicePlace(**values | {"join": bool(row["join"])})


def _claim(row: sqlite3.Row) -> KnownClaim:
    return KnownClaim(**{each.name: row[each.name] for each in fields(KnownClaim)})


def _certificate(row: sqlite3.Row) -> IssuedCertificate:
    return IssuedCertificate(**dict(row) | {"number": int(row["number"], 16)})


FILE = "enrolment.db"
FOR_READERS = 0o640             # the folder's group
WAIT_S = 10.0                   # for the change of another process


class BookFault(AuthorityFault):
    """The enrolment book can't be used; the text is one line with the remedy."""


class EnrolmentBook:
    """The book in the authority's folder. Each use opens it again, so a restored book counts at once."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    @contextlib.contextmanager
    def change(self) -> Iterator[Entries]:
        """One transaction, during which no one else changes the book. Raises BookFault."""
        with self._opened("rwc") as db:
            db.execute("BEGIN IMMEDIATE")
            if not _version(db):
                tables(db)
                self._hand_over()
            try:
                yield Entries(db)
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    @contextlib.contextmanager
    def look(self) -> Iterator[Entries]:
        """A reader's view of the book at this moment. Raises BookFault."""
        if not self.path.exists():
            raise BookFault(f"{self.path}: no device has been enrolled yet; to begin: taimat ward enrol")
        with self._opened("ro") as db:
            db.execute("BEGIN")
            yield Entries(db)

    @contextlib.contextmanager
    def _opened(self, mode: str) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode={mode}", uri=True,
                                                    isolation_level=None, timeout=WAIT_S)) as db:
                for pragma in ("synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
                    db.execute(f"PRAGMA {pragma}")
                if (found := _version(db)) > VERSION:
                    raise BookFault(f"{self.path}: was made by a newer Taimat (tables {found}, known up to {VERSION}): "
                                    "update this one")
                db.row_factory = sqlite3.Row
                yield db
        except sqlite3.Error as error:
            raise BookFault(f"{self.path}: {error}; check that its folder exists (taimat ward init), has room, and "
                            "belongs to this user (sudo); taimat ward restore replaces a broken one") from error

    def _hand_over(self) -> None:
        """Gives a new book that root has made to the folder's owner, because the door writes it and is not root."""
        os.chmod(self.path, FOR_READERS)
        if os.geteuid() == 0:
            folder = self.path.parent.stat()
            os.chown(self.path, folder.st_uid, folder.st_gid)


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
