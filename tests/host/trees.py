"""Small /proc, /sys and /run trees of the boards we know, in the formats that the kernel documents.

Sources: man 5 proc, the kernel's Documentation/ABI and Documentation/hwmon/raspberrypi-hwmon.rst, its
net/wireless/wext-proc.c, raspberrypi/linux pull request 2397 (get_throttled). The figures are made up; the shapes
are not.
"""
import os
from pathlib import Path

IPV4_HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
WIRELESS_HEAD = (
    "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n"
    " face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n")
SECTORS_WRITTEN = 7_340_032         # 3.5 GiB in sectors of 512 bytes


class Tree:
    """A folder that stands for `/`, with a store on a card in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = root / "var/lib/taimat"
        self.store.mkdir(parents=True)
        (self.store / "ballast").write_bytes(bytes(8192))

    def put(self, path: str, content: str | bytes) -> "Tree":
        """Write one file of the tree."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def drop(self, path: str) -> "Tree":
        """Take one file away."""
        (self.root / path).unlink()
        return self

    def cpu(self, busy: int, idle: int) -> "Tree":
        """Processor times since boot, in ticks."""
        times = f"{busy} 0 0 {idle} 0 0 0 0 0 0"
        return self.put("proc/stat", f"cpu  {times}\ncpu0 {times}\nintr 1\n")

    def memory(self, total_kb: int, available_kb: int) -> "Tree":
        """What /proc/meminfo says."""
        return self.put("proc/meminfo", f"MemTotal:       {total_kb} kB\nMemFree:         1234 kB\n"
                                        f"MemAvailable:   {available_kb} kB\nBuffers:          10 kB\n")

    def route(self, interface: str, metric: int = 600) -> "Tree":
        """A default route and a link that stands, with some traffic."""
        self.put("proc/net/route", IPV4_HEAD
                 + f"{interface}\t00000000\t0101A8C0\t0003\t0\t0\t{metric}\t00000000\t0\t0\t0\n"
                 + f"{interface}\t0001A8C0\t00000000\t0001\t0\t0\t{metric}\t00FFFFFF\t0\t0\t0\n")
        net = f"sys/class/net/{interface}"
        return (self.put(f"{net}/carrier", "1\n").put(f"{net}/statistics/tx_bytes", "5000\n")
                .put(f"{net}/statistics/rx_bytes", "7000\n"))

    def video(self, *names: str, first: int = 10) -> "Tree":
        """V4L2 devices by the names of their drivers, from /dev/video10 on."""
        for number, name in enumerate(names, first):
            self.put(f"sys/class/video4linux/video{number}/name", name + "\n")
        return self

    def card(self, disk: str = "mmcblk0", partition: str = "mmcblk0p2", options: str = "rw,noatime") -> "Tree":
        """Let the store lie on a partition; its device number is the real one of the folder that the tree is in."""
        number = os.stat(self.store).st_dev
        device = f"{os.major(number)}:{os.minor(number)}"
        self.put(f"sys/devices/block/{disk}/stat", f"  100 0 800 50  200 0 {SECTORS_WRITTEN} 90  0 80 140\n")
        self.put(f"sys/devices/block/{disk}/{partition}/stat", "   10 0 80 5  20 0 160 9  0 8 14\n")
        self.put(f"sys/devices/block/{disk}/{partition}/partition", "2\n")
        self.put(f"sys/fs/ext4/{partition}/errors_count", "0\n")
        link = self.root / "sys/dev/block" / device
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"../../devices/block/{disk}/{partition}")
        return self.mounted(f"25 1 {device} / / {options} shared:1 - ext4 /dev/{partition} {options}")

    def mounted(self, *lines: str) -> "Tree":
        """What /proc/self/mountinfo says."""
        return self.put("proc/self/mountinfo", "\n".join(lines) + "\n")


def any_linux(root: Path) -> Tree:
    """What every machine has."""
    return (Tree(root).cpu(1000, 9000).put("proc/loadavg", "0.42 0.30 0.25 1/123 4567\n")
            .put("proc/uptime", "86461.50 340000.00\n").card())


def raspberry(root: Path, model: str) -> Tree:
    """What every Raspberry Pi has: device tree, firmware's temperature, an all-clear of the voltage sensor."""
    return (any_linux(root).put("proc/device-tree/model", model.encode() + b"\0")
            .put("proc/device-tree/serial-number", b"100000000fe69593\0")
            .put("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")
            .put("sys/class/thermal/thermal_zone0/temp", "51540\n")
            .put("sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
            .put("sys/class/hwmon/hwmon1/name", "rpi_volt\n")
            .put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n"))


def zero2w(root: Path) -> Tree:
    """Zero 2 W: 512 MB, Wi-Fi only, no battery clock, memory limits off as the kernel starts."""
    return (raspberry(root, "Raspberry Pi Zero 2 W Rev 1.0").memory(436_892, 212_004).route("wlan0")
            .put("proc/net/wireless", WIRELESS_HEAD
                 + " wlan0: 0000   58.  -52.  -256        0      0      0      0     12        0\n")
            .put("sys/devices/platform/soc/soc:firmware/get_throttled", "0\n")
            .video("bcm2835-codec-decode", "bcm2835-codec-encode", "bcm2835-codec-isp", "bcm2835-codec-encode_image")
            .put("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n"))


def pi4(root: Path) -> Tree:
    """Pi 4: Ethernet beside Wi-Fi, NTP answered."""
    return (raspberry(root, "Raspberry Pi 4 Model B Rev 1.5").memory(3_884_360, 3_200_000).route("eth0", metric=100)
            .put("sys/devices/platform/soc/soc:firmware/get_throttled", "50000\n")
            .video("bcm2835-codec-decode", "bcm2835-codec-encode", "bcm2835-codec-isp")
            .put("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n")
            .put("run/systemd/timesync/synchronized", ""))


def pi5(root: Path) -> Tree:
    """Pi 5: no H.264 encoder, no throttling bits in sysfs, a battery clock."""
    return (raspberry(root, "Raspberry Pi 5 Model B Rev 1.0").memory(8_253_000, 7_400_000).route("eth0", metric=100)
            .video("pispbe-input", "rpi-hevc-dec", first=19)
            .put("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n")
            .put("sys/class/rtc/rtc0/hctosys", "1\n"))


def pc(root: Path) -> Tree:
    """A PC: no device tree, no firmware of the Raspberry's, a sensor that is not the chip's beside one that is."""
    return (any_linux(root).memory(24_684_084, 24_309_412).route("enp3s0", metric=100)
            .put("sys/class/dmi/id/product_name", "20L5CTO1WW\n")
            .put("sys/class/thermal/thermal_zone0/type", "acpitz\n")
            .put("sys/class/thermal/thermal_zone0/temp", "16800\n")
            .put("sys/class/thermal/thermal_zone1/type", "x86_pkg_temp\n")
            .put("sys/class/thermal/thermal_zone1/temp", "44000\n")
            .put("sys/class/watchdog/watchdog0/bootstatus", "32\n")
            .video("Integrated Camera: Integrated C", first=0))
