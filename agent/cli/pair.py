"""`taimat pair`: what a browser of the household needs to open the page, which ones are paired, and how it ends."""
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import segno
import typer
from rich.console import Console

from agent.cli.options import Config, Yes
from agent.cli.own_decisions import open_decisions
from agent.cli.page_link import page_address, page_link
from agent.cli.terminal import console, count, local, table
from agent.config.settings import Settings
from agent.core.contract.facts import Poke
from agent.core.household.access import grouped
from agent.host.address import phone_address
from agent.host.clock import SystemClock
from agent.host.datagram import Outlet
from agent.host.runtime import page_port
from agent.store.database import StoreConnection
from agent.store.decisions import browsers
from agent.store.folders import Folders
from agent.store.identity import fingerprint

Link = Annotated[bool, typer.Option(
    "--link", help="Print an address that lets one browser in, within a minute, without the code.")]
Listed = Annotated[bool, typer.Option("--list", help="List the paired browsers, the one that was here last first.")]
Unpair = Annotated[str | None, typer.Option(
    "--unpair", metavar="ID", show_default=False, help="Let this browser in no more; its id is in the list.")]
Owner = Annotated[str | None, typer.Option("--owner", metavar="ID", show_default=False,
    help="Let this browser do all that the household may; others but the first may only look.")]
Reset = Annotated[bool, typer.Option("--reset", help="Let none of them in any more, and make another code.")]

WARNING = {
    "en": ("The phone's browser warns once that it does not know who vouches for the page: nobody but this recorder "
           "does, by its own certificate. Have it show the certificate. Its SHA-256 fingerprint must be:",
           "The same: go on (Advanced, Continue). Another one: somebody is in between; enter nothing.",
           "The page makes its certificate when it starts; see its fingerprint then, with taimat pair."),
    "vi": ("Lần đầu, trình duyệt của điện thoại cảnh báo là không biết ai bảo đảm cho trang này: chỉ có chính máy ghi "
           "hình, bằng chứng chỉ riêng của nó. Hãy cho hiện chứng chỉ. Vân tay SHA-256 phải đúng như sau:",
           "Giống nhau: bấm tiếp tục (Nâng cao, Tiếp tục truy cập). Khác nhau: có kẻ đứng giữa; đừng nhập gì cả.",
           "Trang tạo chứng chỉ khi khởi động; lúc đó xem vân tay bằng lệnh taimat pair.")}


@dataclass(frozen=True, slots=True)
class _Household:
    settings: Settings
    folders: Folders
    own: StoreConnection
    db: StoreConnection


def pair(link: Link = False, listed: Listed = False, unpair: Unpair = None, owner: Owner = None,
         reset: Reset = False, yes: Yes = False, config: Config = None) -> None:
    if sum((link, listed, unpair is not None, owner is not None, reset)) > 1:
        raise typer.BadParameter("--link, --list, --unpair, --owner and --reset don't go together")
    with _household(config) as home:
        if link:
            console().print(page_link(home.settings.web, home.folders))
        elif listed:
            table(("id", "browser", "role", "last here", "paired"),
                  [(each.id, each.name, each.role, local(each.used_wall_ms), local(each.paired_wall_ms))
                   for each in browsers.paired(home.own)])
        elif unpair is not None:
            _unpair(home, unpair)
        elif owner is not None:
            _make_owner(home, owner)
        else:
            if reset:
                _reset(home, yes)
            _show(home)


@contextmanager
def _household(config: Path | None) -> Iterator[_Household]:
    settings, folders, own, db = open_decisions(config)
    with closing(own), closing(db):
        yield _Household(settings, folders, own, db)


def _unpair(home: _Household, which: str) -> None:
    if not which or not _end(home, which):
        raise typer.BadParameter(f"no paired browser has the id {which}; taimat pair --list shows them")
    console().print(f"[green]un-paired[/green]  {which}")


def _make_owner(home: _Household, which: str) -> None:
    if not browsers.give_role(home.own, home.db, which, "owner", "command", SystemClock().now()):
        raise typer.BadParameter(f"no paired browser has the id {which}; taimat pair --list shows them")
    _tell_page(home)
    console().print(f"[green]an owner[/green]  {which}")


def _reset(home: _Household, yes: bool) -> None:
    paired_n = len(browsers.paired(home.own))
    if not yes:
        typer.confirm(f"{count(paired_n, 'browser')} will have to pair anew, with another code. Go on?", abort=True)
    _end(home, "")


def _end(home: _Household, which: str) -> list[str]:
    """Let one or all ("") in no more, and have the page know it at once; returns their ids."""
    gone = browsers.unpair(home.own, home.db, which, SystemClock().now())
    _tell_page(home)
    return gone


def _tell_page(home: _Household) -> None:
    Outlet(Path(home.settings.store.runtime)).send(Poke(what="browsers"), "web")


def _show(home: _Household) -> None:
    web, out = home.settings.web, console()
    code = grouped(browsers.pairing_code(home.own))
    port = page_port(Path(home.settings.store.runtime), web.port)
    address = phone_address(web.listen, port, web.tls)
    if address is not None and out.is_terminal:
        segno.make(address, micro=False).terminal(compact=True, border=2)
    if not web.enabled:
        out.print("The page is switched off: set \\[web] enabled = true.")
    elif address is None:
        out.print(f"The page is open on this machine only: {page_address(web)}\n"
                  "For phones in your network set \\[web] listen = \"0.0.0.0\" and start Taimat again.")
    else:
        out.print(f"1. Open on the phone:  [bold]{address}[/bold]")
        if web.tls:
            _warn(home, out)
    told = "2. Enter the code" if address else "Pairing code"
    out.print(f"{told}:     [bold cyan]{code}[/bold cyan]")


def _warn(home: _Household, out: Console) -> None:
    warning, compare, later = WARNING[home.settings.device.language]
    mark = fingerprint(home.folders)
    for line in (warning, f"[bold]{mark}[/bold]", compare) if mark else (later,):
        out.print(f"   {line}")
