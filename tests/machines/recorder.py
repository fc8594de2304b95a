"""Taimat on an emulated machine, by what its owner does and sees; and what it takes there."""
import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.core.contract.enrolment import BUNDLE_FILE, BUNDLE_FOLDER
from tests.machines.debian import BESIDE
from tests.machines.emulated import HOST, Emulated
from tests.rigs.house.owner import CODE, add_camera, pair
from tests.rigs.house.phone import Phone
from tests.rigs.wait import until
from tests.rigs.ward.door import WardDoor

ROLES = ("taimat-capture-network", "taimat-keeper", "taimat-link", "taimat-web")
SETTINGS = "/etc/taimat/taimat.toml"
# By the guide.
INSTALL = ("DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o Dpkg::Use-Pty=0 {} "
           f"{' '.join(BESIDE)} </dev/null")
ADDRESS = "10.0.2.15"
CLOCK = "/etc/systemd/timesyncd.conf.d"
BUNDLE = Path("/boot/firmware", BUNDLE_FOLDER, BUNDLE_FILE)
SLOW_S = 1800.0                 # a minute of a board may take ten here, and thrice that beside other work
# Runs in the machine. No Python: one more would share its pages with the roles, and they would seem smaller.
# A role's PSS is that of all processes in its unit; its peak is the kernel's count for the unit, page cache included.
LOOK = f"""
for unit in {' '.join(ROLES)}; do
    [ "$(systemctl show --value -p MainPID $unit)" -gt 0 ] || continue
    group=/sys/fs/cgroup$(systemctl show --value -p ControlGroup $unit)
    pss_kb=0
    for pid in $(cat $group/cgroup.procs); do
        pss_kb=$((pss_kb + $(sed -n 's/^Pss: *\\([0-9]*\\) kB/\\1/p' /proc/$pid/smaps_rollup || echo 0)))
    done
    echo $unit $(systemctl show --value -p NRestarts $unit) $pss_kb $(cat $group/memory.peak || echo 0)
done 2>/dev/null
grep -E '^(MemTotal|MemAvailable):' /proc/meminfo
grep -E '^(pswpout|oom_kill) ' /proc/vmstat
"""
PAGE_B, BLOCK_B = 4096, 512
BALLAST = "/var/lib/taimat/ballast"
SWAP = """
fallocate -l 256M /swapfile && chmod 600 /swapfile && mkswap -q /swapfile
echo '/swapfile none swap sw 0 0' >> /etc/fstab && swapon -a
"""
# Runs in the machine; prints JSON.
# The shell waits there itself: a question from here takes the machine longer than the look.
FIRST_CLIP = """
boot=$(tr -d - < /proc/sys/kernel/random/boot_id | cut -c1-8)
until ls /var/lib/taimat/clips/*/*-$boot-* 2>/dev/null; do sleep 1; done
"""
CLIPS = """
import json, sqlite3, time
boot = open("/proc/sys/kernel/random/boot_id").read().replace("-", "")[:8]
db = sqlite3.connect("file:/var/lib/taimat/db/taimat.db?mode=ro", uri=True)
db.row_factory = sqlite3.Row
rows = [dict(row) for row in db.execute("SELECT name, camera, state, boot, mono_ms, bytes FROM clip ORDER BY seq")]
events_n = db.execute("SELECT count(*) FROM event").fetchone()[0]
mono_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
print(json.dumps({"boot": boot, "mono_ms": mono_ms, "clips": rows, "events_n": events_n}))
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation took."""

    took_s: float               # of the machine's own clock
    package_b: int
    card_b: int                 # that much less is free; without the keeper's ballast
    ballast_b: int              # what the ballast took when this was measured
    packages_n: int


@dataclass(frozen=True, slots=True)
class Look:
    """Memory, as the machine sees it; by unit, with all its processes."""

    pss_b: dict[str, int]
    peaks_b: dict[str, int]     # the most since the unit's start, page cache included
    restarts_n: int
    total_b: int
    available_b: int
    swapped_b: int              # since the boot
    oom_n: int                  # processes killed for want of memory, since the boot

    @property
    def roles_b(self) -> int:
        """PSS of all roles together."""
        return sum(self.pss_b.values())


def offer_swap(machine: Emulated) -> None:
    """Give it a swap file on its card, as stock systems have: then it shows whether the memory is enough."""
    machine.run(SWAP)


def install(machine: Emulated, deb: Path) -> Installed:
    """`apt install --no-install-recommends ./DEB ...`, its needs on the stick. Raises NotWell."""
    machine.run("mkdir -p /media/stick && mount -o ro LABEL=stick /media/stick && apt-get update")
    machine.put(f"/root/{deb.name}", deb.read_bytes())
    before_b, began_s, packages_n = _used_b(machine), _up_s(machine), _packages_n(machine)
    machine.run(f"cd /root && {INSTALL.format(f'./{deb.name}')}", limit_s=2 * 3600)
    took_s, used_b = _up_s(machine) - began_s, _used_b(machine) - before_b
    ballast_b = int(machine.run(f"stat -c %b {BALLAST} 2>/dev/null || echo 0")) * BLOCK_B
    return Installed(took_s, deb.stat().st_size, used_b - ballast_b, ballast_b, _packages_n(machine) - packages_n)


def pairing_code(machine: Emulated) -> str:
    """From the boot partition, as the owner reads it with the card in a computer."""
    found = until(lambda: CODE.search(machine.run("cat /boot/firmware/taimat-pairing.txt", check=False)),
                  "a pairing code", SLOW_S)
    return str(found[0])


def phone(machine: Emulated) -> Phone:
    """A phone in its network."""
    return Phone(lambda _: socket.create_connection(("127.0.0.1", machine.page_port), SLOW_S), ADDRESS)


def set_up(machine: Emulated, cameras: Mapping[str, int], broker_port: int) -> Phone:
    """Pair a phone, add network cameras (title -> port on this computer), and name the ward's broker here."""
    own = phone(machine)
    pair(own, pairing_code(machine), SLOW_S)
    for title, port in cameras.items():
        add_camera(own, title, f"rtsp://{HOST}:{port}/main", limit_s=SLOW_S)
    ward = ("enabled = true", 'ward = "w07"', f'host = "{HOST}"', f"port = {broker_port}", "tls = false",
            'delivery = "puback"')
    lines = "\\n".join(ward)
    machine.run(f"sed -i 's/^enabled = false.*/{lines}/' {SETTINGS}")
    until(lambda: len(look(machine).pss_b) == len(ROLES), "all roles run", SLOW_S)
    return own


def record_always(machine: Emulated) -> None:
    """As a technician: the cameras are recorded all the time, and motion looks at their small streams."""
    machine.run(rf"""sed -i 's|^source = "\(rtsp.*\)/main"|&\nsub = "\1/sub"\nrecord = "continuous"|' {SETTINGS}""")


def look(machine: Emulated) -> Look:
    """One look."""
    told = [line.split() for line in machine.run(LOOK).splitlines()]
    roles = {name: figures for name, *figures in told if name in ROLES}
    kernel = {name.rstrip(":"): int(figures[0]) for name, *figures in told if name not in ROLES}
    return Look(pss_b={name: int(figures[1]) * 1024 for name, figures in roles.items() if figures[1:]},
                peaks_b={name: int(figures[2]) for name, figures in roles.items() if figures[2:]},
                restarts_n=sum(int(figures[0]) for figures in roles.values()),
                total_b=kernel["MemTotal"] * 1024, available_b=kernel["MemAvailable"] * 1024,
                swapped_b=kernel["pswpout"] * PAGE_B, oom_n=kernel["oom_kill"])


def recorded(machine: Emulated) -> dict[str, object]:
    """Clips and events, as another process reads them in the database; empty while there is none."""
    said = machine.run("python3 -", stdin=CLIPS.encode(), check=False)
    return json.loads(said) if said else {"boot": "", "mono_ms": 0, "clips": [], "events_n": 0}


def first_frame_s(machine: Emulated) -> float:
    """When this boot's first frame was recorded, in seconds after the kernel's start; waits for it."""
    machine.run(FIRST_CLIP, limit_s=SLOW_S)
    told = recorded(machine)
    return next(clip["mono_ms"] for clip in told["clips"] if clip["boot"][:8] == told["boot"]) / 1000


def keep_time(machine: Emulated) -> None:
    """As a stock system does, by systemd-timesyncd from the stick; it asks this computer."""
    machine.run("mount -o ro LABEL=stick /media/stick 2>/dev/null; "
                "DEBIAN_FRONTEND=noninteractive apt-get install -y systemd-timesyncd </dev/null && "
                f"mkdir -p {CLOCK} && echo '[Time]\nNTP={HOST}' > {CLOCK}/10-here.conf && "
                "systemctl restart systemd-timesyncd")


def green_s(machine: Emulated, ward: WardDoor, camera_port: int) -> float:
    """A reset recorder gets a ward's bundle, and power.

    Returns when the ward had seen camera, card, clock and broker work, in seconds after the kernel's start.
    """
    machine.run("taimat reset --factory --yes")
    machine.put(SETTINGS, f'[[camera]]\nname = "gate"\nsource = "rtsp://{HOST}:{camera_port}/main"\n'.encode())
    machine.run(f"mkdir -p {BUNDLE.parent}")
    machine.put(str(BUNDLE), ward.bundle(join=True).encode())
    machine.run("sync")
    machine.cut_power()
    machine.boot(by_instructions=True)
    until(lambda: ward.ready and ward.ready[-1].is_green, "all is good at the ward", SLOW_S)
    return _up_s(machine)


def soak(machine: Emulated, long_s: float, every_s: float = 30.0) -> list[Look]:
    """Look on for this long."""
    looks, end_s = [look(machine)], time.monotonic() + long_s
    while time.monotonic() < end_s:
        time.sleep(min(every_s, max(0.0, end_s - time.monotonic())))
        looks.append(look(machine))
    return looks


def _used_b(machine: Emulated) -> int:
    return int(machine.run("sync; df -B1 --output=used / | tail -1"))


def _up_s(machine: Emulated) -> float:
    return float(machine.run("cut -d' ' -f1 /proc/uptime"))


def _packages_n(machine: Emulated) -> int:
    return int(machine.run("dpkg-query -f '.\\n' -W | wc -l"))
