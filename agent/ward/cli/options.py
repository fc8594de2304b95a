"""Options that several of the ward's commands have, and the headings of the commands in the help."""
from pathlib import Path
from typing import Annotated, Any

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


def option(names: str, metavar: str, help: str, **more: Any) -> Any:
    """Returns a Typer option of these `names`, separated by spaces; the help shows no default."""
    return typer.Option(*names.split(), metavar=metavar, show_default=False, help=help, **more)


def argument(metavar: str, help: str, **more: Any) -> Any:
    """Returns a Typer argument; the help shows no default."""
    return typer.Argument(metavar=metavar, show_default=False, help=help, **more)


Config = Annotated[Path, typer.Option(
    "--config", "-c", metavar="FILE", envvar="TAIMAT_WARD_CONFIG", callback=absolute,
    help="The configuration of the ward's end.")]
Devices = Annotated[list[str], argument("DEVICE", "Their ids.")]
WaitS = Annotated[float, typer.Option("--wait", metavar="S", min=0, help="How long to wait for answers, in seconds.")]
Url = Annotated[str, argument("URL", "https:// address of the same file, for devices with their certificates.")]
Reload = Annotated[str | None, option(
    "--reload", "COMMAND", "The command that makes the broker read its files again, if systemd does not run it.")]
