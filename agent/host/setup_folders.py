"""How the keeper hands the household's changes to root, and all roles hear what became of them: files, one way each.

The keeper alone writes to `asked`, which nobody else may open: a camera's password may be in a change. Root alone
writes to `told`. Neither believes more of a file than it must.
"""
import contextlib
import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from agent.core.contract.setup import Changes, LastChange, LocalCameras, PairingState, SetupRequest, SetupResult
from agent.host.clock import Instant
from agent.host.files import open_plain, write_whole

FRESH_MS = 120_000
WAITING_MAX_N = 16          # changes that root has not taken yet
LARGEST_B = 65_536
RESULTS_N = 32
CHANGE, PAIRING, FOUND, LAST = "change.", "pairing.json", "found.json", "last.json"
NEWS = "news"               # in either folder: there is something to look at, so that nothing is missed meanwhile

Word = TypeVar("Word")


class NoSetup(Exception):
    """Nobody changes settings here: this is no device, or too much waits."""


@dataclass(frozen=True, slots=True)
class SetupFolders:
    """Where the two meet."""

    asked: Path             # tmpfiles makes it: the keeper's own, 0700
    told: Path              # likewise: root's own, for all roles to read

    @classmethod
    def beside(cls, runtime: Path) -> Self:
        """For a runtime folder: /run/taimat has /run/taimat-setup beside it and /run/taimat/setup in it."""
        return cls(runtime.with_name(f"{runtime.name}-setup"), runtime / "setup")

    def new_id(self, now: Instant) -> str:
        """The id for a change; ids sort by the time of asking, and by who waits within it. Raises NoSetup."""
        if not self.asked.is_dir():
            raise NoSetup(f"{self.asked}: there is no such folder")
        if (before_n := self.waiting_n()) >= WAITING_MAX_N:
            raise NoSetup(f"{WAITING_MAX_N} changes wait for root: see journalctl -u setup-taimat")
        return f"{now.mono_ms:012x}{before_n:02x}{os.urandom(3).hex()}"

    def begin(self) -> None:
        """Root begins to look at files: what changes from now on has it start once more."""
        _remove(self.told / NEWS)

    def hear(self) -> None:
        """Root begins to look at what the keeper says."""
        _remove(self.asked / NEWS)

    def is_called(self) -> bool:
        """Whether the keeper has said anything since. Raises OSError."""
        return bool(self.waiting_n()) or os.path.lexists(self.asked / NEWS)

    def waiting_n(self) -> int:
        """How many changes wait for root. Raises OSError."""
        return len(list(self.asked.glob(f"{CHANGE}*")))

    def ask(self, change_id: str, change: Changes, now: Instant) -> None:
        """Have root make the change. Raises OSError."""
        request = SetupRequest(id=change_id, boot=now.boot, mono_ms=now.mono_ms, change=change)
        write_whole(self.asked / f"{CHANGE}{change_id}", msgspec.json.encode(request), 0o600)

    def collect(self, now: Instant) -> list[tuple[SetupRequest, bool]]:
        """All changes that wait, the first one first, each with whether it is fresh; they are gone then.

        One counts if it is a plain file of the folder's owner that says what its name does. Raises OSError.
        """
        entries = sorted(self.asked.glob(f"{CHANGE}*"))[:WAITING_MAX_N]
        taken = [(entry, self._read_asked(entry, SetupRequest)) for entry in entries]
        for entry in entries:
            _remove(entry)
        return [(asked, asked.boot == now.boot and 0 <= now.mono_ms - asked.mono_ms <= FRESH_MS)
                for entry, asked in taken if asked is not None and entry.name == f"{CHANGE}{asked.id}"]

    def show_pairing(self, state: PairingState) -> None:
        """Tell root what is to be on the screen, if that is news. Raises OSError."""
        if self.pairing() != state:
            write_whole(self.asked / PAIRING, msgspec.json.encode(state), 0o600)
            write_whole(self.asked / NEWS, b"", 0o600)

    def pairing(self) -> PairingState | None:
        """What the keeper wants to be on the screen; None while it has not said so."""
        return self._read_asked(self.asked / PAIRING, PairingState)

    def tell(self, result: SetupResult) -> None:
        """Leave the result for whoever asked, and drop what is long read. Raises OSError."""
        write_whole(self.told / f"{result.id}.json", msgspec.json.encode(result))
        results = sorted(path for path in self.told.glob("*.json") if path.name not in (FOUND, LAST))
        for old in results[:-RESULTS_N]:
            old.unlink(missing_ok=True)

    def result(self, change_id: str) -> SetupResult | None:
        """What became of the change; None while root has not said so, or if there was none."""
        return _read(self.told / f"{change_id}.json", SetupResult) if change_id.isalnum() else None

    def show(self, found: LocalCameras, last: LastChange | None) -> None:
        """Leave word of the cameras on this machine, and of the newest change while it can be undone. Raises OSError.

        What is no news is not written.
        """
        if self.found() != found:
            write_whole(self.told / FOUND, msgspec.json.encode(found))
        if last is None:
            (self.told / LAST).unlink(missing_ok=True)
        elif self.last() != last:
            write_whole(self.told / LAST, msgspec.json.encode(last))

    def found(self) -> LocalCameras | None:
        """The cameras on this machine; None while root has not said so."""
        return _read(self.told / FOUND, LocalCameras)

    def last(self) -> LastChange | None:
        """The newest change, while it can be undone."""
        return _read(self.told / LAST, LastChange)

    def _read_asked(self, path: Path, kind: type[Word]) -> Word | None:
        with contextlib.suppress(OSError):
            return _read(path, kind, self.asked.stat().st_uid)
        return None


def _read(path: Path, kind: type[Word], owner: int | None = None) -> Word | None:
    """What is in a plain file, of that owner, if it is what it should be; else None."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        handle = open_plain(path)
        with open(handle, "rb") as file:
            if owner is not None and os.fstat(handle).st_uid != owner:
                raise PermissionError(errno.EPERM, "belongs to another user", str(path))
            return msgspec.json.decode(file.read(LARGEST_B), type=kind)
    return None


def _remove(entry: Path) -> None:
    """Whatever it is. A folder that is not empty stays, and its name is never a change's."""
    with contextlib.suppress(OSError):
        entry.rmdir() if stat.S_ISDIR(os.lstat(entry).st_mode) else entry.unlink()
