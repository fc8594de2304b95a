"""Whether a folder lies on the volume where it belongs: a disk that is not mounted leaves an empty folder behind."""
import os
from dataclasses import dataclass
from pathlib import Path

from agent.host.probes import files, mounts

LABELS = ("E:ID_FS_LABEL=", "E:ID_FS_UUID=")     # of systemd-udevd's database, which has them in plain or escaped


@dataclass(frozen=True, slots=True)
class Volume:
    """Where `folder` is to lie: on the file system of this label or UUID, or, where none is named, as fstab wants it.

    `root` is where the kernel's and the system's own files are read.
    """

    folder: Path
    name: str = ""
    root: Path = Path("/")

    def astray(self) -> str:
        """What is wrong, with the remedy; "" when all is well, or nobody can tell."""
        folder = Path(os.path.realpath(self.folder))
        seen = mounts.mounts(self.root)
        here, base = mounts.holding(seen, folder), mounts.holding(seen, Path("/"))
        if here is None or base is None:
            return ""
        if here.device == base.device:
            return self._missing(folder)
        names = self._names(here.device)
        if self.name and names and self.name not in names:
            return (f"the volume mounted at {here.point} is {' or '.join(sorted(names))}, not {self.name}: it is left "
                    "alone; plug in the right one, or name this one under [store] volume")
        return ""

    def _missing(self, folder: Path) -> str:
        if not self.name and not mounts.expects_volume(files.text(self.root / "etc/fstab") or "", folder):
            return ""
        return (f"the volume {self.name or 'of /etc/fstab'} for {folder} is not mounted, and nothing is recorded onto "
                "the system's own card: plug it in and mount it")

    def _names(self, device: str) -> set[str]:
        """Label and UUID of the file system on a block device, as udev noted them; none where it does not run."""
        lines = (files.text(self.root / f"run/udev/data/b{device}") or "").splitlines()
        return {line.partition("=")[2] for line in lines if line.startswith(LABELS)}
