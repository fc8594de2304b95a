"""The digest of a file, read without pushing anything else out of memory."""
import hashlib
import os
from pathlib import Path

from agent.host.files import open_plain

CHUNK_B = 1 << 20


def sha256(path: Path) -> str:
    """The file's SHA-256, hex; its pages are given back to the system while reading. Raises OSError."""
    digest = hashlib.sha256()
    handle = open_plain(path)
    try:
        offset = 0
        while chunk := os.read(handle, CHUNK_B):
            digest.update(chunk)
            os.posix_fadvise(handle, offset, len(chunk), os.POSIX_FADV_DONTNEED)
            offset += len(chunk)
    finally:
        os.close(handle)
    return digest.hexdigest()
