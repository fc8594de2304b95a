"""A whole Debian machine in a container, booted by systemd itself, with Taimat's units installed.

The agent needs hundreds of megabytes of packages, which this computer has already: `borrow` lets its /usr show through
below the machine's own, in no time and without a download.
"""
import contextlib
import fcntl
import json
import os
import platform
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from agent.core.release import UNITS as UNITS_N
from agent.host import tree
from agent.host.updates import UpdateFolders
from agent.privileged.update.adoption import adopt
from agent.privileged.update.root import Root, execute
from agent.privileged.update.versions import Versions
from agent.store.schema import READABLE_FROM
from tests.rigs.wait import HANG_S, until
from tests.systemd.kept import CACHE, kept

UNITS = Path(__file__).parents[2] / "systemd"
SUITE = "trixie"
PACKAGES = "systemd-sysv,dbus,python3,iproute2"
PYTHON = "/usr/bin/python3"        # the machine's, see `borrow`
CGROUPS = Path("/sys/fs/cgroup")
# Moves itself into the cgroups whose number is its first word, then becomes the command behind them.
INTO = 'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1/cgroup.procs"; shift; n=$((n - 1)); done; exec "$@"'
GENERATORS = "usr/lib/systemd/system-generators"
UPDATES = ("ldconfig.service", "systemd-hwdb-update.service", "systemd-journal-catalog-update.service")
TOOLS = ("systemd-nspawn", "debootstrap", "nsenter")
BOOTED = ("running", "degraded")
ANSWER_S = 20.0            # systemctl of a machine that goes on
REST_S = 480.0              # an installation by apt; only a hang reaches it
RESTARTS = 133              # how systemd-nspawn tells whoever keeps it that the machine wants to be started again


AGENT = Path(__file__).parents[2] / "agent"
INSTALLED = ("usr/lib/taimat", "opt/taimat", "var/lib/taimat-update")


class NoMachine(Exception):
    """No machine can be made here; the message says what is missing."""


def root_image() -> Path:
    """The cached folder with a minimal Debian, made on first use; raises NoMachine."""
    image = CACHE / f"{SUITE}-minbase-{PACKAGES.replace(',', '+')}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)      # two test runs must not build the same image
        if not image.exists():
            part = image.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            made = subprocess.run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, part],
                                  env=_without_python(), capture_output=True, text=True, timeout=600)
            if made.returncode:
                raise NoMachine(f"debootstrap: {made.stdout.strip().rpartition(chr(10))[2]}")
            part.rename(image)
    return image


def _without_python() -> dict[str, str]:
    """This process's environment without what is for its own Python: a machine's has places of its own."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}


def _lay_agent(root: Path, agent: Path, version: str) -> None:
    """Make what a package of this agent lays below `root`, with the byte code that its installation makes there."""
    package = root / "usr/lib/taimat"
    shutil.copytree(agent, package / "agent", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "libraries").mkdir()
    trees = {name: tree.digest(package / name) for name in ("agent", "libraries")}
    needs = {"python": "3.11", "schema": READABLE_FROM, "units": UNITS_N}
    (package / "release.json").write_text(json.dumps(
        {"v": 2, "version": version, "architecture": "amd64", "needs": needs, "trees": trees}))
    doors = UpdateFolders(root / "asked", root / "var/lib/taimat-update")
    adopt(Root(root / "taimat.toml", versions=Versions(execute, root / "opt/taimat"), doors=doors, package=package,
               booted=root / "booted"))
    # On a device the Python that makes the byte code is the one that runs it; here each start would compile anew.
    subprocess.run([PYTHON, "-E", "-m", "compileall", "-q", "-s", root, "-p", "/",
                    root / f"opt/taimat/versions/{version}"], check=True)


class Machine:
    """One boot of a throw-away copy of the image. Use as a context manager; `root` may be filled before `boot`."""

    before: tuple[str, ...] = ()        # a command that starts systemd-nspawn
    options: tuple[str, ...] = ()       # more of systemd-nspawn's

    def __init__(self, folder: Path, root: Path | None = None, stock: Path | None = None) -> None:
        """Lay the copy into `folder`, or have all of `root` for its own instead. Raises NoMachine.

        `stock` is a layer above the image, see stock.py.
        """
        if os.geteuid() != 0:
            raise NoMachine("booting a machine needs root")
        if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
            raise NoMachine(f"{', '.join(missing)}: apt install systemd-container debootstrap util-linux")
        self.root, self._folder, self._is_copy = root or folder / "root", folder, root is None
        if self._is_copy:
            self.root.mkdir()
            self.changes = self._lay(f"{stock}:{root_image()}" if stock else root_image(), self.root)
        self._console = folder / "console.log"
        self._nspawn: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """What systemd-nspawn calls it; two of one name can't run at the same time."""
        return f"taimat-{os.getpid()}-{self._folder.name}"

    @property
    def _cgroups(self) -> list[Path]:
        """Its place among this computer's cgroups: of two machines in one, units of one name get each other's rules."""
        found = []
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, kind, path = line.split(":", 2)
            if kind in ("", "name=systemd"):
                root = CGROUPS / ("systemd" if kind else "unified")
                found.append((root if root.is_dir() else CGROUPS) / path.lstrip("/") / self.name)
        return found

    def _lay(self, below: Path | str, at: Path) -> Path:
        """Mount the folder(s) `below` at `at`; changes go to the folder that it returns. Raises NoMachine."""
        layer = Path(tempfile.mkdtemp(prefix="layer-", dir=self._folder))
        layer.chmod(0o755)
        for name in ("changes", "work"):
            (layer / name).mkdir()
        layers = f"lowerdir={below},upperdir={layer}/changes,workdir={layer}/work"
        mounted = subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, at],
                                 capture_output=True, text=True)
        if mounted.returncode:
            raise NoMachine(mounted.stderr.strip())
        return layer / "changes"

    def borrow(self, *folders: str) -> None:
        """Let folders of this computer show through below the machine's own; before `boot`. Raises NoMachine."""
        mine = platform.freedesktop_os_release().get("VERSION_CODENAME")
        if mine != SUITE:
            raise NoMachine(f"its programs must be of the machine's Debian, {SUITE}; this is {mine}")
        # Of what this computer has installed, nothing is to be started or updated in the machine.
        theirs, ours = ({path.name for path in Path(root, GENERATORS).iterdir()} for root in (root_image(), "/"))
        for path in (*(f"system-generators/{name}" for name in ours - theirs), *(f"system/{name}" for name in UPDATES)):
            mask = self.root / "etc/systemd" / path
            mask.parent.mkdir(exist_ok=True)
            mask.symlink_to("/dev/null")
        for folder in folders:
            self._lay(f"{root_image()}{folder}:{folder}", self.root / folder.lstrip("/"))

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_: object) -> None:
        if self._nspawn:
            self._nspawn.terminate()          # nspawn turns this into an orderly power-off
            try:
                self._nspawn.wait(HANG_S)
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
        for cgroup in self._cgroups:
            for folder in sorted(cgroup.rglob("*/"), reverse=True) + [cgroup]:
                with contextlib.suppress(OSError):      # of one that was never booted there is none
                    folder.rmdir()
        if self._is_copy:
            subprocess.run(["umount", "--lazy", self.root], check=True)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Put a file into the machine, whole at once; folders are made as needed."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        part.write_text(text)
        part.chmod(mode)
        part.rename(target)

    def install(self, agent: Path, version: str = "0.1.0") -> None:
        """Do what the package does: put the units where they belong, and have the folder `agent` run as this version.

        Its libraries are this computer's, see `borrow`.
        """
        shutil.copytree(UNITS, self.root / "usr/lib/systemd/system", dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("taimat.*.conf", "ward"))
        for kind in ("sysusers", "tmpfiles"):
            self.write(f"/usr/lib/{kind}.d/taimat.conf", (UNITS / f"taimat.{kind}.conf").read_text())
        known = f"{version} {tree.digest(agent)} {tree.digest(AGENT)} {Path(__file__).read_text()}"
        laid = kept("installed", known, lambda folder: _lay_agent(folder, agent, version))
        for name in INSTALLED:
            subprocess.run(["cp", "-a", laid / name, (self.root / name).parent], check=True)
        (self.root / "usr/bin/taimat").symlink_to("/opt/taimat/current/bin/taimat")

    def run_at_rest(self, *command: str, check: bool = True) -> str:
        """What a command says to both outputs while the machine is not booted, and has no network.

        Nobody is there to answer a question.
        """
        done = subprocess.run(
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--resolv-conf=off",
             "--pipe", f"--machine={self.name}", "-D", self.root, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
             "LC_ALL=C.UTF-8", "sh", "-c", 'exec "$@" 2>&1', "-", *command],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=REST_S)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def enable(self, *units: str) -> None:
        """Have the units start at boot."""
        subprocess.run(["systemctl", f"--root={self.root}", "enable", "--quiet", *units], check=True)

    def boot(self, enough: tuple[str, ...] = BOOTED) -> None:
        """Start PID 1 and wait until it says that the boot is over, or that it is in one of these states."""
        self._enough, cgroups = enough, self._cgroups
        for cgroup in cgroups:
            cgroup.mkdir(exist_ok=True)
        with self._console.open("wb") as log:
            self._nspawn = subprocess.Popen(
                ["sh", "-c", INTO, "-", str(len(cgroups)), *cgroups, *self.before, "systemd-nspawn", *self.options,
                 "--register=no", "--keep-unit", "--quiet", "--console=pipe", "--private-network",
                 "--system-call-filter=bpf", f"--machine={self.name}", "-D", self.root, "-b"],
                env={**_without_python(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        until(self._is_up, f"boot, see {self._console}")

    def until_restarting(self) -> None:
        """Wait until the machine has gone down to start again; `boot` has it do so."""
        until(lambda: self._nspawn.poll() is not None, "down")
        assert self._nspawn.returncode == RESTARTS, f"it ended with {self._nspawn.returncode}"

    def cut_power(self) -> None:
        """End it as a power cut does: nothing in it gets to know; `boot` starts it again."""
        os.kill(int(self.leader), signal.SIGKILL)
        self._nspawn.wait(HANG_S)

    @property
    def ended(self) -> int | None:
        """With which code systemd-nspawn has ended; None while the machine is on."""
        return self._nspawn.poll()

    @property
    def leader(self) -> str:
        """The process id of its PID 1, as this computer counts; "" while there is none."""
        pid = self._nspawn.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()

    def _is_up(self) -> bool:
        if self._nspawn.poll() is not None:
            raise NoMachine(self._console.read_text().strip()[-300:])
        try:
            return bool(self.leader) and self.run("systemctl", "is-system-running", check=False,
                                                  limit_s=ANSWER_S) in self._enough
        except subprocess.TimeoutExpired:       # a machine that goes down at this very moment may never answer
            return False

    def run(self, *command: str, check: bool = True, stdin: str = "", limit_s: float = HANG_S) -> str:
        """Run a command as root beside the machine's PID 1; its output without the last line end."""
        # `timeout` ends the command, too: one left behind would keep the machine from going down.
        done = subprocess.run(["timeout", "--signal=KILL", str(limit_s), "nsenter", "--all", "--target", self.leader,
                               *command], env=_without_python(), input=stdin, capture_output=True, text=True)
        if done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL):
            raise subprocess.TimeoutExpired(command, limit_s)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def show(self, unit: str, key: str) -> str:
        """One property of a unit, systemctl(1)."""
        return self.run("systemctl", "show", "--value", "--property", key, unit)

    def journal(self, *choice: str) -> str:
        """The text of the journal, or of what journalctl(1)'s options choose from it."""
        self.run("journalctl", "--sync")
        return self.run("journalctl", "--output", "cat", *choice)

    def until(self, unit: str, key: str, value: str) -> None:
        """Wait until a property of a unit has this value."""
        until(lambda: self.show(unit, key) == value, f"{unit} {key}={value}")

    def in_place_of(self, unit: str, program: str) -> dict[str, str]:
        """Run a Python program in the machine once, with the user and sandbox of a unit; returns its JSON output."""
        dropin = f"/run/systemd/system/{unit}.d"
        self.run("sh", "-c", f"mkdir -p {dropin} && printf '[Service]\nType=oneshot\nRestart=no\n"
                 f"ExecStart=\nExecStart=/usr/bin/python3 {program}\n' > {dropin}/95-probe.conf")
        try:
            self.run("systemctl", "daemon-reload")
            self.run("systemctl", "restart", unit)
            invocation = self.show(unit, "InvocationID")
            return json.loads(self.journal(f"_SYSTEMD_INVOCATION_ID={invocation}"))
        finally:
            self.run("sh", "-c", f"rm -r {dropin} && systemctl daemon-reload")
            self.run("systemctl", "restart", unit)
