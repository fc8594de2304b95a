"""`taimat update`: what the household decides, and what root does.

systemd's units and the package's maintainer script start it as root. The script does so before anything is installed:

    PYTHONPATH=/usr/lib/taimat:/usr/lib/taimat/libraries /usr/bin/python3 -P -B -m agent.cli.update adopt VERSION
"""
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer
from rich.markup import escape

from agent import __version__
from agent.cli.exits import say
from agent.cli.options import Bundle, Config, Json
from agent.cli.place import config_path, open_store
from agent.cli.processes import poke
from agent.cli.terminal import console, json_line, size
from agent.config.load import load
from agent.core.release import ReleaseRefused
from agent.host import log
from agent.host.updates import Result
from agent.privileged.update import adoption, root
from agent.store import updates
from agent.store.database import StoreError, require_usable

STATES = {"waiting": "waits for you: taimat update approve, or refuse", "approved": "approved, being fetched",
          "handed": "being installed and tried", "done": "installed, and works", "failed": "failed",
          "refused": "refused"}
CODES = {"declined": "by you", "superseded": "the ward has ordered another one", "download": "it could not be fetched",
         "unhealthy_rolled_back": "it did not work here, and the version before it runs again",
         "not_enabled": "the installer is switched off: systemctl status update-taimat-install.path",
         "wrong_machine": "it is made for another processor", "incomplete": "it needs the whole package",
         "needs_package": "apt must install it",
         "no_room": "the card is too full", "bad_signature": "it is not from the maker whose key is in [update]"}
NICE = 10                   # recording comes first
ROLES = ("capture", "keeper", "link", "web")

app = typer.Typer(no_args_is_help=True)


@app.command()
def show(json: Json = False, config: Config = None) -> None:
    """Show the version that runs, the ward's order and its outcome, and why the last refused version did not work."""
    settings, _, db = open_store(config)
    order = updates.read(db)
    place = root.Root(config_path(config))
    more, refused = adoption.standing(place), place.doors.refused()
    if json:
        json_line({"version": __version__, "more": more, "rule": settings.update.rule,
                   "order": msgspec.to_builtins(order) if order else None,
                   "refused": msgspec.to_builtins(refused) if refused else None})
        return
    ordered = f"{order.version} ({size(order.bytes)}): {STATES[order.state]}" if order else "nothing"
    if order and order.code:
        ordered += f", {CODES.get(order.code, order.code)}"
    for name, value in {"runs": f"{__version__}{more and f'; {more}'}", "rule": settings.update.rule,
                        "ordered": ordered,
                        **({"refused": escape(f"{refused.version}: {refused.why}")} if refused else {})}.items():
        console().print(f"[dim]{name:<12}[/dim]{value}")


@app.command()
def approve(config: Config = None) -> None:
    """Approve the version that the ward has ordered."""
    _decide(config, True)


@app.command()
def refuse(config: Config = None) -> None:
    """Refuse the version that the ward has ordered, and keep the one that runs."""
    _decide(config, False)


def _decide(config: Path | None, approved: bool) -> None:
    settings, _, db = open_store(config)
    order = updates.decide(db, approved)
    if order is None:
        raise StoreError("no version waits for you; see: taimat update show")
    poke(settings.store.runtime, "updates", "link")
    word = "[green]approved[/green]" if approved else "[yellow]refused[/yellow]"
    console().print(f"{word}  {order.version} ({size(order.bytes)})")


@app.command()
def install(bundle: Bundle, config: Config = None) -> None:
    """Install a release from a file, as root: check it, try it for minutes, and go back if it does not work."""
    _as_root(lambda place: root.install(place, bundle), config)


@app.command()
def rollback(config: Config = None) -> None:
    """Return to the version before this one, as root."""
    _as_root(root.rollback, config)


@app.command(hidden=True)
def work(config: Config = None) -> None:
    """For systemd, as root: install the link's release, or continue an interrupted update."""
    _as_root(root.work, config)


@app.command(hidden=True)
def boot(config: Config = None) -> None:
    """For systemd, as root, before any role starts."""
    _as_root(root.boot, config)


@app.command(hidden=True)
def ready(version: str, config: Config = None) -> None:
    """For the version before this one: say whether this version can work here. Changes nothing."""
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
    """For the package's maintainer script, as root, with the version that was configured before."""
    os.nice(NICE)
    _as_root(lambda place: adoption.adopt(place, before), config)


def _as_root(act: Callable[[root.Root], Result | str | None], config: Path | None) -> None:
    """Acts on this machine, and prints the outcome. Raises ConfigError and AlreadyRunning."""
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


if __name__ == "__main__":
    try:
        app(prog_name="taimat update")
    except Exception as error:
        sys.exit(say(error))
