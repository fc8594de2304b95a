"""`taimat ward ...`: its commands, those of its groups, and here the services that run at a ward."""
from typing import Annotated

import typer

from agent.cli.options import Json
from agent.cli.ward import authority, card, conformance, desk, enrolment, orders, panels, request
from agent.cli.ward.part import WARD_CONFIG, Config, become

own = typer.Typer()

MarkAll = Annotated[bool, typer.Option(
    "--mark-all", help="Only mark all events for the city, even those that it has or has refused; the running "
    "forwarder brings them.")]
AsDesk = Annotated[bool, typer.Option(
    "--desk", help="A row a device with camera, card, clock and broker, and what is missing on each.")]
Once = Annotated[bool, typer.Option("--once", help="Show it as it is now, and end.")]
DevicesN = Annotated[int, typer.Option("--devices", metavar="N", min=1, max=20_000, help="How many devices.")]
EventRate = Annotated[float, typer.Option(
    "--rate", metavar="N", min=0, max=1000, help="How many events a second, of all devices together.")]
SteadyMinutes = Annotated[float, typer.Option(
    "--minutes", metavar="N", min=0.1, help="How long to measure while nothing breaks.")]
WithRestart = Annotated[bool, typer.Option(
    "--restart", help="Then kill the broker, start it again after 10 s, and wait until all devices are back.")]
ProcessesN = Annotated[int, typer.Option(
    "--processes", metavar="N", min=1, max=64, help="How many processes play the devices.")]


@own.command("ingest", rich_help_panel=panels.SERVICES)
def ingest(config: Config = WARD_CONFIG) -> None:
    """Take in what the devices of a ward tell, keep it in a database, and send receipts for it."""
    become("ingest", config)


@own.command("forward", rich_help_panel=panels.SERVICES)
def forward(mark_all: MarkAll = False, config: Config = WARD_CONFIG) -> None:
    """Bring every event that the ward's ingest has taken in to the city's broker, until the city has it, too."""
    become("forward", config, [("--mark-all", mark_all)])


@own.command("intake", rich_help_panel=panels.SERVICES)
def intake(config: Config = WARD_CONFIG) -> None:
    """Take in the pictures that devices bring when they were asked for, check them, keep them, and sign for them."""
    become("uploads.main", config)


@own.command("watch", rich_help_panel=panels.DEVICES)
def watch(as_desk: AsDesk = False, once: Once = False, json: Json = False, config: Config = WARD_CONFIG) -> None:
    """Show which devices of the ward are there, and why others are not: live, from the ingest's database."""
    become("desk.terminal" if as_desk else "watch", config, [("--once", once), ("--json", json)])


@own.command("simulate", rich_help_panel=panels.TRIALS)
def simulate(devices: DevicesN = 370, rate: EventRate = 3, minutes: SteadyMinutes = 2, restart: WithRestart = False,
             processes: ProcessesN = 2, json: Json = False) -> None:
    """Play a ward's or a city's devices on this machine, with a broker and an ingest of their own, and measure."""
    words = [f"--devices={devices}", f"--rate={rate}", f"--minutes={minutes}", f"--processes={processes}"]
    become("simulate", None, [("--restart", restart), ("--json", json)], words)


app = typer.Typer(no_args_is_help=True, help="The ward's end: make it, enrol its devices, see how they are, ask for "
                                            "pictures.")
# The help lists panels and commands in this order.
app.add_typer(authority.app)
app.add_typer(card.app)
app.add_typer(orders.app)
app.add_typer(request.app, name="request", rich_help_panel=panels.ORDERS)
app.add_typer(conformance.app, name="conformance", rich_help_panel=panels.TRIALS)
app.add_typer(enrolment.app)
app.add_typer(desk.app)
app.add_typer(own)
