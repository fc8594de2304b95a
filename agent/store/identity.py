"""This recorder's name at the ward until enrolment gives it a certificate, and the certificate of its page.

The name is random, made once and kept. Its file is in the household's folder, which only the keeper writes and every
role reads: neither a damaged database nor a row of another role changes it.
"""
import hashlib
import os
import re
import sqlite3
from pathlib import Path

from agent.core.evidence.ledger.acts import WardIdentity
from agent.core.evidence.ledger.row import decode
from agent.host.files import write_durably
from agent.store import ledger, meta
from agent.store.folders import HOUSEHOLD, Folders

FILE = "device"
FORM = re.compile(r"c-[0-9a-f]{12}")
LARGEST_B = 64
CERTIFICATE, KEY = "certificate.pem", "private.key"      # of the page
UNNAMED = "c-000000000000"      # for a store in which no keeper has ever run


def named(store: Path) -> str | None:
    """Returns the name of the device whose store this is; None if it has none, or an invalid one. Raises OSError."""
    try:
        with (store / HOUSEHOLD / FILE).open("rb") as file:
            text = file.read(LARGEST_B).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    return text if FORM.fullmatch(text) else None


def name(folders: Folders, db: sqlite3.Connection) -> str:
    """Returns the name, or makes it (by the ledger, if there is one). For the keeper. Raises OSError, sqlite3.Error."""
    if (known := named(folders.root)) is not None:
        return known
    line = ledger.newest(db)
    row = decode(line.doc) if line else None
    given = row.dev if row and FORM.fullmatch(row.dev) else f"c-{os.urandom(6).hex()}"
    folders.household.mkdir(mode=0o750, exist_ok=True)
    write_durably(folders.household / FILE, given.encode(), mode=0o640)
    return given


# The certificate by which the ward knows this recorder, for exports; the keeper itself reads the certificate.
at_ward, put_at_ward = meta.stored("ward_identity", WardIdentity)


def page_folder(folders: Folders) -> Path:
    """Returns the folder of the page's certificate and key; only the page's user may write it and read the key."""
    return folders.root / "page"


def fingerprint(folders: Folders) -> str | None:
    """Returns SHA-256 of the page's certificate as browsers show it, "4F:0A:..."; None if it cannot be read."""
    import ssl  # only here, because the keeper does not need it

    try:
        der = ssl.PEM_cert_to_DER_cert((page_folder(folders) / CERTIFICATE).read_text())
    except (OSError, ValueError):
        return None
    digest = hashlib.sha256(der).hexdigest().upper()
    return ":".join(digest[at:at + 2] for at in range(0, len(digest), 2))
