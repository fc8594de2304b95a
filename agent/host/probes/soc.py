"""Reads the chip: temperature, voltage, throttling, whether the watchdog caused the last reset, memory limits."""
from pathlib import Path

from agent.host.probes import files

# Kernel names for the chip's own sensor; others (a battery, a Wi-Fi module) would mislead.
SOC_ZONES = ("cpu-thermal", "cpu_thermal", "soc-thermal", "soc_thermal", "x86_pkg_temp")
UNDER_VOLTAGE_NOW = 1 << 0
UNDER_VOLTAGE_SINCE_BOOT = 1 << 16
WDIOF_CARDRESET = 0x20              # linux/watchdog.h: the last boot was caused by the watchdog


def temperature_c(root: Path) -> float | None:
    """Returns the chip's temperature in °C."""
    for zone in files.some(root / "sys/class/thermal", "thermal_zone*"):
        if files.text(zone / "type") in SOC_ZONES and (milli_c := files.number(zone / "temp")) is not None:
            return milli_c / 1000
    return None


def throttle_bits(root: Path) -> int | None:
    """Returns the Raspberry Pi firmware's throttling bits; None if the kernel has none, as newer ones may not."""
    for path in files.some(root / "sys/devices/platform", "soc*/soc*:firmware/get_throttled"):
        return files.number(path, base=16)
    return None


def volt_alarm(root: Path) -> bool | None:
    """Returns the under-voltage alarm of the kernel's `rpi_volt` sensor (Documentation/hwmon/raspberrypi-hwmon.rst)."""
    for sensor in files.some(root / "sys/class/hwmon", "hwmon*"):
        if files.text(sensor / "name") == "rpi_volt":
            alarm = files.number(sensor / "in0_lcrit_alarm")
            return None if alarm is None else alarm != 0
    return None


def watchdog_reset(root: Path) -> bool | None:
    """True if a watchdog says that it caused this boot; else None, because many drivers never say so (the Pi's)."""
    for watchdog in files.some(root / "sys/class/watchdog", "watchdog*"):
        if (files.number(watchdog / "bootstatus") or 0) & WDIOF_CARDRESET:
            return True
    return None


def memory_limits(root: Path) -> bool | None:
    """Whether cgroups can limit memory; Raspberry Pi kernels start with that switched off."""
    controllers = files.text(root / "sys/fs/cgroup/cgroup.controllers")
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
