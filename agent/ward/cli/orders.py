"""`taimat ward keys`, `configure`, `update` and `request`: orders to devices, signed with the command key.

Devices obey the first three within what their households allow. A request names a case, a law and an officer.
"""
from pathlib import Path
from typing import Annotated

import typer

from agent.cli import values
from agent.cli.options import Bundle, Json, Last
from agent.ward.cli.options import ORDERS, WARD_CONFIG, Config, Devices, Url, WaitS, absolute, argument

app = typer.Typer()
requests = typer.Typer(no_args_is_help=True, help="Ask a device for pictures, and see the outcome.")

Informed = Annotated[list[str] | None, argument("DEVICE", "Devices that get the present command keys.")]
Pairs = Annotated[list[str] | None, typer.Option(
    "--set", metavar="KEY=VALUE", autocompletion=values.ward_keys, show_default=False,
    help="health_int_s, retention_d or log_level; several times for several. What is not named goes back to the "
         "household's own value.")]
WishFile = Annotated[Path | None, typer.Option(
    "--file", metavar="FILE", show_default=False, callback=absolute,
    help="The same as TOML: a line for each, as in health_int_s = 60.")]
Clear = Annotated[bool, typer.Option("--clear", help="All of it goes back to the household's own values.")]

# of `request`
Device = Annotated[str, typer.Option("--dev", metavar="ID", help="The device's id, as taimat ward watch shows it.")]
Camera = Annotated[str, typer.Option("--cam", metavar="NAME", help="Its camera.")]
From = Annotated[str, typer.Option(
    "--from", metavar="TIME",
    help="The beginning: '2026-11-25 14:00' here, 14:00 today, or 2026-11-25T14:00:00+07:00.")]
To = Annotated[str, typer.Option("--to", metavar="TIME", help="The end; 14:10 is on the day of --from.")]
Case = Annotated[str, typer.Option("--case", metavar="NUMBER", help="The ward's number of the case.")]
Purpose = Annotated[str, typer.Option(
    "--purpose", metavar="WORD", help="The purpose, by which households have their rules: theft, fire.")]
Officer = Annotated[str, typer.Option("--officer", metavar="NAME", help="The responsible officer.")]
Basis = Annotated[str, typer.Option("--basis", metavar="TEXT", help="The law that allows the request.")]
Follow = Annotated[bool, typer.Option("--wait", help="Follow it to its end. Ctrl-C does not cancel it.")]
Request = Annotated[str, argument("ID", "The request's id, as the list shows it.")]


@app.command("keys", rich_help_panel=ORDERS)
def keys(devices: Informed = None, wait: WaitS = 30, json: Json = False, config: Config = WARD_CONFIG) -> int:
    """Make the keys for commands and for receipts that the configuration names, if they are missing."""
    from agent.ward.keys import run
    return run(config, devices or (), wait, json)


@app.command("configure", rich_help_panel=ORDERS)
def configure(devices: Devices, pairs: Pairs = None, file: WishFile = None, clear: Clear = False, wait: WaitS = 30,
              json: Json = False, config: Config = WARD_CONFIG) -> int:
    """Set on devices what a ward may set there, within what their households allow. Without a wish: show what holds."""
    from agent.ward.configure import run
    return run(config, devices, pairs or (), file, clear=clear, wait_s=wait, as_json=json)


@app.command("update", rich_help_panel=ORDERS)
def update(bundle: Bundle, url: Url, devices: Devices, wait: WaitS = 30, json: Json = False,
           config: Config = WARD_CONFIG) -> int:
    """Order a release, which devices download from the URL. Each household's rule decides, each device tests it."""
    from agent.ward.orders import run_update
    return run_update(config, bundle, url, devices, wait_s=wait, as_json=json)


@requests.command("clip")
def clip(dev: Device, cam: Camera, since: From, until: To, case: Case, purpose: Purpose, officer: Officer,
         basis: Basis, wait: Follow = False, json: Json = False, config: Config = WARD_CONFIG) -> int:
    """Ask for a camera's recordings of up to an hour. They come only if the household agrees."""
    from agent.ward.request.main import run_ask
    given = {"dev": dev, "cam": cam, "case": case, "purpose": purpose, "officer": officer, "basis": basis,
             "from": since, "to": until}
    return run_ask(config, "clip", given, wait, json)


@requests.command("snapshot")
def snapshot(dev: Device, cam: Camera, case: Case, purpose: Purpose, officer: Officer, basis: Basis,
             wait: Follow = False, json: Json = False, config: Config = WARD_CONFIG) -> int:
    """Ask for a picture, which the camera takes once the household has agreed."""
    from agent.ward.request.main import run_ask
    given = {"dev": dev, "cam": cam, "case": case, "purpose": purpose, "officer": officer, "basis": basis}
    return run_ask(config, "snapshot", given, wait, json)


@requests.command("list")
def list_(last: Last = 20, json: Json = False, config: Config = WARD_CONFIG) -> int:
    """List requests and their states, newest first."""
    from agent.ward.request.main import run_list
    return run_list(config, last, json)


@requests.command("show")
def show(request: Request, json: Json = False, config: Config = WARD_CONFIG) -> int:
    """Show one request with its steps."""
    from agent.ward.request.main import run_show
    return run_show(config, request, json)


@requests.command("cancel")
def cancel(request: Request, config: Config = WARD_CONFIG) -> int:
    """Cancel a request: the ward accepts no upload for it."""
    from agent.ward.request.main import run_cancel
    return run_cancel(config, request)


app.add_typer(requests, name="request", rich_help_panel=ORDERS)
