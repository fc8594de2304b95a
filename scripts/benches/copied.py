"""The agent under an interpreter, packages and sources of its own, copied, so that no other process shares their pages.

PSS divides a page among the processes that map it. The bench itself maps av, NumPy, cryptography and the interpreter,
so an agent that runs from the same files seems 12 MB smaller than it is on a device. Interpreter and packages are
copied once into the cache, with the libraries of Debian that they load; only glibc stays shared. The sources are copied
for each run. Bytecode is made beforehand, as a package's installation makes it; the page cache is warm.
"""
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.benches.plan import tell

ROOT = Path(__file__).parents[2]
CACHE = Path.home() / ".cache" / "taimat"
DROWSY_S = 5.0
GLIBC = re.compile(r"/(ld-linux|libc|libm|libmvec|libdl|libpthread|librt|libresolv)[-.]")
SKIPPED = shutil.ignore_patterns("test", "tests", "idlelib", "tkinter", "config-3*linux*", "site-packages",
                                 "dist-packages", "mypy", "ruff*", "*mypyc*", "__pycache__")
ASK = ("import json, os, site, sys, sysconfig\n"
       "print(json.dumps([os.path.realpath(sys.executable), sysconfig.get_path('stdlib'), sys.version,\n"
       "                  [path for path in sys.path if path.endswith('-packages') and os.path.isdir(path)]]))\n")
WARM = ("import agent.capture.main, agent.keeper.main, agent.link.main, agent.web.main, av, cv2, cryptography.x509\n"
        "print(*{line.split()[-1] for line in open('/proc/self/maps') if '.so' in line}, sep='\\n')\n")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python command, and the environment variables with which it runs the agent."""

    command: str
    environment: dict[str, str]


def ordinary(command: str) -> Interpreter:
    """The Python as it is, on the checkout's sources: it shares its files with whatever else runs them."""
    return Interpreter(command, {"PYTHONPATH": str(ROOT)})


@contextlib.contextmanager
def copied(command: str, drowsy: bool = False) -> Iterator[Interpreter]:
    """A copy of this Python with its packages, and of the agent's sources. Raises subprocess.SubprocessError.

    `drowsy`: the page sleeps as under systemd, but after seconds.
    """
    with tempfile.TemporaryDirectory(prefix="taimat-agent-") as folder:
        sources = Path(folder, "sources")
        for part in ("agent", "firmware_cfg"):
            shutil.copytree(ROOT / part, sources / part, ignore=shutil.ignore_patterns("__pycache__"))
        if drowsy:
            file = sources / "agent/web/server/sleep.py"
            file.write_text(re.sub("^QUIET_S = .*$", f"QUIET_S = {DROWSY_S}", file.read_text(), flags=re.MULTILINE))
        home = _environment(command, sources)
        made = _interpreter(home, sources)
        if drowsy:
            made = replace(made, environment=made.environment | {"NOTIFY_SOCKET": f"{folder}/nobody"})
        subprocess.run([made.command, "-m", "compileall", "-q", sources], check=True, env=_beside(made))
        yield made


def _environment(command: str, sources: Path) -> Path:
    """The folder with the copied interpreter and packages, made if it is not there."""
    asked = subprocess.run([command, "-c", ASK], check=True, capture_output=True, text=True).stdout
    program, stdlib, _, packages = json.loads(asked)
    ours = CACHE / f"bench-python-{_digest(command)}"
    home = Path(f"{ours}-{_digest(asked, *(f'{path} {os.stat(path).st_mtime_ns}' for path in packages))}")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "bench-python.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "ready").exists():
            tell(f"copying {command} and its packages to {home} (once)")
            for old in CACHE.glob(f"{ours.name}-*"):        # earlier packages', or one that was not finished
                shutil.rmtree(old)
            _copy(Path(program), Path(stdlib), [Path(path) for path in packages], home)
            _copy_libraries(home, sources)
            made = _interpreter(home, sources)
            compiled = [str(home / "lib"), *sorted(str(path) for path in home.glob("packages-*"))]
            subprocess.run([made.command, "-m", "compileall", "-qq", *compiled], check=False, env=_beside(made))
            (home / "ready").touch()
    return home


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:8]


def _copy(program: Path, stdlib: Path, packages: list[Path], home: Path) -> None:
    (home / "bin").mkdir(parents=True)
    shutil.copy2(program, home / "bin" / "python3")
    shutil.copytree(stdlib, home / "lib" / stdlib.name, ignore=SKIPPED)
    for number, folder in enumerate(packages):
        shutil.copytree(folder, home / f"packages-{number}", ignore=SKIPPED, ignore_dangling_symlinks=True)


def _copy_libraries(home: Path, sources: Path) -> None:
    """The libraries that the roles load from outside, but glibc."""
    (home / "libraries").mkdir()
    made = _interpreter(home, sources)
    told = subprocess.run([made.command, "-c", WARM], check=True, capture_output=True, text=True, env=_beside(made))
    for path in map(Path, told.stdout.split()):
        if home not in path.parents and not GLIBC.search(str(path)):
            shutil.copy2(path, home / "libraries" / path.name)
            for end in re.finditer(r"(?<=\.so)(?=\.)|(?<=\.so\.\d)(?=\.)", path.name):      # its shorter names, too
                with contextlib.suppress(FileExistsError):
                    (home / "libraries" / path.name[:end.start()]).symlink_to(path.name)


def _interpreter(home: Path, sources: Path) -> Interpreter:
    packages = sorted(str(path) for path in home.glob("packages-*"))
    return Interpreter(str(home / "bin" / "python3"), {
        "PYTHONHOME": str(home), "PYTHONPATH": os.pathsep.join([str(sources), *packages]), "PYTHONNOUSERSITE": "1",
        "PYTHONPYCACHEPREFIX": "", "LD_LIBRARY_PATH": str(home / "libraries")})


def _beside(made: Interpreter) -> dict[str, str]:
    return {**os.environ, **made.environment}
