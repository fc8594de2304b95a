"""`taimat ward keys`, `configure` and `update`: what devices are told with the command key's signature.

Devices obey them without their households, within what these allow; footage is asked for by `request`.
"""
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import Bundle, Json
from agent.cli.ward import panels
from agent.cli.ward.part import WARD_CONFIG, Config, become

app = typer.Typer()

Devices = Annotated[list[str], typer.Argument(metavar="DEVICE", show_default=False, help="Their ids.")]
WaitS = Annotated[float, typer.Option("--wait", metavar="S", min=0, help="How long to wait for answers, in seconds.")]

# of `keys`
Told = Annotated[list[str] | None, typer.Argument(
    metavar="DEVICE", show_default=False, help="Devices that are to obey the command keys that are here now.")]

# of `configure` and `update`
Pairs = Annotated[list[str] | None, typer.Option(
    "--set", metavar="KEY=VALUE", show_default=False,
    help="health_int_s, retention_d or log_level; several times for several. What is not named goes back to the "
         "household's own value.")]
WishFile = Annotated[Path | None, typer.Option(
    "--file", metavar="FILE", show_default=False, help="The same as TOML: a line for each, as in health_int_s = 60.")]
Clear = Annotated[bool, typer.Option("--clear", help="All of it goes back to the household's own values.")]
Url = Annotated[str, typer.Argument(
    metavar="URL", show_default=False, help="https:// address of the same file, for devices with their certificates.")]


@app.command("keys", rich_help_panel=panels.ORDERS)
def keys(devices: Told = None, wait: WaitS = 30, json: Json = False, config: Config = WARD_CONFIG) -> None:
    """Make the keys that the configuration names, unless they are there: for commands, and for receipts."""
    become("keys", config, [("--json", json)], [f"--wait={wait}", "--", *(devices or ())])


@app.command("configure", rich_help_panel=panels.ORDERS)
def configure(devices: Devices, pairs: Pairs = None, file: WishFile = None, clear: Clear = False, wait: WaitS = 30,
              json: Json = False, config: Config = WARD_CONFIG) -> None:
    """Set on devices what a ward may set there, within what their households allow. Without a wish: show what holds."""
    words = [*(f"--set={pair}" for pair in pairs or ()), *([f"--file={file.absolute()}"] if file else ()),
             f"--wait={wait}", "--", *devices]
    become("configure", config, [("--clear", clear), ("--json", json)], words)


@app.command("update", rich_help_panel=panels.ORDERS)
def update(bundle: Bundle, url: Url, devices: Devices, wait: WaitS = 30, json: Json = False,
           config: Config = WARD_CONFIG) -> None:
    """Order a release for devices, which fetch it from the URL. Each household's rule decides, each device tries it."""
    become("update", config, [("--json", json)], [f"--wait={wait}", "--", str(bundle.absolute()), url, *devices])
