"""Identifies the computer: model, memory, serial number, and whether it can encode video in hardware."""
from dataclasses import dataclass
from pathlib import Path

from agent.host.probes import kernel

# Kernel names of the V4L2 memory-to-memory H.264 encoders that we can use. The model proves nothing: a Pi 5 has no
# encoder, and on other boards the kernel module may be missing.
H264_ENCODERS = ("bcm2835-codec-encode",)


@dataclass(frozen=True, slots=True)
class Board:
    """What the machine reports. None means unknown, but `encoder` None means that there is no encoder."""

    model: str | None           # "Raspberry Pi Zero 2 W Rev 1.0"
    ram_b: int | None           # what the kernel can use: a little less than the board has
    serial: str | None
    encoder: Path | None        # the device node of the hardware H.264 encoder


def read(root: Path = Path("/")) -> Board:
    """Reads the facts of the machine whose files are under `root`."""
    tree = root / "proc/device-tree"
    model = kernel.text(tree / "model") or kernel.text(root / "sys/class/dmi/id/product_name")
    return Board(model or None, kernel.memory_b(root)[1], kernel.text(tree / "serial-number") or None, _encoder(root))


def has_aes(root: Path = Path("/")) -> bool:
    """Whether the processor has AES instructions. Without them, ChaCha20 is faster."""
    lines = (line.partition(":") for line in kernel.text(root / "proc/cpuinfo").splitlines())
    return any("aes" in words.split() for name, _, words in lines if name.strip() in ("flags", "Features"))


def _encoder(root: Path) -> Path | None:
    for device in kernel.some(root / "sys/class/video4linux", "video*"):
        if kernel.text(device / "name") in H264_ENCODERS:
            return Path("/dev") / device.name
    return None
