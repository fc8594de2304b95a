"""Passes the household's changes from the keeper to root, and the results from root to all roles, in files.

Only the keeper writes and opens `asked`, because a change may hold a camera's password. Only root writes to `told`.
Each side checks the other's files.
"""
import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from agent.core.contract.setup import Changes, LastChange, LocalCameras, PairingState, SetupRequest, SetupResult
from agent.host.clock import Instant
from agent.host.files import read_json, remove, write_whole

FRESH_MS = 120_000
WAITING_MAX_N = 16          # changes that root has not read yet
LARGEST_B = 65_536
RESULTS_N = 32
CHANGE, PAIRING, FOUND, LAST = "change.", "pairing.json", "found.json", "last.json"
NEWS = "news"               # in either folder: marks something new, so that no change is missed meanwhile

Word = TypeVar("Word")


class NoSetup(Exception):
    """Settings cannot be changed here: this is no device, or too many changes wait."""


@dataclass(frozen=True, slots=True)
class SetupFolders:
    """The two folders."""

    asked: Path             # tmpfiles makes it for the keeper, 0700
    told: Path              # tmpfiles makes it for root; all roles may read

    @classmethod
    def beside(cls, runtime: Path) -> Self:
        """Returns the folders for a runtime folder: for /run/taimat, /run/taimat-setup and /run/taimat/setup."""
        return cls(runtime.with_name(f"{runtime.name}-setup"), runtime / "setup")

    def new_id(self, now: Instant) -> str:
        """Returns an id for a change; ids sort by time, then by the number of changes that wait. Raises NoSetup."""
        if not self.asked.is_dir():
            raise NoSetup(f"{self.asked}: there is no such folder")
        if (before_n := self.waiting_n()) >= WAITING_MAX_N:
            raise NoSetup(f"{WAITING_MAX_N} changes wait for root: see journalctl -u setup-taimat")
        return f"{now.mono_ms:012x}{before_n:02x}{os.urandom(3).hex()}"

    def begin(self) -> None:
        """Marks that root starts to look at files; a later change starts root again."""
        remove(self.told / NEWS)

    def hear(self) -> None:
        """Marks that root starts to look at the keeper's folder."""
        remove(self.asked / NEWS)

    def is_called(self) -> bool:
        """Whether the keeper has written anything since. Raises OSError."""
        return bool(self.waiting_n()) or os.path.lexists(self.asked / NEWS)

    def waiting_n(self) -> int:
        """Returns how many changes wait for root. Raises OSError."""
        return len(list(self.asked.glob(f"{CHANGE}*")))

    def ask(self, change_id: str, change: Changes, now: Instant) -> None:
        """Asks root to make the change. Raises OSError."""
        request = SetupRequest(id=change_id, boot=now.boot, mono_ms=now.mono_ms, change=change)
        write_whole(self.asked / f"{CHANGE}{change_id}", msgspec.json.encode(request), 0o600)

    def collect(self, now: Instant) -> list[tuple[SetupRequest, bool]]:
        """Returns all waiting changes, oldest first, each with whether it is fresh, and deletes them. A change counts
        if it is a plain file of the folder's owner whose id matches its name. Raises OSError."""
        entries = sorted(self.asked.glob(f"{CHANGE}*"))[:WAITING_MAX_N]
        taken = [(entry, self._read_asked(entry, SetupRequest)) for entry in entries]
        for entry in entries:
            remove(entry)
        return [(asked, asked.boot == now.boot and 0 <= now.mono_ms - asked.mono_ms <= FRESH_MS)
                for entry, asked in taken if asked is not None and entry.name == f"{CHANGE}{asked.id}"]

    def show_pairing(self, state: PairingState) -> None:
        """Tells root what to show on the screen, if that has changed. Raises OSError."""
        if self.pairing() != state:
            write_whole(self.asked / PAIRING, msgspec.json.encode(state), 0o600)
            write_whole(self.asked / NEWS, b"", 0o600)

    def pairing(self) -> PairingState | None:
        """Returns what the keeper wants on the screen; None before it has written anything."""
        return self._read_asked(self.asked / PAIRING, PairingState)

    def tell(self, result: SetupResult) -> None:
        """Writes the result for the role that asked, and deletes old results. Raises OSError."""
        write_whole(self.told / f"{result.id}.json", msgspec.json.encode(result))
        results = sorted(path for path in self.told.glob("*.json") if path.name not in (FOUND, LAST))
        for old in results[:-RESULTS_N]:
            old.unlink(missing_ok=True)

    def result(self, change_id: str) -> SetupResult | None:
        """Returns the result of the change; None if root has not written one."""
        return read_json(self.told / f"{change_id}.json", SetupResult, LARGEST_B) if change_id.isalnum() else None

    def show(self, found: LocalCameras, last: LastChange | None) -> None:
        """Writes changes in the list of cameras, and in the newest change that can be undone. Raises OSError."""
        if self.found() != found:
            write_whole(self.told / FOUND, msgspec.json.encode(found))
        if last is None:
            (self.told / LAST).unlink(missing_ok=True)
        elif self.last() != last:
            write_whole(self.told / LAST, msgspec.json.encode(last))

    def found(self) -> LocalCameras | None:
        """Returns the cameras of this machine; None before root has written them."""
        return read_json(self.told / FOUND, LocalCameras, LARGEST_B)

    def last(self) -> LastChange | None:
        return read_json(self.told / LAST, LastChange, LARGEST_B)

    def _read_asked(self, path: Path, kind: type[Word]) -> Word | None:
        with contextlib.suppress(OSError):
            return read_json(path, kind, LARGEST_B, self.asked.stat().st_uid)
        return None
