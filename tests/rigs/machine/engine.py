"""Runs an OCI image as compose.yaml does, by crun: read-only, as its own user, without any right of root's.

crun neither loads images nor keeps volumes, so the archive is unpacked here, and folders take the volumes' places.
"""
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from tests.rigs.wait import HANG_S, until

CAPABILITIES = ("bounding", "effective", "inheritable", "permitted", "ambient")
NAMESPACES = ("pid", "ipc", "uts", "mount", "network")
# crun knows no mix of old and new cgroups; with one kind in sight it leaves them alone, as it is told.
ALONE = 'mount -t cgroup2 none /sys/fs/cgroup && exec "$@"'


def missing() -> str:
    """Why no container runs here, or ""."""
    if os.geteuid():
        return "only root runs containers here"
    return "" if shutil.which("crun") else "crun is missing: apt install crun"


def image(archive: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The configuration in the archive, and what the manifest says of its layers."""
    manifest = _read(archive, _read(archive, "index.json")["manifests"][0]["digest"])
    return _read(archive, manifest["config"]["digest"]), manifest["layers"]


def _read(archive: Path, name: str) -> Any:
    with tarfile.open(archive) as files:
        return json.load(files.extractfile(f"blobs/{name.replace(':', '/')}" if ":" in name else name))


class Container:
    """One container of an image with its volumes; `start` and `stop` may be called again and again."""

    def __init__(self, archive: Path, folder: Path, films: Path) -> None:
        """Unpack the image into `folder`; it sees the folder `films` as /films."""
        about, layers = image(archive)
        self.folder, self._films, self._config = folder, films, about["config"]
        self._process: subprocess.Popen[bytes] | None = None
        self._starts_n = 0
        with tarfile.open(archive) as files:
            for layer in layers:
                name = f"blobs/{layer['digest'].replace(':', '/')}"
                with tarfile.open(fileobj=files.extractfile(name), mode="r:gz") as content:
                    content.extractall(folder / "rootfs", filter="tar", numeric_owner=True)
        (folder / "rootfs/films").mkdir()
        self.user = int(self._config["User"].partition(":")[0])
        for path in self._config["Volumes"]:       # an engine gives a new volume the rights of the image's folder
            volume = self.volume(path)
            volume.mkdir(parents=True)
            os.chown(volume, self.user, self.user)

    def volume(self, path: str) -> Path:
        return self.folder / "volumes" / path.replace("/", "-")

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def start(self) -> None:
        self._starts_n += 1
        (self.folder / "config.json").write_text(json.dumps(self._bundle()))
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(["unshare", "--mount", "sh", "-c", ALONE, "-", *self._crun("run"), "-b",
                                              self.folder, self._name], stdout=log, stderr=log)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command in the container."""
        return subprocess.run([*self._crun("exec"), self._name, *words], capture_output=True, text=True, timeout=HANG_S)

    def healthy(self) -> bool:
        return self.run(*self._config["Healthcheck"]["Test"][1:]).returncode == 0

    def stop(self) -> int:
        """As an engine does it; returns the exit code."""
        subprocess.run([*self._crun("kill"), self._name, self._config["StopSignal"].removeprefix("SIG")], check=True)
        return self._process.wait(HANG_S)

    def __enter__(self) -> "Container":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process and self._process.poll() is None:
            subprocess.run([*self._crun("kill"), self._name, "KILL"])
            until(lambda: self._process.poll() is not None, "the container's end")

    @property
    def _name(self) -> str:
        return f"taimat-{os.getpid()}-{self._starts_n}"

    def _crun(self, verb: str) -> list[str]:
        return ["crun", "--root", str(self.folder / "crun"), "--cgroup-manager=disabled", verb]

    def _bundle(self) -> dict[str, Any]:
        def memory(path: str, *options: str) -> dict[str, Any]:
            return {"destination": path, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", *options]}

        def bind(path: str, source: Path, *options: str) -> dict[str, Any]:
            return {"destination": path, "type": "bind", "source": str(source), "options": ["bind", *options]}

        owner = (f"uid={self.user}", f"gid={self.user}")
        return {
            "ociVersion": "1.0.2", "root": {"path": "rootfs", "readonly": True},
            "process": {"user": {"uid": self.user, "gid": self.user}, "args": self._config["Entrypoint"],
                        "env": self._config["Env"], "cwd": self._config["WorkingDir"], "noNewPrivileges": True,
                        "capabilities": {kind: [] for kind in CAPABILITIES}},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                       {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
                       memory("/tmp", "mode=1777"), memory("/run/taimat", "mode=0750", *owner),
                       bind("/films", self._films, "ro"),
                       *(bind(path, self.volume(path), "rw") for path in self._config["Volumes"])],
            "linux": {"namespaces": [{"type": kind} for kind in NAMESPACES]}}
