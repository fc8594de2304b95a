"""Passes on the port where phones find the page: 443 if systemd gave the page that port."""
import contextlib
from pathlib import Path

from agent.host.files import write_whole


def tell(runtime: Path, port: int) -> None:
    """Writes the port into the page's runtime folder. Raises OSError."""
    write_whole(runtime / "web/port", str(port).encode())


def told(runtime: Path, otherwise: int) -> int:
    """Returns the page's port; `otherwise` if the page has not written one."""
    with contextlib.suppress(OSError, ValueError):
        return int((runtime / "web/port").read_text())
    return otherwise
