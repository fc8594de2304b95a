"""What has come of a request, on the ward's shelf: checked anew, and handed out as one archive."""
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from agent.host.files import sha256
from agent.store.export.archive import Item, zipped
from agent.ward.requests import PictureRequest
from agent.ward.uploads.check import EXPORT, PICTURE

PIECE_B = 1 << 20
CHECK_S, CHECK_B_PER_S = 60.0, 20_000_000       # a busy machine and a slow disk
LINE_MAX = 200


class Found(NamedTuple):
    """What a check has found."""

    holds: bool
    why: str                # for people, on one line


class _VerifyLine(msgspec.Struct, frozen=True):
    """A line of `taimat verify --json`: a finding, or at the end what holds."""

    code: str = ""
    says: str = ""
    holds: bool | None = None
    files_n: int = 0
    files_hold_n: int = 0
    heads_compared_n: int = 0


class Parcel:
    """The folder of one request."""

    def __init__(self, shelf: Path, request: PictureRequest) -> None:
        """`shelf` is [intake] folder; the request has its place there."""
        assert request.place is not None
        self._folder, self._request = shelf / request.place, request

    @property
    def name(self) -> str:
        """Of the archive, without its ending."""
        return f"{self._folder.parent.name}-{self._request.id}"

    @property
    def size_b(self) -> int:
        """Of all its files. Raises OSError."""
        return sum(path.stat().st_size for path in self._files())

    def archive(self) -> Iterator[bytes]:
        """A zip archive of it, in pieces. Raises OSError."""
        made_s = int(self._folder.stat().st_mtime)
        items = [Item(str(path.relative_to(self._folder)), path.stat().st_size, _pieces(path))
                 for path in self._files()]
        return zipped(self.name, items, made_s)

    def check(self, key: str | None, heads: dict[int, str]) -> Found:
        """Do anew what the intake did: `key` and `heads` are what the ward knows of the device. Raises OSError."""
        if self._request.kind == "snapshot":
            holds = sha256(self._folder / PICTURE) == self._request.sha256
            return Found(holds, "its SHA-256 is the announced one" if holds else "its SHA-256 is another")
        words = [*(["--key", key] if key else []), *(f"--head={n}:{head}" for n, head in heads.items())]
        command = ["nice", sys.executable, "-m", "agent", "verify", "--json", *words, str(self._folder / EXPORT)]
        try:
            done = subprocess.run(command, capture_output=True, check=False,
                                  timeout=CHECK_S + self.size_b / CHECK_B_PER_S)
        except subprocess.TimeoutExpired:
            return Found(False, "the check took too long")
        return _read(done.stdout)

    def _files(self) -> list[Path]:
        found = sorted(path for path in self._folder.rglob("*") if path.is_file())
        if not found:
            raise FileNotFoundError(2, "is not there any more", str(self._folder))
        return found


def _read(told: bytes) -> Found:
    try:
        lines = [msgspec.json.decode(line, type=_VerifyLine) for line in told.splitlines()]
    except msgspec.DecodeError:
        lines = []
    if not lines or lines[-1].holds is None:
        return Found(False, "the check came to no end")
    last, first = lines[-1], lines[0]
    if not last.holds:
        return Found(False, f"{first.code}: {first.says}"[:LINE_MAX])
    return Found(True, f"{last.files_hold_n} of {last.files_n} files hold; {last.heads_compared_n} of its rows are "
                       "known from health reports, and agree")


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_B):
            yield piece
