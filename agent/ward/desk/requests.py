"""The desk's requests: officers make and cancel them, check their files again, and download them as one archive.

One request at a time goes to the broker, because the desk has one account there; the next one waits.
"""
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from agent.core.household.sharing_rules import Kind
from agent.host.clock import Clock
from agent.host.files import sha256
from agent.store.export.archive import Item, zipped
from agent.ward.desk.officers import Officer
from agent.ward.opslink import OpsFault
from agent.ward.request import desk
from agent.ward.request.desk import NotSent, RequestDesk
from agent.ward.requests import PictureRequest, PictureRequests
from agent.ward.settings import Settings
from agent.ward.uploads.check import EXPORT, PICTURE, WITNESSES, Witnesses

PIECE_B = 1 << 20
CHECK_S, CHECK_B_PER_S = 60.0, 20_000_000       # a busy machine and a slow disk
LINE_MAX = 200


class Found(NamedTuple):
    holds: bool
    why: str                # for people, on one line


class _VerifyLine(msgspec.Struct, frozen=True):
    code: str = ""
    says: str = ""
    holds: bool | None = None
    files_n: int = 0
    files_hold_n: int = 0
    heads_compared_n: int = 0


class Parcel:
    """The stored files of one request, below [intake] folder."""

    def __init__(self, shelf: Path, request: PictureRequest) -> None:
        assert request.place is not None
        self._folder, self._request = shelf / request.place, request

    @property
    def name(self) -> str:
        return f"{self._folder.parent.name}-{self._request.id}"

    @property
    def size_b(self) -> int:
        """Raises OSError."""
        return sum(path.stat().st_size for path in self._files())

    def archive(self) -> Iterator[bytes]:
        """Yields a zip archive in pieces. Raises OSError."""
        made_s = int(self._folder.stat().st_mtime)
        items = [Item(str(path.relative_to(self._folder)), path.stat().st_size, _pieces(path))
                 for path in self._files()]
        return zipped(self.name, items, made_s)

    def check(self, key: str | None, heads: dict[int, str]) -> Found:
        """Repeats the intake's check; `key` and `heads` are what the ward knows of the device now. What it knew when
        the upload came counts, too. Raises OSError."""
        if self._request.kind == "snapshot":
            holds = sha256(self._folder / PICTURE) == self._request.sha256
            return Found(holds, "its SHA-256 is the announced one" if holds else "its SHA-256 is another")
        then = self._witnesses()
        words = [f"--head={n}:{head}" for n, head in (then.heads | heads).items()]
        if key := then.key or key:      # it may have another key by now
            words += ["--key", key]
        command = ["nice", sys.executable, "-m", "agent", "verify", "--json", *words, str(self._folder / EXPORT)]
        try:
            done = subprocess.run(command, capture_output=True, check=False,
                                  timeout=CHECK_S + self.size_b / CHECK_B_PER_S)
        except subprocess.TimeoutExpired:
            return Found(False, "the check took too long")
        return _read(done.stdout)

    def _witnesses(self) -> Witnesses:
        try:
            return msgspec.json.decode((self._folder / WITNESSES).read_bytes(), type=Witnesses)
        except (FileNotFoundError, msgspec.DecodeError):        # of an earlier version
            return Witnesses()

    def _files(self) -> list[Path]:
        found = sorted(path for path in self._folder.rglob("*") if path.is_file())
        if not found:
            raise FileNotFoundError(2, "is gone", str(self._folder))
        return found


def _read(output: bytes) -> Found:
    try:
        lines = [msgspec.json.decode(line, type=_VerifyLine) for line in output.splitlines()]
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


BY = "desk"
CHECKED, HOLDS_NOT, HANDED_OUT = "checked", "does not hold", "handed out"
FORMS_N = 1000                  # that were sent; a form that is sent twice makes one request


class OfficersRequests:
    """The methods raise DatabaseFault and, if they sign something, SigningKeyFault."""

    def __init__(self, own: Settings, requests: PictureRequests, clock: Clock) -> None:
        self._own, self._requests, self._clock = own, requests, clock
        self._turn = threading.Lock()
        self._made: OrderedDict[str, str] = OrderedDict()       # by the form, the request's id

    def make(self, kind: Kind, given: Mapping[str, str], once: str, officer: Officer) -> str:
        """Returns the request's id, even if it was not sent. The form `once` makes one request. Raises BadOrder."""
        now = datetime.fromtimestamp(self._clock.now().wall_ms / 1000, UTC)
        wish = desk.read_order(kind, {**given, "officer": officer.person}, now)
        with self._turn:
            if once not in self._made:
                self._made[once] = self._ask(wish, officer)
                if len(self._made) > FORMS_N:
                    self._made.popitem(last=False)
            return self._made[once]

    def cancel(self, request: PictureRequest, officer: Officer) -> None:
        """If the broker is away, the intake informs the device later."""
        with self._turn:
            try:
                self._desk(officer).cancel(request)
            except OpsFault as fault:
                self._note(request, "not told", str(fault))

    def check(self, request: PictureRequest, officer: Officer) -> Found:
        """Checks the stored files again, and notes the result. Raises OSError."""
        found = Parcel(self._shelf, request).check(*self._requests.witnesses(request.dev))
        self._note(request, CHECKED if found.holds else HOLDS_NOT, f"{found.why}: {officer.noted}")
        return found

    def hand_out(self, request: PictureRequest, officer: Officer) -> tuple[str, Iterator[bytes]]:
        """Returns the archive's name and its pieces; notes the download first. Raises OSError."""
        parcel = Parcel(self._shelf, request)
        pieces = parcel.archive()
        self._note(request, HANDED_OUT, officer.noted)
        return parcel.name, pieces

    def _ask(self, wish: desk.RequestOrder, officer: Officer) -> str:
        try:
            return self._desk(officer).ask(wish).id
        except NotSent as fault:
            return fault.request

    def _desk(self, officer: Officer) -> RequestDesk:
        return RequestDesk(self._own, self._requests, self._clock, BY, officer.noted)

    def _note(self, request: PictureRequest, what: str, detail: str) -> None:
        self._requests.note(request.id, BY, what, self._clock.now().wall_ms, detail)

    @property
    def _shelf(self) -> Path:
        return Path(self._own.intake.folder)
