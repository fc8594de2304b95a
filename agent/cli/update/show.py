"""`taimat update show|approve|refuse`: which version runs, which one the ward wants here, and the household's word."""
from pathlib import Path

import msgspec

from agent import __version__
from agent.cli.place import open_store
from agent.cli.terminal import console, json_line, size
from agent.core.contract.facts import Poke
from agent.host.datagram import Outlet
from agent.store import updates
from agent.store.database import StoreError
from agent.store.updates import UpdateOrder

STATES = {"waiting": "waits for you: taimat update approve, or refuse", "approved": "approved, being fetched",
          "handed": "being installed and tried", "done": "installed, and works", "failed": "came to nothing",
          "refused": "refused"}
CODES = {"declined": "by you", "superseded": "the ward has ordered another one", "download": "it could not be fetched",
         "unhealthy_rolled_back": "it did not work here, and the version before it runs again",
         "not_enabled": "nobody installs it: systemctl enable --now update-taimat-install.path",
         "no_room": "the card is too full", "bad_signature": "it is not from the maker whose key is in [update]"}


def show(config: Path | None, as_json: bool) -> None:
    """Print it. Raises ConfigError, StoreError."""
    settings, _, db = open_store(config)
    order = updates.read(db)
    if as_json:
        json_line({"version": __version__, "rule": settings.update.rule,
                   "order": msgspec.to_builtins(order) if order else None})
        return
    out = console()
    out.print(f"[dim]{'runs':<12}[/dim]{__version__}")
    out.print(f"[dim]{'rule':<12}[/dim]{settings.update.rule}")
    out.print(f"[dim]{'ordered':<12}[/dim]{_line(order) if order else 'nothing'}", soft_wrap=True)


def decide(config: Path | None, approve: bool) -> None:
    """The household's word on what waits for it. Raises ConfigError, StoreError."""
    settings, _, db = open_store(config)
    order = updates.decide(db, approve)
    if order is None:
        raise StoreError("no version waits for you; see: taimat update show")
    Outlet(Path(settings.store.runtime)).send(Poke(what="updates"), "link")
    word = "[green]approved[/green]" if approve else "[yellow]refused[/yellow]"
    console().print(f"{word}  {order.version} ({size(order.bytes)})")


def _line(order: UpdateOrder) -> str:
    said = f"{order.version} ({size(order.bytes)}): {STATES[order.state]}"
    return f"{said}, {CODES.get(order.code, order.code)}" if order.code else said
