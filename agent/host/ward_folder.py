"""The recorder's membership in a ward: /etc/taimat/ward, with the claim, keys and certificates.

Each issue of key and certificate has its own folder. The link `next` points to the incomplete one, `current` to the
valid one. Renaming `next` makes it valid, so a power cut leaves one of the two, whole.
"""
import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.core.contract.enrolment import BUNDLE_B_MAX, BUNDLE_FILE, Bundle, BundleError, claim_digest, parse_bundle
from agent.core.enrolment import Step
from agent.host.files import destroy, read_json, read_plain, sync_folder, write_durably, write_whole

KEY, CERT, ROOTS, COMMANDS, RECORD = "device.key", "device.pem", "ca.pem", "command.pem", "enrolment.json"
FOR_ALL, FOR_LINK, FOR_ROOT = 0o644, 0o640, 0o600
FOLDER = 0o755                  # only the roles may enter /etc/taimat itself
GREEN = "green"                 # the ward knows that all works
STATE = "enrol/state.json"      # in the runtime folder


class WardRecord(msgspec.Struct, kw_only=True, frozen=True):
    """A recorder's record of its enrolment: the bundle without the secret."""

    dev: str
    ward: str
    ward_name: str
    host: str
    broker_port: int
    door_port: int
    serial: str
    join: bool                  # the ward owns the recorder, so no household is asked
    claim_sha256: str           # of the claim that enrolled it
    granted_ms: int             # when its certificate was made, by this machine's clock

    @property
    def called(self) -> str:
        return self.ward_name or self.ward


class EnrolState(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The progress of the enrolment, as page and doctor show it."""

    step: Step
    ward: str                   # for people
    code: str = ""              # of a refusal or an error
    detail: str = ""            # for a technician, in English, with the remedy
    wall_ms: int = 0


@dataclass(frozen=True, slots=True)
class WardFolder:
    """Only root writes it."""

    path: Path = Path("/etc/taimat/ward")

    @property
    def claim(self) -> Path:
        """Returns the path of the bundle, which exists until the recorder is enrolled and its configuration says so."""
        return self.path / BUNDLE_FILE

    @property
    def current(self) -> Path:
        return self.path / "current"

    def bundle(self) -> Bundle | None:
        """Returns the waiting bundle, or None. Raises OSError and BundleError."""
        with contextlib.suppress(FileNotFoundError):
            return parse(read_small(self.claim))
        return None

    def record(self) -> WardRecord | None:
        return record_in(self.current)

    def save(self, data: bytes) -> None:
        """Stores a bundle. Raises OSError."""
        self.path.mkdir(FOLDER, exist_ok=True)
        write_durably(self.claim, data, FOR_ROOT)

    def prepare(self, mark: str, name: str) -> Path:
        """Returns the folder for the next issue with that mark: an earlier attempt's, or a new one. Raises OSError."""
        begun = self.path / "next"
        with contextlib.suppress(OSError):
            if (begun / "mark").read_text() == mark:
                return begun.resolve()
        folder = self.path / f"{name}-{os.urandom(2).hex()}"
        folder.mkdir(FOLDER)
        write_durably(folder / "mark", mark.encode())
        _link(begun, folder.name)
        self._tidy()
        return folder

    def put_in_force(self) -> None:
        """Makes the prepared folder the current one, durably, and deletes the old one. Raises OSError."""
        os.rename(self.path / "next", self.current)
        sync_folder(self.path)
        self._tidy()

    def _tidy(self) -> None:
        kept = {os.readlink(link) for link in (self.current, self.path / "next") if link.is_symlink()}
        for folder in self.path.iterdir():
            if folder.is_dir() and not folder.is_symlink() and folder.name not in kept:
                destroy(folder / KEY)
                shutil.rmtree(folder)


def _link(path: Path, target: str) -> None:
    draft = path.with_name(f".{path.name}")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    os.rename(draft, path)
    sync_folder(path.parent)


def read_small(path: Path) -> bytes:
    """Reads a file that may be a bundle, up to one byte above the limit. Raises OSError."""
    return read_plain(path, BUNDLE_B_MAX + 1)


def parse(data: bytes) -> Bundle:
    """Returns the bundle in `data`. Raises BundleError."""
    if len(data) > BUNDLE_B_MAX:
        raise BundleError(f"it is larger than {BUNDLE_B_MAX} bytes")
    try:
        return parse_bundle(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BundleError("it is not UTF-8 text") from error


def is_of(bundle: Bundle, record: WardRecord | None) -> bool:
    """Whether this recorder was enrolled by this bundle."""
    return record is not None and record.claim_sha256 == claim_digest(bundle.claim)


def record_in(folder: Path) -> WardRecord | None:
    """Returns the enrolment in that folder; None without one, or for one made by hand."""
    return read_json(folder / RECORD, WardRecord)


def record_beside(cert: str) -> WardRecord | None:
    """Returns the enrolment that issued the certificate named in the settings."""
    return record_in(Path(cert).parent) if cert else None


def joined_by_card(cert: str) -> str:
    """Returns the ward that owns this recorder; "" if a household decides."""
    record = record_beside(cert)
    return record.ward if record and record.join else ""


def show(runtime: Path, state: EnrolState) -> None:
    """Writes the state of the enrolment for the page and the doctor. Raises OSError."""
    (runtime / STATE).parent.mkdir(exist_ok=True)
    write_whole(runtime / STATE, msgspec.json.encode(state))


def shown(runtime: Path) -> EnrolState | None:
    """Returns the state of the enrolment; None before the first one since boot."""
    return read_json(runtime / STATE, EnrolState)
