"""`taimat household-key`: a key of the household's own to its encrypted footage, printed once."""
import os
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import Config
from agent.cli.place import open_store
from agent.cli.terminal import console
from agent.core.contract.facts import Poke
from agent.core.household.access import grouped
from agent.host.datagram import Outlet
from agent.store import meta
from agent.store.encryption import days
from agent.store.encryption.household import SECRET_B, install, secret_from

Replace = Annotated[bool, typer.Option("--replace", help="Make another key; the old one opens nothing any more.")]


def household_key(replace: Replace = False, config: Config = None) -> None:
    """Make the household's own key to its encrypted recordings, and print it once."""
    settings, _, db = open_store(config)
    if meta.get(db, days.HOUSEHOLD) and not replace:
        raise typer.BadParameter("this device has a household's key already, and can't show it again; if it is lost, "
                                 "--replace makes another one, and the old one opens nothing any more")
    secret = secret_from(os.urandom(SECRET_B))
    install(db, secret)
    Outlet(Path(settings.store.runtime)).send(Poke(what="keys"), "keeper")
    out = console()
    out.print(f"[bold cyan]{grouped(secret)}[/bold cyan]", soft_wrap=True)
    if out.is_terminal:
        out.print("\nWrite it down and keep it apart from the device: it is not shown again.\nWith it the card's "
                  "recordings open on any computer: taimat export --film --household-key FILE", soft_wrap=True)
    if settings.store.encrypt == "off":
        out.print("[yellow]Recordings are not encrypted here: \\[store] encrypt is off.[/yellow]", soft_wrap=True)
