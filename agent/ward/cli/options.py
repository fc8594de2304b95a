"""Options that several of the ward's commands have, and the headings of the commands in the help."""
from pathlib import Path
from typing import Annotated

import typer

# In the order in which the first command of each stands in `main`.
MAKE = "Make it and keep it"
DEVICES = "Its devices"
ORDERS = "Ask and order"
SERVICES = "Services, which systemd runs"

WARD_CONFIG = Path("/etc/taimat-ward/ward.toml")


def absolute(path: Path | None) -> Path | None:
    """Makes a typed path absolute for messages."""
    return path and path.absolute()


Config = Annotated[Path, typer.Option(
    "--config", "-c", metavar="FILE", envvar="TAIMAT_WARD_CONFIG", callback=absolute,
    help="The configuration of the ward's end.")]
Devices = Annotated[list[str], typer.Argument(metavar="DEVICE", show_default=False, help="Their ids.")]
WaitS = Annotated[float, typer.Option("--wait", metavar="S", min=0, help="How long to wait for answers, in seconds.")]
Url = Annotated[str, typer.Argument(
    metavar="URL", show_default=False, help="https:// address of the same file, for devices with their certificates.")]
Reload = Annotated[str | None, typer.Option(
    "--reload", metavar="COMMAND", show_default=False,
    help="What has the broker read its files anew, where systemd does not run it.")]
