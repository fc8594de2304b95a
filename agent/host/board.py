"""Which computer this is: model, memory, serial number, and whether it can encode video in hardware."""
from dataclasses import dataclass
from pathlib import Path

from agent.host.probes import files, load

# The names under which kernels offer an H.264 encoder (V4L2 memory-to-memory) that we use. Asked for by name, for the
# board's model is no proof: a Pi 5 has none, and the module that brings it may be missing on any other.
H264_ENCODERS = ("bcm2835-codec-encode",)


@dataclass(frozen=True, slots=True)
class Board:
    """What the machine says of itself; None is unknown, except that no `encoder` means that there is none."""

    model: str | None           # "Raspberry Pi Zero 2 W Rev 1.0"
    ram_b: int | None           # what the kernel has, a little less than what is soldered on
    serial: str | None
    encoder: Path | None        # the device node of the hardware H.264 encoder


def read(root: Path = Path("/")) -> Board:
    """Look at the machine under `root`."""
    tree = root / "proc/device-tree"
    model = files.text(tree / "model") or files.text(root / "sys/class/dmi/id/product_name")
    return Board(model or None, load.memory_b(root)[1], files.text(tree / "serial-number") or None, _encoder(root))


def has_aes(root: Path = Path("/")) -> bool:
    """Whether the processor has instructions for AES; without them ChaCha20 is the quicker cipher."""
    lines = (line.partition(":") for line in files.text(root / "proc/cpuinfo").splitlines())
    return any("aes" in words.split() for name, _, words in lines if name.strip() in ("flags", "Features"))


def _encoder(root: Path) -> Path | None:
    for device in files.some(root / "sys/class/video4linux", "video*"):
        if files.text(device / "name") in H264_ENCODERS:
            return Path("/dev") / device.name
    return None
