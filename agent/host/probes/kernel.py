"""Reads facts from small files of the kernel: the chip, the load, memory, time since boot. None if a file is missing,
unreadable or malformed.

The formats are in proc(5), linux/watchdog.h and Documentation/hwmon.
"""
from pathlib import Path

LARGEST_B = 65_536


def text(path: Path) -> str | None:
    """Returns the file's text without surrounding blanks and NULs, at most 64 KiB."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_B).decode("utf-8", "replace").strip("\0 \n\t")
    except OSError:
        return None


def number(path: Path, base: int = 10) -> int | None:
    try:
        return int(text(path) or "", base)
    except ValueError:
        return None


def some(folder: Path, pattern: str) -> list[Path]:
    """Returns the entries of `folder` that match `pattern`, sorted; empty if the folder cannot be listed."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def load1(root: Path) -> float | None:
    return _first_number(root / "proc/loadavg")


def up_s(root: Path) -> float | None:
    return _first_number(root / "proc/uptime")


def memory_b(root: Path) -> tuple[int | None, int | None]:
    """Returns the available memory (without swapping) and the total, in bytes."""
    lines = dict(line.split(":", 1) for line in (text(root / "proc/meminfo") or "").splitlines() if ":" in line)
    return _kb(lines.get("MemAvailable")), _kb(lines.get("MemTotal"))


class Cpu:
    """Measures the share of processor time used since the last call."""

    def __init__(self, root: Path) -> None:
        self._path = root / "proc/stat"
        self._before = self._times()

    def pct(self) -> float | None:
        """Returns 0..100 over all cores; None if no time has passed."""
        before, self._before = self._before, self._times()
        if before is None or self._before is None:
            return None
        total, idle = (now - then for now, then in zip(self._before, before, strict=True))
        return 100 * max(total - idle, 0) / total if total > 0 else None

    def _times(self) -> tuple[int, int] | None:
        """Ticks since boot: all, and idle ones (including waits for the card)."""
        line = (text(self._path) or "").partition("\n")[0].split()
        try:
            ticks = [int(each) for each in line[1:9]]       # guest time, after them, is already in user time
            return sum(ticks), ticks[3] + ticks[4]
        except (ValueError, IndexError):
            return None


def _kb(words: str | None) -> int | None:
    try:
        return int((words or "").split()[0]) * 1024
    except (ValueError, IndexError):
        return None


def _first_number(path: Path) -> float | None:
    try:
        return float((text(path) or "").split()[0])
    except (ValueError, IndexError):
        return None


# Kernel names for the chip's own sensor; others (a battery, a Wi-Fi module) would mislead.
SOC_ZONES = ("cpu-thermal", "cpu_thermal", "soc-thermal", "soc_thermal", "x86_pkg_temp")
UNDER_VOLTAGE_NOW = 1 << 0
UNDER_VOLTAGE_SINCE_BOOT = 1 << 16
WDIOF_CARDRESET = 0x20              # linux/watchdog.h: the last boot was caused by the watchdog


def temperature_c(root: Path) -> float | None:
    for zone in some(root / "sys/class/thermal", "thermal_zone*"):
        if text(zone / "type") in SOC_ZONES and (milli_c := number(zone / "temp")) is not None:
            return milli_c / 1000
    return None


def throttle_bits(root: Path) -> int | None:
    """Returns the Raspberry Pi firmware's throttling bits; None if the kernel has none, as newer ones may not."""
    for path in some(root / "sys/devices/platform", "soc*/soc*:firmware/get_throttled"):
        return number(path, base=16)
    return None


def volt_alarm(root: Path) -> bool | None:
    """Returns the under-voltage alarm of the kernel's `rpi_volt` sensor (Documentation/hwmon/raspberrypi-hwmon.rst)."""
    for sensor in some(root / "sys/class/hwmon", "hwmon*"):
        if text(sensor / "name") == "rpi_volt":
            alarm = number(sensor / "in0_lcrit_alarm")
            return None if alarm is None else alarm != 0
    return None


def watchdog_reset(root: Path) -> bool | None:
    """True if a watchdog says that it caused this boot; else None, because many drivers never say so (the Pi's)."""
    for watchdog in some(root / "sys/class/watchdog", "watchdog*"):
        if (number(watchdog / "bootstatus") or 0) & WDIOF_CARDRESET:
            return True
    return None


def memory_limits(root: Path) -> bool | None:
    """Whether cgroups can limit memory; Raspberry Pi kernels start with that switched off."""
    controllers = text(root / "sys/fs/cgroup/cgroup.controllers")
    return None if controllers is None else "memory" in controllers.split()


class Voltage:
    """Detects under-voltage, also between two calls: the since-boot bit then rises."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._since_boot: bool | None = None

    def low(self, bits: int | None) -> bool | None:
        """Whether the voltage is low, or was since the last call. `bits` are the firmware's, or None."""
        alarm = volt_alarm(self._root)
        if bits is None:
            return alarm
        before, self._since_boot = self._since_boot, bool(bits & UNDER_VOLTAGE_SINCE_BOOT)
        rose = before is False and self._since_boot
        return bool(bits & UNDER_VOLTAGE_NOW) or rose or bool(alarm)
