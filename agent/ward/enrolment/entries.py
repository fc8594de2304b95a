"""What stands in the enrolment book, read and written within one transaction of its."""
import sqlite3
from dataclasses import asdict, dataclass, fields

import msgspec

from agent.core.contract.enrolment import Ready
from agent.ward.enrolment.claims import KnownClaim

VERSION = 1
KEYS_MAX = 16                   # alarms of one claim that are told apart
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
    """Make them, within the transaction that is open."""
    for statement in TABLES.split(";"):
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {VERSION}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePlace:
    """Where a device is to hang, and what it is to have there."""

    serial: str
    site: str = ""
    household: str = ""
    title: str = ""
    cameras: int = 1
    wifi: str = ""
    country: str = "VN"
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
    """Somebody came with a claim that was another's or had been taken back: a card was copied, stolen or found."""

    serial: str
    code: str                   # claim_used | claim_revoked
    peer: str                   # where from, as the proxy saw it
    first_ms: int
    last_ms: int
    times: int


@dataclass(frozen=True, slots=True)
class PlaceEntry:
    """A place with its newest claim, and what its device last told of itself."""

    place: DevicePlace
    claim: KnownClaim | None
    ready_ms: int | None
    ready: Ready | None

    @property
    def dev(self) -> str:
        """The device that hangs there; "" before it is enrolled."""
        return self.claim.dev if self.claim else ""


class Entries:
    """The rows, for as long as the transaction lasts."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Of this connection, whose rows have names."""
        self._db = db

    # what stands there

    def place(self, serial: str) -> DevicePlace | None:
        """The place of that serial number, whatever its case."""
        row = self._db.execute("SELECT * FROM place WHERE serial = ?", (serial,)).fetchone()
        return _place(row) if row else None

    def states(self) -> list[PlaceEntry]:
        """All places by serial number, each with its newest claim."""
        rows = self._db.execute(
            "SELECT place.*, claim.digest, claim.until_ms, claim.key, claim.dev, claim.revoked_ms, at_ms, told "
            "FROM place LEFT JOIN claim ON claim.rowid = (SELECT max(rowid) FROM claim WHERE serial = place.serial) "
            "LEFT JOIN ready ON ready.dev = claim.dev ORDER BY place.serial").fetchall()
        return [PlaceEntry(_place(row), _claim(row) if row["digest"] else None, row["at_ms"],
                           msgspec.json.decode(row["told"], type=Ready) if row["told"] else None) for row in rows]

    def claim(self, digest: str) -> KnownClaim | None:
        """The claim whose secret has that SHA-256."""
        row = self._db.execute("SELECT * FROM claim WHERE digest = ?", (digest,)).fetchone()
        return _claim(row) if row else None

    def newest_claim(self, serial: str) -> KnownClaim | None:
        """The one that counts for a place."""
        row = self._db.execute("SELECT * FROM claim WHERE serial = ? ORDER BY rowid DESC", (serial,)).fetchone()
        return _claim(row) if row else None

    def certificate(self, number: int) -> IssuedCertificate | None:
        """The certificate with that X.509 serial number."""
        row = self._db.execute("SELECT * FROM certificate WHERE number = ?", (f"{number:x}",)).fetchone()
        return _certificate(row) if row else None

    def certificates(self, of: str | None = None) -> list[IssuedCertificate]:
        """Those of a device, by its id or its serial number, or all; as they were made."""
        rows = self._db.execute("SELECT * FROM certificate WHERE ?1 IS NULL OR dev = ?1 OR serial = ?1 ORDER BY rowid",
                                (of,))
        return [_certificate(row) for row in rows]

    def alarms(self) -> list[CloneAlarm]:
        """All, the newest first."""
        rows = self._db.execute("SELECT serial, code, peer, first_ms, last_ms, times FROM alarm "
                                "JOIN claim USING (digest) ORDER BY last_ms DESC")
        return [CloneAlarm(**row) for row in rows]

    # what is written

    def expect(self, place: DevicePlace, digest: str, now_ms: int, until_ms: int) -> list[IssuedCertificate]:
        """Have a device come to this place by a new claim; what counted there before counts no more.

        Returns the certificates that were in force, which the list of the revoked is to name.
        """
        gone = self.revoke(place.serial, "replaced", now_ms)
        names = [each.name for each in fields(DevicePlace)]
        columns, marks = ", ".join(f'"{name}"' for name in names), ", ".join(f":{name}" for name in names)
        own = ", ".join(f'"{name}" = :{name}' for name in names if name != "serial")
        self._db.execute(f"INSERT INTO place ({columns}) VALUES ({marks}) ON CONFLICT (serial) DO UPDATE SET {own}",
                         asdict(place))
        self._db.execute("INSERT INTO claim (digest, serial, made_ms, until_ms) VALUES (?, ?, ?, ?)",
                         (digest, place.serial, now_ms, until_ms))
        return gone

    def grant(self, claim: KnownClaim, key: str, certificate: IssuedCertificate) -> None:
        """The claim has become this device, by this key."""
        self._db.execute("UPDATE claim SET key = ?, dev = ?, used_ms = coalesce(used_ms, ?) WHERE digest = ?",
                         (key, certificate.dev, certificate.made_ms, claim.digest))
        self.add(certificate)

    def add(self, certificate: IssuedCertificate) -> None:
        """A certificate was made."""
        row = asdict(certificate) | {"number": f"{certificate.number:x}"}
        self._db.execute("INSERT INTO certificate VALUES "
                         "(:number, :dev, :serial, :made_ms, :until_ms, :revoked_ms, :why)", row)

    def revoke(self, which: str, why: str, now_ms: int) -> list[IssuedCertificate]:
        """Let a device's claims and certificates count no more; `which` is its id or its serial number.

        Returns the certificates that were in force.
        """
        self._db.execute("UPDATE claim SET revoked_ms = ? WHERE (serial = ? OR dev = ?) AND revoked_ms IS NULL",
                         (now_ms, which, which))
        gone = [each for each in self.certificates(which) if each.revoked_ms is None and each.until_ms > now_ms]
        self._db.executemany("UPDATE certificate SET revoked_ms = ?, why = ? WHERE number = ?",
                             [(now_ms, why, f"{each.number:x}") for each in gone])
        return gone

    def raise_alarm(self, alarm: CloneAlarm, claim: KnownClaim, key: str) -> None:
        """Note who came; of one claim so many keys are told apart, the rest counts as one."""
        known = [row["key"] for row in self._db.execute("SELECT key FROM alarm WHERE digest = ?", (claim.digest,))]
        key = key if key in known or len(known) < KEYS_MAX else "others"
        self._db.execute("INSERT INTO alarm VALUES (?, ?, ?, ?, ?, ?, 1) ON CONFLICT (digest, key) DO UPDATE SET "
                         "last_ms = excluded.last_ms, times = times + 1, peer = excluded.peer, code = excluded.code",
                         (claim.digest, key, alarm.code, alarm.peer, alarm.first_ms, alarm.last_ms))

    def note_ready(self, dev: str, told: Ready, now_ms: int) -> None:
        """What a device tells of itself; the newest counts."""
        self._db.execute("INSERT OR REPLACE INTO ready VALUES (?, ?, ?)",
                         (dev, now_ms, msgspec.json.encode(told).decode()))


def _place(row: sqlite3.Row) -> DevicePlace:
    values = {each.name: row[each.name] for each in fields(DevicePlace)}
    return DevicePlace(**values | {"join": bool(row["join"])})


def _claim(row: sqlite3.Row) -> KnownClaim:
    return KnownClaim(**{each.name: row[each.name] for each in fields(KnownClaim)})


def _certificate(row: sqlite3.Row) -> IssuedCertificate:
    return IssuedCertificate(**dict(row) | {"number": int(row["number"], 16)})
