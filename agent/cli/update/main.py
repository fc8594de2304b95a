"""The commands of `taimat update`: what the household sees and decides, and what root does."""
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from agent import __version__
from agent.cli.options import Bundle, Config, Json
from agent.cli.place import config_path, open_store
from agent.cli.terminal import console, json_line, size
from agent.config.load import load
from agent.core.contract.facts import Poke
from agent.core.release import ReleaseRefused
from agent.host import log
from agent.host.datagram import Outlet
from agent.host.updates import Result
from agent.privileged.update import adoption, root
from agent.store import updates
from agent.store.database import StoreError, require_usable
from agent.store.updates import UpdateOrder

STATES = {"waiting": "waits for you: taimat update approve, or refuse", "approved": "approved, being fetched",
          "handed": "being installed and tried", "done": "installed, and works", "failed": "came to nothing",
          "refused": "refused"}
CODES = {"declined": "by you", "superseded": "the ward has ordered another one", "download": "it could not be fetched",
         "unhealthy_rolled_back": "it did not work here, and the version before it runs again",
         "not_enabled": "nobody installs it: systemctl status update-taimat-install.path",
         "wrong_machine": "it is made for another processor", "incomplete": "it needs the whole package",
         "needs_package": "it is to be installed by apt",
         "no_room": "the card is too full", "bad_signature": "it is not from the maker whose key is in [update]"}
NICE = 10                   # recording comes first
ROLES = ("capture", "keeper", "link", "web")

app = typer.Typer(no_args_is_help=True)


@app.command()
def show(json: Json = False, config: Config = None) -> None:
    """Show which version runs, which one the ward wants here, and what became of others."""
    settings, _, db = open_store(config)
    order = updates.read(db)
    more = adoption.standing(root.Root(config_path(config)))
    if json:
        json_line({"version": __version__, "more": more, "rule": settings.update.rule,
                   "order": msgspec.to_builtins(order) if order else None})
        return
    out = console()
    out.print(f"[dim]{'runs':<12}[/dim]{__version__}{more and f'; {more}'}")
    out.print(f"[dim]{'rule':<12}[/dim]{settings.update.rule}")
    out.print(f"[dim]{'ordered':<12}[/dim]{_line(order) if order else 'nothing'}")


def _line(order: UpdateOrder) -> str:
    said = f"{order.version} ({size(order.bytes)}): {STATES[order.state]}"
    return f"{said}, {CODES.get(order.code, order.code)}" if order.code else said


@app.command()
def approve(config: Config = None) -> None:
    """Let the version be installed that the ward has ordered and that waits for you."""
    _decide(config, True)


@app.command()
def refuse(config: Config = None) -> None:
    """Keep the version that runs; the ward may order another one."""
    _decide(config, False)


def _decide(config: Path | None, approved: bool) -> None:
    settings, _, db = open_store(config)
    order = updates.decide(db, approved)
    if order is None:
        raise StoreError("no version waits for you; see: taimat update show")
    Outlet(Path(settings.store.runtime)).send(Poke(what="updates"), "link")
    word = "[green]approved[/green]" if approved else "[yellow]refused[/yellow]"
    console().print(f"{word}  {order.version} ({size(order.bytes)})")


@app.command()
def install(bundle: Bundle, config: Config = None) -> None:
    """Install a release from a file, as root: checked, tried for minutes, and taken back if it is not well."""
    _as_root(lambda place: root.install(place, bundle), config)


@app.command()
def rollback(config: Config = None) -> None:
    """Have the version before this one run again, as root."""
    _as_root(root.rollback, config)


@app.command(hidden=True)
def work(config: Config = None) -> None:
    """What systemd starts as root when the link has a release, or when an update was cut off."""
    _as_root(root.work, config)


@app.command(hidden=True)
def boot(config: Config = None) -> None:
    """What systemd starts as root before any role."""
    _as_root(root.boot, config)


@app.command(hidden=True)
def ready(version: str, config: Config = None) -> None:
    """What the version before this one asks: whether this one can work here. Nothing is changed."""
    if version != __version__:
        _fail(f"this is {__version__}, and was announced as {version}")
    require_usable(Path(load(config_path(config)).store.folder))
    for role in ROLES:
        try:
            importlib.import_module(f"agent.{role}.main")
        except ImportError as error:
            _fail(f"{role}: {error}; the library is neither in the release nor on this system")


@app.command(hidden=True)
def adopt(before: Annotated[str, typer.Argument(metavar="VERSION")] = "", config: Config = None) -> None:
    """What the package's maintainer script calls as root, with the version that was configured before."""
    os.nice(NICE)
    _as_root(lambda place: adoption.adopt(place, before), config)


def _as_root(act: Callable[[root.Root], Result | str | None], config: Path | None) -> None:
    """Do it on this machine, and say what came of it. Raises ConfigError and AlreadyRunning."""
    log.set_up("update", "info")
    os.umask(0o022)             # all users may run what is installed
    try:
        result = act(root.Root(config_path(config)))
    except (ReleaseRefused, OSError) as error:
        _fail(error)
    if isinstance(result, str):
        print(result)
    elif result and result.code:
        _fail(f"not installed: {result.code}")
    elif result:
        print(f"{result.version} runs")


def _fail(why: object) -> NoReturn:
    print(why, file=sys.stderr)
    raise typer.Exit(1)
