"""Who has a fresh Debian machine, its default user's shell and our packages in the home folder, and types."""
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.machines.debian import index
from tests.rigs.machine.stick import DEBIANS
from tests.systemd.machine import Machine

USER = "pi"
TYPING_S = 480.0               # only a hang reaches it
YES = "y\n" * 9                  # to whatever a command asks


class Typist:
    """At a machine that nobody has touched yet."""

    def __init__(self, machine: Machine, name: str, hosts: str = "") -> None:
        """`name` is the machine's own; `hosts` are lines that stand in for a name server."""
        self.machine = machine
        machine.write("/etc/hostname", f"{name}\n")
        machine.write("/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {name}\n{hosts}")

    def move_in(self, packages: Iterable[Path], debs: Iterable[Path], *beside: str) -> None:
        """Boot, with Debian's packages `debs` in a folder instead of the network, and `beside` of them installed.

        The user may become root; `packages` lie at home.
        """
        root, apt = self.machine.root, "apt-get -qq -o Dpkg::Use-Pty=0"
        index(root / DEBIANS.lstrip("/"), debs)
        for path in (root / "etc/apt/sources.list.d").iterdir():
            path.unlink()
        self.machine.write("/etc/apt/sources.list", f"deb [trusted=yes] file:{DEBIANS} ./\n")
        self.machine.boot()
        self.machine.run("sh", "-c", f"{apt} update && {apt} install sudo {' '.join(beside)} && "
                         f"useradd -m -s /bin/bash -G sudo {USER}", limit_s=TYPING_S)
        self.machine.write(f"/etc/sudoers.d/{USER}", f"{USER} ALL=(ALL) NOPASSWD: ALL\n", 0o440)
        for package in packages:
            shutil.copy(package, self.home)

    @property
    def home(self) -> Path:
        """The user's folder, as this computer sees it."""
        return self.machine.root / "home" / USER

    def type(self, text: str) -> str:
        """Into a login shell; what it says. Fails with the first command that fails."""
        return self.machine.run("runuser", "--login", USER, "-c", f"set -e -o pipefail\n{text}", stdin=YES,
                                limit_s=TYPING_S)
