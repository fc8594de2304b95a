"""What the board says of itself: its encoder, its camera memory, its power, and what the kernel complained of."""
import re
import subprocess
from pathlib import Path

from agent.host import board
from agent.host.probes import kernel
from scripts.onboard.row import Row

WITH_ENCODER = re.compile(r"Raspberry Pi (Zero 2|3|4|400|Compute Module (3|4))\b")      # a Pi 5 has none
THROTTLED_NOW = 0xF                     # vcgencmd get_throttled: bits 0-3 now, 16-19 since boot
COMPLAINTS = re.compile(r"frontend has timed out|cma_alloc.*fail|bcm2835[-_]codec.*(error|fail)|unicam.*error", re.I)


def encoder(root: Path) -> Row:
    """Whether the board has the encoder that its model should have."""
    machine = board.read(root)
    seen = f"{machine.model or 'unknown board'}: {machine.encoder or 'none, x264 is used'}"
    if machine.model is None or "Raspberry Pi" not in machine.model:
        return Row("hardware encoder", None, seen, "on Zero 2 W, 3 and 4")
    should = WITH_ENCODER.match(machine.model) is not None
    wanted = "there: the module bcm2835-codec is loaded" if should else "none on this model"
    return Row("hardware encoder", should == (machine.encoder is not None), seen, wanted)


def cma_free_b(root: Path) -> int | None:
    """Free camera memory; None on a machine that has none."""
    found = re.search(r"^CmaFree:\s+(\d+) kB", kernel.text(root / "proc/meminfo") or "", re.M)
    return int(found[1]) * 1024 if found else None


def power(root: Path) -> Row:
    """Whether the firmware slows the board down, or the voltage is low."""
    bits = kernel.throttle_bits(root)
    if bits is None:
        return Row("power and heat", None, "the firmware tells nothing", "throttled=0x0")
    return Row("power and heat", not bits & THROTTLED_NOW and not bits & 1 << 16, f"throttled={bits:#x}",
               "nothing now, and no low voltage since boot")


def kernel_lines() -> list[str]:
    """The kernel's messages, or none where this user may not read them."""
    try:
        return subprocess.run(["dmesg"], capture_output=True, text=True, timeout=10, check=True).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return []


def kernel_complaints(before_n: int) -> Row:
    """What the kernel has complained of since it had said this many lines."""
    lines = kernel_lines()
    complaints = [line for line in lines[before_n:] if COMPLAINTS.search(line)]
    seen = complaints[-1].strip() if complaints else "nothing" if lines else "may not be read; run as root"
    return Row("kernel messages of the camera", not complaints if lines else None, seen, "nothing")
