"""Passes releases from the link to root, and the results back, in files; systemd watches the folders.

Only the link writes to `asked`, only root's program to `told`. Each side checks the other's files.
"""
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from agent.core.contract.facts import RefusedVersion
from agent.core.contract.wire.inbound import Ulid
from agent.core.release import Code, Sha256
from agent.host.clock import Instant
from agent.host.files import read_json, remove, write_durably, write_whole

ASK = "install"             # the file in `asked` that a systemd path unit waits for
WORK = "work.json"          # in `told`, during an update: agent/privileged/update/work.py
REFUSED = "refused.json"    # likewise, after one
FRESH_MS = 60_000
LARGEST_B = 1024
RESULTS_N = 8
FOLDER = "updates"          # in the store: bundles that the link has downloaded
PACKAGE = Path("/usr/lib/taimat")       # dpkg installs the package there; nothing runs from there


class InstallRequest(Struct, frozen=True, kw_only=True):
    """The link's request to install a bundle for a command. `boot` and `mono_ms` say when, so that it expires soon."""

    id: Ulid                # of the command
    sha256: Sha256          # of the bundle, and its name
    boot: str
    mono_ms: int


class Result(Struct, frozen=True, kw_only=True):
    """Root's answer: the outcome of the command."""

    id: str
    version: str | None
    code: Code | None = None            # None: it is installed and works


@dataclass(frozen=True, slots=True)
class UpdateFolders:
    """The two folders."""

    asked: Path = Path("/run/taimat-update")        # tmpfiles makes it for the link
    told: Path = Path("/var/lib/taimat-update")     # the unit makes it for root; all may read

    @property
    def release_keys(self) -> Path:
        """Returns the path of the valid release keys, if a release has changed them: agent/host/command_key.py."""
        return self.told / "release-keys.json"

    def ask(self, command_id: str, sha256: str, now: Instant) -> None:
        """Asks root to install the bundle. Raises OSError."""
        request = InstallRequest(id=command_id, sha256=sha256, boot=now.boot, mono_ms=now.mono_ms)
        write_whole(self.asked / ASK, msgspec.json.encode(request))

    def collect(self, now: Instant) -> InstallRequest | None:
        """Returns a fresh request and deletes it; it must be a plain file of the folder's owner."""
        path = self.asked / ASK
        asked = read_json(path, InstallRequest, LARGEST_B, self.asked.stat().st_uid)
        remove(path)
        return asked if asked and asked.boot == now.boot and 0 <= now.mono_ms - asked.mono_ms <= FRESH_MS else None

    def tell(self, result: Result) -> None:
        """Writes the result for the link, and deletes old results. Raises OSError."""
        results = self.told / "results"
        results.mkdir(mode=0o755, exist_ok=True)
        write_durably(results / f"{result.id}.json", msgspec.json.encode(result), mode=0o644)
        newest_first = sorted(results.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for old in newest_first[RESULTS_N:]:
            old.unlink(missing_ok=True)

    def result(self, command_id: str) -> Result | None:
        """Returns the outcome of the command; None if root has not written one."""
        return read_json(self.told / "results" / f"{command_id}.json", Result)

    def refused(self) -> RefusedVersion | None:
        """Returns the version that did not work, until another one is tried."""
        return read_json(self.told / REFUSED, RefusedVersion)

    def under_way(self) -> bool:
        return (self.told / WORK).exists()


def key_file(setting: str, package: Path = PACKAGE) -> Path:
    """Returns the path of the maker's public key: the one in [update] release_key, else the package's own."""
    return Path(setting) if setting else package / "release.pem"


def bundle(store: Path, sha256: str) -> Path:
    """Returns the path where the link keeps the bundle with this digest."""
    return store / FOLDER / sha256
