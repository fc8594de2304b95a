"""The paths in a store's folder."""
import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from agent.host.probes.volume import Volume
from agent.store.database import StoreError
from agent.store.names import CLIPS_A_FOLDER

HOUSEHOLD = "household"                 # Folders.household
COMMAND_KEYS = "command-keys.json"      # in `household`: the ward's keys in force


class VolumeMissing(StoreError):
    """The volume to record onto is missing, or another one is there; the text names the remedy."""


class SubPath:
    """A folder or file in the store, called like the attribute."""

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    def __get__(self, folders: "Folders", _: type) -> Path:
        return folders.root / self._name


@dataclass(frozen=True, slots=True)
class Folders:
    """The paths of one store. Names come from rows, which any role may write, so none may lead out of its folder."""

    root: Path
    volume: Volume | None = None        # the volume that it has to be on; None: any

    clips = SubPath()         # finished clips and open parts, in folders of a thousand
    thumbs = SubPath()        # one JPEG per event
    ballast = SubPath()       # a file to be deleted first: a database on a full card cannot delete anything
    household = SubPath()     # the household's decisions, for all roles to read; on a device only the keeper writes it
    cameras = SubPath()       # facts about network cameras, such as certificates; on a device only capture writes it
    keys = SubPath()          # the keeper's own, which no other role may enter: the key that signs the ledger
    exports = SubPath()       # what the household has released: the only footage that the link may read

    def thumb(self, name: str) -> Path:
        return self.thumbs / _plain(name)

    def export(self, request_id: str, kind: str) -> Path:
        """The file that goes to the ward for this request: an export as a tar archive, or a picture."""
        return self.exports / f"{_plain(request_id)}.{'jpg' if kind == 'snapshot' else 'tar'}"

    def clip(self, seq: int, name: str) -> Path:
        return self.clips / f"{seq // CLIPS_A_FOLDER:06d}" / f"{_plain(name)}.mp4"

    def part(self, seq: int, name: str) -> Path:
        """The clip's file while it is being written, or as a power cut left it."""
        return self.clips / f"{seq // CLIPS_A_FOLDER:06d}" / f"{_plain(name)}.mp4.part"

    def lock(self, unit: str) -> Path:
        return self.root / f"{unit}.lock"

    def create(self) -> "Folders":
        """Raises StoreError."""
        try:
            self.root.mkdir(mode=0o770, parents=True, exist_ok=True)
            for folder, mode, peer in ((self.clips, 0o770, self.thumbs), (self.thumbs, 0o770, self.clips),
                                       (self.exports, 0o750, None), (self.household, 0o750, None)):
                if peer and peer.is_dir() and not folder.is_dir():
                    _make_beside(peer, folder)
                else:
                    folder.mkdir(mode=mode, exist_ok=True)
        except OSError as error:
            remedy = "make room there" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make the folder"
            raise StoreError(f"{error.filename}: {error.strerror}; {remedy} or choose another one under [store] folder"
                             ) from error
        return self

    def require_volume(self) -> None:
        """Raises VolumeMissing unless the store is on its volume; to be called before lasting data is written."""
        if self.volume is not None and (trouble := self.volume.astray()):
            raise VolumeMissing(trouble)

    def require_writable(self) -> None:
        """For roles that write clips. Raises StoreError with the remedy. A read-only card is no error here: it may
        recover, and until then the roles report it."""
        for folder in (self.clips, self.thumbs):
            read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
            if not read_only and not os.access(folder, os.W_OK | os.X_OK):
                raise StoreError(f"{folder} can't be written by user {os.geteuid()}: "
                                 f"change its owner or choose another one under [store] folder")


@dataclass(slots=True)
class VolumeGuard:
    """Checks repeatedly that a store is still on its volume, at the cost of one call."""

    folders: Folders
    _device: int | None = None      # on which the right volume was found

    def check(self, anew: bool = False) -> None:
        """Raises VolumeMissing. Reads the mounts at first, if `anew`, and if the folder's device has changed."""
        try:
            device = os.stat(self.folders.root).st_dev
        except OSError:
            device = None
        if anew or device is None or device != self._device:
            self._device = None
            self.folders.require_volume()
            self._device = device


def _make_beside(peer: Path, folder: Path) -> None:
    """Makes a folder for the users of `peer` only, or none if this user cannot give it to them. Raises OSError."""
    model = peer.stat()
    folder.mkdir(mode=0o700)
    try:
        os.chown(folder, -1, model.st_gid)
        folder.chmod(stat.S_IMODE(model.st_mode))
    except PermissionError:
        folder.rmdir()


def _plain(name: str) -> str:
    """Returns the name, or "_" for one that leads elsewhere. It does not raise: a bad row must not stop its reader."""
    return "_" if "/" in name or "\0" in name or name.startswith(".") else name
