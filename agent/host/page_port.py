"""The port at which phones find the page, by its own word: 443 where systemd has handed it that one."""
import contextlib
from pathlib import Path

from agent.host.files import write_whole


def tell(runtime: Path, port: int) -> None:
    """Leave it in the page's own folder. Raises OSError."""
    write_whole(runtime / "web/port", str(port).encode())


def told(runtime: Path, otherwise: int) -> int:
    """The port that the page has told; `otherwise` where it has not."""
    with contextlib.suppress(OSError, ValueError):
        return int((runtime / "web/port").read_text())
    return otherwise
