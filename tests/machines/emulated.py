"""A Pi-like machine in QEMU: four Cortex-A53, 512 MB, Debian 13 arm64 under systemd, whose power can be cut.

QEMU interprets every instruction, so it is several times slower than a board, and more so beside other work. Booted
`by_instructions`, its clock follows what it has executed, one nanosecond each: about the speed of one core of a Pi Zero
2 W, which has four. Other work here lengthens only its waits for the disk; cameras and network seem faster to it.
"""
import os
import shlex
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from tests.machines.debian import index
from tests.machines.guest import Guest
from tests.rigs.wait import free_port, until

MEMORY_MB, CORES_N = 512, 4
STICK_SPARE_MB = 32
BOOT_S, RUN_S = 1800, 1800
HOST = "10.0.2.2"                       # this computer's loopback, as the machine sees it
KERNEL = "root=/dev/vda console=ttyAMA0 quiet loglevel=4 mitigations=off audit=0"
SSH = ("-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
       "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=120", "-o", "ServerAliveInterval=30",
       "-o", "KexAlgorithms=curve25519-sha256", "-o", "Ciphers=chacha20-poly1305@openssh.com")


class NotWell(Exception):
    """A command in the machine failed; the message has its words."""


class Emulated:
    """One such machine with a card of its own. A context manager: its power goes at the end."""

    def __init__(self, folder: Path, guest: Guest, memory_mb: int = MEMORY_MB) -> None:
        """Lay its card into `folder`, whose name must be short: a socket lies in it."""
        self._folder, self._guest, self._memory_mb = folder, guest, memory_mb
        self._qemu: subprocess.Popen[bytes] | None = None
        self._ssh_port, self.page_port = free_port(), free_port()
        for image in (guest.card, guest.boot):
            subprocess.run(["cp", "--sparse=always", image, folder], check=True)

    def stick(self, debs: list[Path]) -> None:
        """Plug a stick with these packages in, before `boot`: apt finds them at /media/stick."""
        content = self._folder / "stick"
        shutil.rmtree(content, ignore_errors=True)
        index(content, debs)
        size_mb = sum(path.stat().st_size for path in content.iterdir()) * 11 // 10 // (1 << 20) + STICK_SPARE_MB
        with (self._folder / "stick.img").open("wb") as image:
            image.truncate(size_mb << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", "stick", "-d", content, self._folder / "stick.img"],
                       check=True)

    @property
    def console(self) -> str:
        """All that the serial console has shown."""
        return (self._folder / "console.log").read_text(errors="replace")

    def boot(self, by_instructions: bool = False) -> None:
        """Give it power, and wait until its door is open."""
        drives = [path for name in ("card.img", "boot.img", "stick.img") if (path := self._folder / name).exists()]
        clock = ["-icount", "shift=0,sleep=on"] if by_instructions else []
        threads = "single" if by_instructions else "multi"
        forwards = f"hostfwd=tcp:127.0.0.1:{self._ssh_port}-:22,hostfwd=tcp:127.0.0.1:{self.page_port}-:443"
        with (self._folder / "qemu.log").open("ab") as log:
            self._qemu = subprocess.Popen(
                ["qemu-system-aarch64", "-accel", f"tcg,thread={threads},tb-size=512", *clock, "-M", "virt",
                 "-cpu", "cortex-a53", "-smp", str(CORES_N), "-m", str(self._memory_mb), "-nodefaults",
                 "-display", "none", "-kernel", self._guest.kernel, "-initrd", self._guest.ramdisk, "-append", KERNEL,
                 "-chardev", f"file,id=console,path={self._folder}/console.log,append=on", "-serial", "chardev:console",
                 *(word for path in drives for word in ("-drive", f"file={path},format=raw,if=virtio,cache=writeback")),
                 "-device", "virtio-rng-pci", "-netdev", f"user,id=net,{forwards}",
                 "-device", "virtio-net-pci,netdev=net,romfile="],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        until(self._answers, f"ssh; see {self._folder}/console.log", BOOT_S)

    def run(self, command: str, stdin: bytes = b"", check: bool = True, limit_s: float = RUN_S) -> str:
        """A shell command as root; its output without the last line end. Raises NotWell."""
        done = subprocess.run(["ssh", *self._door(), "root@127.0.0.1", command], input=stdin, capture_output=True,
                              timeout=limit_s)
        if check and done.returncode:
            raise NotWell(f"{command}: {(done.stdout + done.stderr).decode(errors='replace')[-2000:]}")
        return done.stdout.decode(errors="replace").rstrip("\n")

    def put(self, path: str, data: bytes) -> None:
        """Write a file there."""
        self.run(f"cat > {shlex.quote(path)}", stdin=data)

    def cut_power(self) -> None:
        """End it as a power cut does; `boot` gives power again."""
        if self._qemu:
            self._qemu.send_signal(signal.SIGKILL)
            self._qemu.wait()
            self._qemu = None
        subprocess.run(["ssh", *self._door(), "-O", "exit", "root@127.0.0.1"], capture_output=True)

    def reboot(self) -> None:
        """Restart in order, and wait until its door is open again."""
        before = self.run("cat /proc/sys/kernel/random/boot_id")
        self.run("systemctl reboot", check=False)
        subprocess.run(["ssh", *self._door(), "-O", "exit", "root@127.0.0.1"], capture_output=True)
        until(lambda: self._answers() and self.run("cat /proc/sys/kernel/random/boot_id", check=False)
              not in ("", before), "the next boot", BOOT_S)

    def _door(self) -> list[str | os.PathLike[str]]:
        return ["-p", str(self._ssh_port), "-i", self._guest.key, *SSH,
                "-o", "ControlMaster=auto", "-o", "ControlPersist=yes", "-o", f"ControlPath={self._folder}/ssh"]

    def _answers(self) -> bool:
        if self._qemu is None or self._qemu.poll() is not None:
            raise NotWell(f"QEMU ended: {(self._folder / 'qemu.log').read_text()[-500:]}")
        try:
            with socket.create_connection(("127.0.0.1", self._ssh_port), 5) as door:
                door.settimeout(5)
                return door.recv(4) == b"SSH-"
        except OSError:
            return False

    def __enter__(self) -> "Emulated":
        return self

    def __exit__(self, *_: object) -> None:
        self.cut_power()
