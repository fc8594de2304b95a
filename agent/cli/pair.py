"""`taimat pair`: pairs browsers with the page, lists them, and un-pairs them."""
import contextlib
from contextlib import closing
from pathlib import Path
from typing import Annotated

import segno
import typer
from rich.markup import escape

from agent.cli.options import Config, JsonList, Yes, demand_list
from agent.cli.own_decisions import open_decisions
from agent.cli.processes import poke
from agent.cli.run import page_address, page_link
from agent.cli.terminal import console, json_line, local, table
from agent.config.settings import Settings
from agent.core.household.access import grouped
from agent.host.address import phone_address
from agent.host.clock import SystemClock
from agent.host.runtime import page_port
from agent.look import device_words
from agent.store.database import StoreConnection
from agent.store.decisions import browsers
from agent.store.folders import Folders
from agent.store.identity import fingerprint

Link = Annotated[bool, typer.Option(
    "--link", help="Print an address that lets one browser in without the code, valid for a minute.")]
Listed = Annotated[bool, typer.Option("--list", help="List the paired browsers, the latest visitor first.")]
Unpair = Annotated[str | None, typer.Option(
    "--unpair", metavar="ID", show_default=False, help="Un-pair this browser; its id is in the list.")]
Owner = Annotated[str | None, typer.Option("--owner", metavar="ID", show_default=False,
    help="Give this browser all rights of the household. Others, except the first, may only look.")]
Reset = Annotated[bool, typer.Option("--reset", help="Un-pair all browsers, and make another code.")]


def pair(link: Link = False, listed: Listed = False, unpair: Unpair = None, owner: Owner = None,
         reset: Reset = False, yes: Yes = False, json: JsonList = False, config: Config = None) -> None:
    demand_list(json, listed)
    if sum((link, listed, unpair is not None, owner is not None, reset)) > 1:
        raise typer.BadParameter("--link, --list, --unpair, --owner and --reset don't go together")
    settings, folders, own, db = open_decisions(config)
    with closing(own), closing(db):
        if link:
            console().print(page_link(settings.web, folders))
        elif json:
            for browser in browsers.paired(own):
                json_line(browser)
        elif listed:
            table(("id", "browser", "role", "last here", "paired"),
                  [(browser.id, browser.name, browser.role, local(browser.used_wall_ms), local(browser.paired_wall_ms))
                   for browser in browsers.paired(own)])
        elif unpair is not None:
            if not unpair or not _end(settings, own, db, unpair):
                raise _unknown(unpair)
            console().print(f"[green]un-paired[/green]  {unpair}")
        elif owner is not None:
            if not browsers.give_role(own, db, owner, "owner", by="command", now=SystemClock().now()):
                raise _unknown(owner)
            poke(settings.store.runtime, "browsers", "web")
            console().print(f"[green]an owner[/green]  {owner}")
        else:
            if reset:
                if not yes and not _agreed(settings, len(browsers.paired(own))):
                    raise typer.Exit(1)
                _end(settings, own, db, "")
            _show(settings, folders, own)


def _agreed(settings: Settings, browsers_n: int) -> bool:
    """Asks the household in its own language; typer would add an English word."""
    with contextlib.suppress(typer.Abort):
        return typer.confirm(device_words.table(settings.device.language)["pair"]["reset"].format(number=browsers_n))
    return False


def _unknown(which: str) -> typer.BadParameter:
    return typer.BadParameter(f"no paired browser has the id {which}; taimat pair --list shows them")


def _end(settings: Settings, own: StoreConnection, db: StoreConnection, which: str) -> list[str]:
    """Un-pairs one browser or all (""), and tells the page at once. Returns their ids."""
    gone = browsers.unpair(own, db, which, SystemClock().now())
    poke(settings.store.runtime, "browsers", "web")
    return gone


def _show(settings: Settings, folders: Folders, own: StoreConnection) -> None:
    """Shows address and code, every word in the household's language."""
    web, out, said = settings.web, console(), device_words.table(settings.device.language)["pair"]
    code = grouped(browsers.pairing_code(own))
    port = page_port(Path(settings.store.runtime), web.port)
    address = phone_address(web.listen, port, web.tls)
    if address is not None and out.is_terminal and "THIS-COMPUTER" not in address:     # a container's, not set yet
        segno.make(address, micro=False).terminal(compact=True, border=2)
    if not web.enabled:
        out.print(escape(said["off"]))
    elif address is None:
        out.print(escape(said["here"].format(address=page_address(web))))
    else:
        out.print(f"{said['open']}  [bold]{address}[/bold]")
        if web.tls:
            mark = fingerprint(folders)
            for line in (said["warning"], f"[bold]{mark}[/bold]", said["compare"]) if mark else (said["later"],):
                out.print(f"   {line}")
    out.print(f"{said['enter' if address else 'code']}     [bold cyan]{code}[/bold cyan]")
