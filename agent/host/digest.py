"""Reads a file's digest without filling the page cache."""
import hashlib
import os
from pathlib import Path

from agent.host.files import open_plain

CHUNK_B = 1 << 20


def sha256(path: Path) -> str:
    """Returns the file's SHA-256 in hex and drops its pages from the cache. Raises OSError."""
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
