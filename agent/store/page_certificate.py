"""The page's own certificate: where it lies, and its fingerprint, by which people know it again."""
import hashlib
import ssl
from pathlib import Path

from agent.store.folders import Folders

CERTIFICATE, KEY = "certificate.pem", "private.key"


def page_folder(folders: Folders) -> Path:
    """Where both lie; the page's user alone writes there, and reads the key."""
    return folders.root / "page"


def fingerprint(folders: Folders) -> str | None:
    """SHA-256 of the certificate as browsers show it, "4F:0A:...", or None while there is none, or nobody may look."""
    try:
        der = ssl.PEM_cert_to_DER_cert((page_folder(folders) / CERTIFICATE).read_text())
    except (OSError, ValueError):
        return None
    digest = hashlib.sha256(der).hexdigest().upper()
    return ":".join(digest[at:at + 2] for at in range(0, len(digest), 2))
