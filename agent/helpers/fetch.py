"""Fetches a bundle from the ward: `python -m agent.helpers.fetch URL BYTES SHA256 FILE CA CERT KEY`.

The exit code is the outcome. A failed try keeps its part, and the next one continues behind it. A process of its own,
because it may take hours and must not grow in the link's memory.
"""
import contextlib
import os
import re
import shutil
import ssl
import sys
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING

from agent.config.settings import Ward
from agent.host.files import open_plain, rename_durably, sha256
from agent.mqtt.credentials import context
from agent.mqtt.fault import LinkFault

if TYPE_CHECKING:
    import http.client

FETCHED, AGAIN, NEVER, NO_ROOM = 0, 75, 1, 73       # exit codes
SILENCE_S = 60.0                # of the server, or of the line
CHUNK_B = 65_536
SPARE_B = 64 << 20              # of the card, because recording goes on meanwhile
RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)\Z")


class WrongBundle(Exception):
    """The server has another file than the ordered one."""


def fetch(url: str, size_b: int, target: Path, tls: ssl.SSLContext) -> None:
    """Continues `target` up to its size; follows no redirect. Raises OSError, HTTPException and WrongBundle."""
    had_b = target.stat().st_size if target.is_file() else 0
    if had_b == size_b:
        return
    where = urllib.parse.urlsplit(url)
    path = urllib.parse.urlunsplit(("", "", where.path or "/", where.query, ""))
    import http.client
    with contextlib.closing(http.client.HTTPSConnection(where.hostname or "", where.port or 443, timeout=SILENCE_S,
                                                        context=tls)) as server:
        server.request("GET", path, headers={"Range": f"bytes={had_b}-"} if had_b else {})
        answer = server.getresponse()
        at_b = _begins_b(answer, size_b)
        with os.fdopen(open_plain(target, os.O_RDWR | os.O_CREAT), "r+b") as file:
            file.truncate(at_b)
            file.seek(at_b)
            while at_b < size_b and (piece := answer.read(min(CHUNK_B, size_b - at_b))):
                file.write(piece)
                at_b += len(piece)
            file.flush()
            os.fsync(file.fileno())
    if at_b < size_b:
        raise ConnectionError("the line broke")


def _begins_b(answer: "http.client.HTTPResponse", size_b: int) -> int:
    """Returns the position of the answer's body in the bundle. Raises ConnectionError if a later try may work."""
    if answer.status >= 500:
        raise ConnectionError(f"the server answers {answer.status}")
    if answer.status == 206:
        span = RANGE.match(answer.headers.get("Content-Range", ""))
        if span and int(span[2]) == size_b:
            return int(span[1])
    elif answer.status == 200 and answer.headers.get("Content-Length") == str(size_b):
        return 0
    raise WrongBundle(f"the server answers {answer.status}, and has no file of {size_b} bytes there")


def main(argv: list[str]) -> int:
    import http.client
    url, size_b, digest, name, ca, cert, key = argv
    target, part = Path(name), Path(f"{name}.part")
    try:
        target.parent.mkdir(mode=0o750, exist_ok=True)
        if target.exists() and sha256(target) == digest:        # an earlier process ended too late to say so
            return FETCHED
        for old in set(target.parent.iterdir()) - {target, part}:
            old.unlink()
        if shutil.disk_usage(target.parent).free < int(size_b) + SPARE_B:
            print(f"{target.parent}: no room for {int(size_b) >> 20} MB", file=sys.stderr)
            return NO_ROOM
        fetch(url, int(size_b), part, context(Ward(ca=ca, cert=cert, key=key)))
        if sha256(part) != digest:
            part.unlink()
            raise WrongBundle("it is not the bundle that was ordered: its SHA-256 is another")
        rename_durably(part, target)
    except WrongBundle as error:
        print(f"{url}: {error}", file=sys.stderr)
        return NEVER
    except (OSError, http.client.HTTPException, LinkFault) as error:
        print(f"{url}: {error}", file=sys.stderr)
        return AGAIN
    return FETCHED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
