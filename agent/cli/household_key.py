"""`taimat household-key`: makes the household's own key to its encrypted recordings, and prints it once."""
import os
from typing import Annotated

import typer

from agent.cli.options import Config, Yes
from agent.cli.own_decisions import open_decisions
from agent.cli.processes import poke
from agent.cli.terminal import console
from agent.core.household.access import code_from, grouped
from agent.host.clock import SystemClock
from agent.store.decisions import days
from agent.store.decisions.days import install_household
from agent.store.encryption.household import SECRET_B, public_half

Replace = Annotated[bool, typer.Option("--replace", help="Make another key. The old one then opens nothing.")]


def household_key(replace: Replace = False, yes: Yes = False, config: Config = None) -> None:
    settings, _, own, db = open_decisions(config)
    if days.household(own) and not replace:
        raise typer.BadParameter("this device has a household's key already, and can't show it again; if it is lost, "
                                 "--replace makes another one, and the old one then opens nothing")
    if days.household(own) and not yes:
        typer.confirm("The key on paper will no longer open any recording on this device, new or old; it still opens "
                      "earlier copies of the card. Make another one?",
                      abort=True)
    secret = code_from(os.urandom(SECRET_B))
    install_household(own, db, public_half(secret), SystemClock().now())
    poke(settings.store.runtime, "keys", "keeper")
    out = console()
    out.print(f"[bold cyan]{grouped(secret)}[/bold cyan]")
    if out.is_terminal:
        out.print("\nWrite it down and keep it apart from the device: it is not shown again.\nWith it the card's "
                  "recordings open on any computer: taimat export --film --household-key FILE")
    if settings.store.encrypt == "off":
        out.print("[yellow]Recordings are not encrypted here: \\[store] encrypt is off.[/yellow]")
