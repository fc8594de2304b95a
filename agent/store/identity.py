"""This recorder's name at the ward until enrolment gives it a certificate: random, made once, kept for good.

It is a file of the household's folder, which the keeper alone writes and every role reads: a damaged database does not
make the device another one, and no role's row does.
"""
import hashlib
import os
import re
import sqlite3
from pathlib import Path

import msgspec

from agent.core.evidence.ledger import WardIdentity, decode
from agent.host.files import write_durably
from agent.store import ledger, meta
from agent.store.folders import HOUSEHOLD, Folders

FILE = "device"
FORM = re.compile(r"c-[0-9a-f]{12}")
LARGEST_B = 64
AT_WARD = "ward_identity"       # in meta: for who puts an export together; the keeper has it from the certificate
CERTIFICATE, KEY = "certificate.pem", "private.key"      # of the page
UNNAMED = "c-000000000000"      # of a store in which no keeper has ever been at work


def named(store: Path) -> str | None:
    """The name of the device whose store this is; None where it has none yet, or none that is one. Raises OSError."""
    try:
        with (store / HOUSEHOLD / FILE).open("rb") as file:
            text = file.read(LARGEST_B).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    return text if FORM.fullmatch(text) else None


def name(folders: Folders, db: sqlite3.Connection) -> str:
    """The name, which is given now if there is none; the keeper's alone. Raises OSError and sqlite3.Error.

    A file that was lost is made anew from what the ledger calls the device.
    """
    if (known := named(folders.root)) is not None:
        return known
    line = ledger.newest(db)
    row = decode(line.doc) if line else None
    given = row.dev if row and FORM.fullmatch(row.dev) else f"c-{os.urandom(6).hex()}"
    folders.household.mkdir(mode=0o750, exist_ok=True)
    write_durably(folders.household / FILE, given.encode(), mode=0o640)
    return given


def at_ward(db: sqlite3.Connection) -> WardIdentity | None:
    """By which certificate the ward knows this recorder, as the keeper last noted it. Raises sqlite3.Error."""
    return meta.read(db, AT_WARD, WardIdentity)


def put_at_ward(db: sqlite3.Connection, told: WardIdentity | None) -> None:
    """Keep that; the keeper's alone, in the transaction of its act."""
    meta.put(db, AT_WARD, msgspec.json.encode(told).decode())


def page_folder(folders: Folders) -> Path:
    """Where both lie; the page's user alone writes there, and reads the key."""
    return folders.root / "page"


def fingerprint(folders: Folders) -> str | None:
    """SHA-256 of the certificate as browsers show it, "4F:0A:...", or None while there is none, or nobody may look."""
    import ssl  # only here: the keeper has no use for it

    try:
        der = ssl.PEM_cert_to_DER_cert((page_folder(folders) / CERTIFICATE).read_text())
    except (OSError, ValueError):
        return None
    digest = hashlib.sha256(der).hexdigest().upper()
    return ":".join(digest[at:at + 2] for at in range(0, len(digest), 2))
