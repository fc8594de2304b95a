"""How the link hands a release to root, and hears what became of it: files, one each way, and systemd between them.

The link may write to `asked` alone, root's program to `told` alone; neither believes more of a file than it must.
"""
import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from agent.core.contract.wire.inbound import Ulid
from agent.core.release import Code, Sha256
from agent.host.clock import Instant
from agent.host.files import open_plain, write_durably, write_whole

ASK = "install"             # the file's name in `asked`, which a systemd path unit waits for
WORK = "work.json"          # in `told`, while an update is under way: agent/cli/update/work.py
FRESH_MS = 60_000
LARGEST_B = 1024
RESULTS_N = 8
FOLDER = "updates"          # in the store: bundles that the link has fetched
PACKAGE = Path("/usr/lib/taimat")       # where dpkg lays the package; nothing runs from there


class InstallRequest(Struct, frozen=True, kw_only=True):
    """The link's word: this bundle, for that command. `boot` and `mono_ms` say when, so that it is void soon."""

    id: Ulid                # of the command
    sha256: Sha256          # of the bundle, by which it is called
    boot: str
    mono_ms: int


class Result(Struct, frozen=True, kw_only=True):
    """Root's word: what became of the command."""

    id: str
    version: str | None
    code: Code | None = None            # None: it is installed, and works


@dataclass(frozen=True, slots=True)
class UpdateFolders:
    """Where the two meet."""

    asked: Path = Path("/run/taimat-update")        # tmpfiles makes it: the link's own
    told: Path = Path("/var/lib/taimat-update")     # the unit makes it: root's own, for all to read

    @property
    def release_keys(self) -> Path:
        """The release keys in force, once a release has changed them: agent/host/command_key.py."""
        return self.told / "release-keys.json"

    def ask(self, command_id: str, sha256: str, now: Instant) -> None:
        """Have root install the bundle. Raises OSError."""
        request = InstallRequest(id=command_id, sha256=sha256, boot=now.boot, mono_ms=now.mono_ms)
        write_whole(self.asked / ASK, msgspec.json.encode(request))

    def collect(self, now: Instant) -> InstallRequest | None:
        """What is asked for just now; the request is gone then. It counts if it is the folder's owner's plain file."""
        path = self.asked / ASK
        try:
            asked = _read(path, self.asked.stat().st_uid)
        finally:
            with contextlib.suppress(OSError):
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        fresh = asked is not None and asked.boot == now.boot and 0 <= now.mono_ms - asked.mono_ms <= FRESH_MS
        return asked if fresh else None

    def tell(self, result: Result) -> None:
        """Leave the result for the link, and drop what is long read. Raises OSError."""
        results = self.told / "results"
        results.mkdir(mode=0o755, exist_ok=True)
        write_durably(results / f"{result.id}.json", msgspec.json.encode(result), mode=0o644)
        newest_first = sorted(results.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for old in newest_first[RESULTS_N:]:
            old.unlink(missing_ok=True)

    def result(self, command_id: str) -> Result | None:
        """What became of the command; None while root has not said so."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode((self.told / "results" / f"{command_id}.json").read_bytes(), type=Result)
        return None

    def under_way(self) -> bool:
        """Whether root is at it just now."""
        return (self.told / WORK).exists()


def key_file(setting: str, package: Path = PACKAGE) -> Path:
    """Where the maker's public key is: as [update] release_key says, else the one of whoever made the package."""
    return Path(setting) if setting else package / "release.pem"


def bundle(store: Path, sha256: str) -> Path:
    """Where the link keeps the bundle with this digest."""
    return store / FOLDER / sha256


def _read(path: Path, owner: int) -> InstallRequest | None:
    with contextlib.suppress(OSError, msgspec.DecodeError):
        handle = open_plain(path)
        try:
            if os.fstat(handle).st_uid == owner:
                return msgspec.json.decode(os.read(handle, LARGEST_B), type=InstallRequest)
        finally:
            os.close(handle)
    return None
