"""What makes this recorder one of its ward's: /etc/taimat/ward, with the claim, and key and certificates of each age.

Keys and certificates lie in a folder for each time that they were made. The link `next` leads to the one that is not
complete yet, `current` to the one in force; it comes into force by `next` being renamed, so that a cut leaves one of
the two, whole.
"""
import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.core.contract.enrolment import BUNDLE_B_MAX, BUNDLE_FILE, Bundle, BundleError, claim_digest, parse_bundle
from agent.core.enrolment import Step
from agent.host.files import destroy, open_plain, sync_folder, write_durably, write_whole

KEY, CERT, ROOTS, COMMANDS, RECORD = "device.key", "device.pem", "ca.pem", "command.pem", "enrolment.json"
FOR_ALL, FOR_LINK, FOR_ROOT = 0o644, 0o640, 0o600
FOLDER = 0o755                  # /etc/taimat itself is the roles' alone
GREEN = "green"                 # the ward has heard that all works
STATE = "enrol/state.json"      # in the runtime folder


class WardRecord(msgspec.Struct, kw_only=True, frozen=True):
    """What a recorder remembers of its enrolment: of the bundle all but the secret."""

    dev: str
    ward: str
    ward_name: str
    host: str
    broker_port: int
    door_port: int
    serial: str
    join: bool                  # no household is asked: it is the ward's own
    claim_sha256: str           # of the claim that it was enrolled by
    granted_ms: int             # when its certificate was made, by this machine's clock

    @property
    def called(self) -> str:
        """The ward, for people."""
        return self.ward_name or self.ward


class EnrolState(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """How far the enrolment is, for the page and the doctor."""

    step: Step
    ward: str                   # for people
    code: str = ""              # of a refusal, or of a fault on the way
    detail: str = ""            # for a technician, in English, with the remedy
    wall_ms: int = 0


@dataclass(frozen=True, slots=True)
class WardFolder:
    """Root alone writes it."""

    path: Path = Path("/etc/taimat/ward")

    @property
    def claim(self) -> Path:
        """The bundle, until the recorder is enrolled and its configuration says so."""
        return self.path / BUNDLE_FILE

    @property
    def current(self) -> Path:
        """The link to what is in force."""
        return self.path / "current"

    def bundle(self) -> Bundle | None:
        """The bundle that waits; None where there is none. Raises OSError and BundleError."""
        with contextlib.suppress(FileNotFoundError):
            return read_bundle(self.claim)
        return None

    def record(self) -> WardRecord | None:
        """The enrolment in force; None where there is none."""
        return record_in(self.current)

    def lay(self, data: bytes) -> None:
        """Keep a bundle. Raises OSError."""
        self.path.mkdir(FOLDER, exist_ok=True)
        write_durably(self.claim, data, FOR_ROOT)

    def prepare(self, mark: str, name: str) -> Path:
        """The folder for what comes next, with that mark: the one that an earlier try has begun, or a new one.

        Raises OSError.
        """
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
        """Have what was prepared be the current one, for good; what was before it goes. Raises OSError."""
        os.rename(self.path / "next", self.current)
        sync_folder(self.path)
        self._tidy()

    def _tidy(self) -> None:
        """Remove the folders that no link leads to; a key is written over."""
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


def read_bundle(path: Path) -> Bundle:
    """The bundle in a plain file. Raises OSError and BundleError."""
    return parse(read_small(path))


def read_small(path: Path) -> bytes:
    """A file that may be a bundle; of a larger one too much to be one. Raises OSError."""
    with open(open_plain(path), "rb") as file:
        return file.read(BUNDLE_B_MAX + 1)


def parse(data: bytes) -> Bundle:
    """The bundle. Raises BundleError."""
    if len(data) > BUNDLE_B_MAX:
        raise BundleError(f"it is larger than {BUNDLE_B_MAX} bytes")
    try:
        return parse_bundle(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BundleError("it is no UTF-8 text") from error


def is_of(bundle: Bundle, record: WardRecord | None) -> bool:
    """Whether this recorder was enrolled by this bundle."""
    return record is not None and record.claim_sha256 == claim_digest(bundle.claim)


def record_in(folder: Path) -> WardRecord | None:
    """What the enrolment in that folder is; None for one that was made by hand, or none."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=WardRecord)
    return None


def record_beside(cert: str) -> WardRecord | None:
    """The enrolment that brought the certificate which the settings name."""
    return record_in(Path(cert).parent) if cert else None


def joined_by_card(cert: str) -> str:
    """The ward whose own recorder this is, by its card; "" where a household decides."""
    record = record_beside(cert)
    return record.ward if record and record.join else ""


def show(runtime: Path, state: EnrolState) -> None:
    """Leave word of the enrolment for page and doctor. Raises OSError."""
    (runtime / STATE).parent.mkdir(exist_ok=True)
    write_whole(runtime / STATE, msgspec.json.encode(state))


def shown(runtime: Path) -> EnrolState | None:
    """How far the enrolment is; None where there is none under way, or none was since the boot."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((runtime / STATE).read_bytes(), type=EnrolState)
    return None
