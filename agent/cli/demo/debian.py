"""Files and a broker from Debian packages, without root and without installing them."""
import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Column, DownloadColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from agent.host.prctl import die_with_parent

APT_S = 120
DOWNLOAD_S = 1800
UNPACK_S = 300
OPTIONS = ("-qq", "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1")     # nothing of the system is written
SMALL = ("-o", "Acquire::GzipIndexes=true", "-o", "Acquire::Languages=none")
LISTS_FRESH_S = 86_400

Progress = Callable[[float], None]      # gets how much is done, in the total's unit


class NotToBeHad(Exception):
    """A package can't be fetched here; the text says why."""


class Apt:
    """Runs apt on the machine's own package lists; if they are missing, on private lists in the cache."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._options: list[str] = []

    def needed(self, package: str) -> list[str]:
        """Returns `package` and its dependencies that this machine lacks. Raises NotToBeHad."""
        said = self._ask("install", "--simulate", "--no-install-recommends", package)
        return [line.split()[1] for line in said.splitlines() if line.startswith("Inst ")]

    def fetch(self, packages: Sequence[str], folder: Path) -> list[Path]:
        """Downloads `packages` into `folder` and shows a progress bar. Raises NotToBeHad."""
        listed = self._ask("download", "--print-uris", *packages).splitlines()
        total_b = sum(int(line.split()[2]) for line in listed if line.startswith("'"))
        text = f"fetching {' '.join(packages)} from Debian"
        with bar(text, total_b, in_bytes=True) as progress, _watched(folder, progress):
            self._run("download", *packages, cwd=folder, timeout_s=DOWNLOAD_S)
        return sorted(folder.glob("*.deb"))

    def forget(self) -> None:
        """Removes the private lists, because they are larger than the packages."""
        shutil.rmtree(self._cache / "apt", ignore_errors=True)

    def _ask(self, *words: str) -> str:
        try:
            return self._run(*words, timeout_s=APT_S)
        except NotToBeHad:
            if self._options:
                raise
            self._use_private_lists()
            return self._run(*words, timeout_s=APT_S)

    def _use_private_lists(self) -> None:
        own = self._cache / "apt"
        self._options = ["-o", f"Dir::State::lists={own}/lists", "-o", f"Dir::Cache={own}", *SMALL]
        if any(own.glob("lists/*_InRelease")) and time.time() - (own / "lists").stat().st_mtime < LISTS_FRESH_S:
            return
        for folder in ("lists/partial", "archives/partial"):
            (own / folder).mkdir(parents=True, exist_ok=True)
        with bar("fetching Debian's list of packages", None):
            self._run("update", timeout_s=DOWNLOAD_S)

    def _run(self, *words: str, timeout_s: float, cwd: Path | None = None) -> str:
        command = ["apt-get", *OPTIONS, *self._options, *words]
        try:
            return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=timeout_s,
                                  stdin=subprocess.DEVNULL).stdout
        except FileNotFoundError:
            raise NotToBeHad("this is no Debian system (there is no apt-get)") from None
        except subprocess.CalledProcessError as error:
            raise NotToBeHad((error.stderr.strip() or "apt-get failed").splitlines()[-1]) from None
        except subprocess.TimeoutExpired:
            raise NotToBeHad(f"apt-get {words[0]} took longer than {timeout_s:g} s") from None


@contextlib.contextmanager
def bar(text: str, total: float | None, in_bytes: bool = False) -> Iterator[Progress]:
    """Shows `text` and the progress while the block runs. `total` is None if it is unknown."""
    out = Console(stderr=True)
    if not out.is_terminal:
        out.print(f"{text} ...", soft_wrap=True, highlight=False, markup=False)
        yield lambda _done: None
        return
    amount = DownloadColumn() if in_bytes else TaskProgressColumn()
    with RichProgress(TextColumn("{task.description}", markup=False, table_column=Column(ratio=2)), BarColumn(), amount,
                      TimeRemainingColumn(), console=out, transient=True) as progress:
        task = progress.add_task(text, total=total)
        yield lambda done: progress.update(task, completed=done)


@contextlib.contextmanager
def _watched(folder: Path, progress: Progress) -> Iterator[None]:
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            with contextlib.suppress(OSError):
                progress(sum(path.stat().st_size for path in folder.iterdir()))

    watcher = threading.Thread(target=watch, name="download", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def unpack(package: Path, target: Path) -> None:
    """Unpacks all files of a package below `target`. Raises NotToBeHad."""
    try:
        subprocess.run(["dpkg-deb", "--extract", package, target], check=True, capture_output=True, timeout=UNPACK_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise NotToBeHad(f"{package.name} can't be unpacked ({error})") from None


def extract_file(package: Path, name: str, target: Path) -> None:
    """Writes the file `name` (an absolute path) of a package to `target`. Raises NotToBeHad."""
    part = target.with_name(f"part-{target.name}")
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as stream:
        try:
            with tarfile.open(fileobj=stream.stdout, mode="r|") as archive, part.open("wb") as file:
                member = next(found for found in archive if found.name == f".{name}")
                shutil.copyfileobj(archive.extractfile(member), file)
        except (StopIteration, tarfile.TarError) as error:
            raise NotToBeHad(f"{package.name} has no {name}") from error
        finally:
            stream.kill()
    part.rename(target)


ELSEWHERE = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin")     # not on everybody's PATH
START_S = 10.0
END_S = 3.0


@dataclass(frozen=True, slots=True)
class MosquittoProgram:
    path: Path
    libraries: str = ""         # LD_LIBRARY_PATH, unless they are the system's


def find(cache: Path) -> MosquittoProgram:
    """Returns a mosquitto that runs here; downloads Debian's if it is missing. Raises NotToBeHad."""
    path = os.environ.get("PATH", os.defpath)
    if found := shutil.which("mosquitto", path=os.pathsep.join((path, *ELSEWHERE))):
        return MosquittoProgram(Path(found))
    home = cache / "mosquitto"
    if not (home / "usr/sbin/mosquitto").exists():
        apt = Apt(cache)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            unpacked = Path(folder) / "unpacked"
            for package in apt.fetch(apt.needed("mosquitto"), Path(folder)):
                unpack(package, unpacked)
            shutil.rmtree(home, ignore_errors=True)
            unpacked.rename(home)
    libraries = os.pathsep.join(str(path) for path in (home / "usr/lib").glob("*-linux-gnu*"))
    return MosquittoProgram(home / "usr/sbin/mosquitto", libraries)


class Broker:
    """A running mosquitto on the loopback. No broker in Python will do: amqtt 0.12 does not know MQTT 5."""

    def __init__(self, program: MosquittoProgram, folder: Path, rights: str = "allow_anonymous true\n") -> None:
        """Starts it on a free port; `rights` are lines of its configuration. Raises NotToBeHad."""
        self.port = free_port(0)
        config = folder / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\npersistence false\nuser {getpass.getuser()}\n{rights}")
        environment = os.environ | ({"LD_LIBRARY_PATH": program.libraries} if program.libraries else {})
        self._log = folder / "mosquitto.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program.path, "-c", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                start_new_session=True, preexec_fn=die_with_parent)
        self._wait()

    def _wait(self) -> None:
        until_s = time.monotonic() + START_S
        while time.monotonic() < until_s and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        self.close()
        said = self._log.read_text(errors="replace").strip().splitlines()
        raise NotToBeHad(f"mosquitto does not start: {said[-1] if said else 'it said nothing'}")

    def close(self) -> None:
        end(self._process, END_S)


def end(process: subprocess.Popen[bytes], within_s: float) -> None:
    """Stops a process, and kills it after `within_s`. It may have ended already."""
    process.terminate()
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port(preferred: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
