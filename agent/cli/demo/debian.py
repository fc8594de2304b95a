"""Files out of Debian packages without root and without installing them: downloaded by apt, unpacked into a cache."""
import contextlib
import shutil
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.cli.demo.lines import Progress, bar

APT_S = 120
DOWNLOAD_S = 1800
UNPACK_S = 300
OPTIONS = ("-qq", "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1")     # nothing of the system is written
SMALL = ("-o", "Acquire::GzipIndexes=true", "-o", "Acquire::Languages=none")
LISTS_FRESH_S = 86_400


class NotToBeHad(Exception):
    """A package can't be fetched here; the text says why."""


class Apt:
    """apt on the machine's own lists, or, where those are missing, on private ones in the cache."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._options: list[str] = []

    def needed(self, package: str) -> list[str]:
        """`package` and what it needs and this machine has not. Raises NotToBeHad."""
        said = self._ask("install", "--simulate", "--no-install-recommends", package)
        return [line.split()[1] for line in said.splitlines() if line.startswith("Inst ")]

    def fetch(self, packages: Sequence[str], folder: Path) -> list[Path]:
        """Download `packages` into `folder`, with a progress bar. Raises NotToBeHad."""
        listed = self._ask("download", "--print-uris", *packages).splitlines()
        total_b = sum(int(line.split()[2]) for line in listed if line.startswith("'"))
        text = f"fetching {' '.join(packages)} from Debian"
        with bar(text, total_b, in_bytes=True) as progress, _watched(folder, progress):
            self._run("download", *packages, cwd=folder, timeout_s=DOWNLOAD_S)
        return sorted(folder.glob("*.deb"))

    def forget(self) -> None:
        """Remove private lists: they are larger than all that was fetched by them."""
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
        """For a machine whose lists were never fetched, and where we may not fetch them."""
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
def _watched(folder: Path, progress: Progress) -> Iterator[None]:
    """Show how much lies in `folder` while something is downloaded into it."""
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
    """All files of a package below `target`. Raises NotToBeHad."""
    try:
        subprocess.run(["dpkg-deb", "--extract", package, target], check=True, capture_output=True, timeout=UNPACK_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise NotToBeHad(f"{package.name} can't be unpacked ({error})") from None


def extract_file(package: Path, name: str, target: Path) -> None:
    """The one file `name` (absolute) of a package, as `target`. Raises NotToBeHad."""
    part = target.with_name(f"part-{target.name}")
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as stream:
        try:
            with tarfile.open(fileobj=stream.stdout, mode="r|") as archive, part.open("wb") as file:
                member = next(each for each in archive if each.name == f".{name}")
                shutil.copyfileobj(archive.extractfile(member), file)
        except (StopIteration, tarfile.TarError) as error:
            raise NotToBeHad(f"{package.name} has no {name}") from error
        finally:
            stream.kill()
    part.rename(target)
