"""The Python in which the real picamera2 runs here: Debian's own 3.13 with libcamera, picamera2 from PyPI on top.

Made once and cached; needs root, once, to show libcamera its virtual camera.
"""
import fcntl
import shutil
import subprocess
from pathlib import Path

CACHE = Path.home() / ".cache" / "taimat"
CAMERAS = Path("/usr/share/libcamera/pipeline/virtual/virtual.yaml")
SYSTEM_PYTHON = "/usr/bin/python3"
FROM_DEBIAN = {"libcamera": "python3-libcamera", "prctl": "python3-prctl"}
FROM_PYPI = {"picamera2": "picamera2", "av": "av", "numpy": "numpy", "msgspec": "msgspec",
             "cv2": "opencv-python-headless"}
WHEELS = ("av", "opencv-python-headless")       # what our packages for devices bring along, Debian's being far larger


class NoPicamera(Exception):
    """picamera2 can't run on this machine; the message says what is missing."""


def python(wheels: bool = False) -> Path:
    """The interpreter, made on first use; with `wheels`, one whose memory is a device's. Raises NoPicamera."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE / ("venv-picamera-wheels" if wheels else "venv-picamera")
    interpreter = folder / "bin" / "python"
    with (CACHE / "venv-picamera.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        absent = _absent(SYSTEM_PYTHON, FROM_DEBIAN)
        if absent:
            raise NoPicamera(f"apt install {' '.join(absent)}")
        _show_virtual_camera()
        if not interpreter.exists():
            _run(SYSTEM_PYTHON, "-m", "venv", "--system-site-packages", str(folder))
            if wheels:
                _run(str(interpreter), "-m", "pip", "install", "-q", "--ignore-installed", "--no-deps", *WHEELS)
        absent = _absent(str(interpreter), FROM_PYPI)
        if absent:
            _run(str(interpreter), "-m", "pip", "install", "-q", *absent)
    return interpreter


def _absent(interpreter: str, packages: dict[str, str]) -> list[str]:
    """The packages whose modules `interpreter` does not find; nothing is imported."""
    ask = f"import importlib.util as i; print(*(m for m in {list(packages)} if not i.find_spec(m)))"
    return [packages[module] for module in _run(interpreter, "-c", ask).split()]


def _show_virtual_camera() -> None:
    """Debian ships the virtual pipeline without a description of a camera, and so without a camera."""
    ours = Path(__file__).with_name("virtual.yaml")
    if CAMERAS.exists() and CAMERAS.read_bytes() == ours.read_bytes():
        return
    try:
        CAMERAS.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ours, CAMERAS)
    except PermissionError:
        raise NoPicamera(f"only root can put the virtual camera's description at {CAMERAS}") from None


def _run(*command: str) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
    except subprocess.CalledProcessError as error:
        raise NoPicamera(f"{' '.join(command[:4])}: {error.stderr.strip().rpartition(chr(10))[2]}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoPicamera(str(error)) from None
