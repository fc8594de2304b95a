"""`taimat household-key`: a key of the household's own to its encrypted footage, printed once."""
import os
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import Config, Yes
from agent.cli.own_decisions import open_decisions
from agent.cli.terminal import console
from agent.core.contract.facts import Poke
from agent.core.household.access import grouped
from agent.host.clock import SystemClock
from agent.host.datagram import Outlet
from agent.store.decisions import days
from agent.store.decisions.days import install_household
from agent.store.encryption.household import SECRET_B, public_half, secret_from

Replace = Annotated[bool, typer.Option("--replace", help="Make another key; the old one opens nothing any more.")]


def household_key(replace: Replace = False, yes: Yes = False, config: Config = None) -> None:
    settings, _, own, db = open_decisions(config)
    if days.household(own) and not replace:
        raise typer.BadParameter("this device has a household's key already, and can't show it again; if it is lost, "
                                 "--replace makes another one, and the old one opens nothing any more")
    if days.household(own) and not yes:
        typer.confirm("The key on paper will open nothing on this device any more, neither new recordings nor old "
                      "ones; copies of the card that were made before still open with it. Make another one?",
                      abort=True)
    secret = secret_from(os.urandom(SECRET_B))
    install_household(own, db, public_half(secret), SystemClock().now())
    Outlet(Path(settings.store.runtime)).send(Poke(what="keys"), "keeper")
    out = console()
    out.print(f"[bold cyan]{grouped(secret)}[/bold cyan]")
    if out.is_terminal:
        out.print("\nWrite it down and keep it apart from the device: it is not shown again.\nWith it the card's "
                  "recordings open on any computer: taimat export --film --household-key FILE")
    if settings.store.encrypt == "off":
        out.print("[yellow]Recordings are not encrypted here: \\[store] encrypt is off.[/yellow]")
