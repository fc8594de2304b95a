"""`taimat ward ...`: all its commands; the services of a ward stand here."""
import sys
from typing import Annotated

import typer

from agent.cli.options import Json
from agent.ward.cli import authority, orders
from agent.ward.cli.options import DEVICES, SERVICES, WARD_CONFIG, Config

own = typer.Typer()

MarkAll = Annotated[bool, typer.Option(
    "--mark-all", help="Only mark all events for the city, even those that it has or has refused; the running "
    "forwarder sends them.")]
AsDesk = Annotated[bool, typer.Option(
    "--desk", help="One row for each device with camera, card, clock and broker, and with what it lacks.")]
Once = Annotated[bool, typer.Option("--once", help="Show the present state, and end.")]


@own.command("serve", rich_help_panel=SERVICES)
def serve(config: Config = WARD_CONFIG) -> int:
    """Enrol devices by their claims, renew their certificates, and store their first reports."""
    from agent.ward.enrolment.door import main
    return main(config)


@own.command("desk", rich_help_panel=SERVICES)
def desk(config: Config = WARD_CONFIG) -> int:
    """Run a page on which officers see the ward's devices and ask households for pictures."""
    from agent.ward.desk.main import main
    return main(config)


@own.command("ingest", rich_help_panel=SERVICES)
def ingest(config: Config = WARD_CONFIG) -> int:
    """Receive the messages of a ward's devices, store them in a database, and send receipts."""
    from agent.ward.ingest import main
    return main(config)


@own.command("forward", rich_help_panel=SERVICES)
def forward(mark_all: MarkAll = False, config: Config = WARD_CONFIG) -> int:
    """Send every event of the ward's database to the city's broker, until the city has sent its receipt."""
    from agent.ward import forward
    return forward.run_mark_all(config) if mark_all else forward.main(config)


@own.command("intake", rich_help_panel=SERVICES)
def intake(config: Config = WARD_CONFIG) -> int:
    """Receive the requested pictures from devices, check and store them, and sign receipts."""
    from agent.ward.uploads.main import main
    return main(config)


@own.command("watch", rich_help_panel=DEVICES)
def watch(as_desk: AsDesk = False, once: Once = False, json: Json = False, config: Config = WARD_CONFIG) -> int:
    """Show live which devices of the ward are online, and why others are not, from the ingest's database."""
    from agent.ward.watch import looker, run
    if not as_desk:
        return run(config, looker, once, json)
    from agent.ward.desk.terminal import view
    return run(config, view, once, json)


# A command returns its exit code.
app = typer.Typer(
    no_args_is_help=True, result_callback=lambda code, **_: sys.exit(code),
    help="The ward's end: make it, enrol its devices, watch them, ask for pictures.")
# The help lists panels and commands in this order.
app.add_typer(authority.app)
app.add_typer(orders.app)
app.add_typer(own)
