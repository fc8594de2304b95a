"""`taimat rescue driver|reboot`: systemd starts it as root when a capture process asks for help with a dead camera.

That process parses strangers' bytes, so a request holds only the camera's name. The configuration says which cameras
exist and what is allowed, the kernel names device and driver, and the limits are here. `taimat rescue card` becomes
agent/privileged/rescue_card.py and needs no request.
"""
import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.config.load import DEFAULT_PATH, EXIT_BAD_CONFIG, ConfigError, load
from agent.config.settings import Camera, Settings
from agent.config.source import RAW, parse_source
from agent.core.recovery import REBOOT_UP_MS
from agent.host import rescue
from agent.host.clock import Clock, SystemClock
from agent.store import restarts

MARKS = Path("/run/taimat-rescued")         # a boot empties it
REBOOTS = Path("/var/lib/taimat-rescue/reboots.json")
# Kernel drivers that own a camera's bus: USB video class, and the CSI receivers of Pi 0..4 and of Pi 5.
DRIVERS = {"v4l2": ("uvcvideo",), "picamera": ("unicam", "rp1-cfe")}
APART_S = 1.0
WORDS = {"driver": "a restart of its driver", "reboot": "a restart of the machine"}

Run = Callable[[Sequence[str]], None]


class RescueRefused(Exception):
    """Why the help is refused."""


def reload_driver(camera: Camera, kernel: Path, marks: Path, run: Run) -> None:
    """Unbinds and binds the device while the camera's unit is stopped; once a boot. Raises RescueRefused, OSError."""
    mark, unit = marks / f"driver.{camera.name}", f"taimat-capture@{camera.name}.service"
    if mark.exists():
        raise RescueRefused("its driver was restarted already since the machine started")
    device = find_device(camera, kernel)
    mark.touch()
    run(["systemctl", "stop", unit])
    try:
        rebind(device)
    finally:
        run(["systemctl", "start", "--no-block", unit])


def find_device(camera: Camera, kernel: Path) -> Path:
    """Returns the camera's device in `kernel` (/sys), if one of DRIVERS has it. Raises RescueRefused."""
    spec = parse_source(camera.source)
    nodes = [Path(os.path.realpath(spec.target)).name] if spec.scheme == "v4l2" else ["*"]
    videos = [node for name in nodes for node in (kernel / "class/video4linux").glob(name)]
    known = {(video / "device").resolve() for video in videos
             if (video / "device/driver").resolve().name in DRIVERS[spec.scheme]}
    if len(known) != 1:
        names = " or ".join(DRIVERS[spec.scheme])
        raise RescueRefused(f"{len(known)} devices with the driver {names} may be meant, and only one may be touched")
    return known.pop()


def rebind(device: Path) -> None:
    """Makes the kernel release a device and take it again, as if a USB camera was unplugged. Raises OSError."""
    plug = device.parent / "authorized"
    off, on = (plug, plug) if plug.exists() else (device / "driver/unbind", (device / "driver").resolve() / "bind")
    off_word, on_word = ("0", "1") if plug.exists() else (device.name, device.name)
    off.write_text(off_word)
    time.sleep(APART_S)
    on.write_text(on_word)


def reboot(record: Path, clock: Clock, run: Run) -> None:
    """Restarts the machine, at most once in 24 hours, not right after its start. Raises RescueRefused, OSError."""
    past, now = restarts.load_reboots(record), clock.now()
    if past == restarts.NO_REBOOT:
        raise RescueRefused(f"{record} can't be read, so the time of the last restart is unknown; remove it")
    if now.mono_ms < REBOOT_UP_MS or not past.day_passed(now):
        raise RescueRefused("the machine has only just started, or was restarted for a camera within 24 hours")
    restarts.save_reboots(record, past.another(now))
    run(["systemctl", "reboot"])


def main(argv: Sequence[str] | None = None) -> int:
    """Handles the waiting requests. Returns the exit code: 1 if one was refused."""
    parser = argparse.ArgumentParser(prog="taimat rescue")
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH)
    parser.add_argument("what", choices=("driver", "reboot", "card"))
    options = parser.parse_args(argv)
    clock = SystemClock()
    asked = rescue.collect(rescue.FOLDER, options.what, clock.now()) if rescue.FOLDER.is_dir() else []
    try:
        settings = load(options.config)         # not the last good copy, which the roles write
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_CONFIG
    refused_n = 0
    if options.what == "card" and settings.recovery.reboot:     # it stays in memory, without the settings' libraries
        os.execv(sys.executable, [sys.executable, "-P", "-m", "agent.privileged.rescue_card", settings.store.folder])
    for name in asked:
        try:
            camera = permitted(settings, options.what, name)
            print(f"{camera.name}: has no picture and asks for {WORDS[options.what]}", flush=True)
            if options.what == "driver":
                reload_driver(camera, Path("/sys"), MARKS, _run)
            else:
                reboot(REBOOTS, clock, _run)
        except (RescueRefused, OSError, subprocess.SubprocessError) as error:
            print(f"{name!r}: {options.what} refused: {error}", file=sys.stderr)
            refused_n += 1
    return 1 if refused_n else 0


def permitted(settings: Settings, what: str, name: str) -> Camera:
    """Returns this machine's camera of that name, if the settings allow `what`. Raises RescueRefused."""
    allowed = settings.recovery.driver_reload if what == "driver" else settings.recovery.reboot
    if not allowed:
        raise RescueRefused("the settings under [recovery] do not allow it")
    for camera in settings.camera:
        if camera.enabled and camera.name == name and parse_source(camera.source).scheme in RAW:
            return camera
    raise RescueRefused("the settings have no Pi or USB camera of that name")


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, timeout=45)


if __name__ == "__main__":
    sys.exit(main())
