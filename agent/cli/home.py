"""`taimat home remove`: removes the recorder from the household's Home Assistant."""
import random
import threading
from pathlib import Path

import typer
from rich.markup import escape

from agent.cli.options import Config
from agent.cli.place import config_path
from agent.cli.terminal import console
from agent.config.load import load
from agent.home import WAITS, HomeContext, remove
from agent.host.clock import SystemClock
from agent.host.users import step_down
from agent.store import home, identity
from agent.store.database import connect
from agent.store.folders import Folders

WITHIN_S = 20.0
EXIT_SHOWN = 1               # Home Assistant still shows the recorder

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps this a group: typer would make an app with a single command that command."""


@app.command("remove")
def remove_here(config: Config = None) -> None:
    """Remove the recorder from Home Assistant, after [home] is switched off. The link also does this at its start."""
    settings = load(config_path(config))
    if settings.home.enabled:
        console().print("[yellow]not removed[/yellow]  \\[home] is switched on, so the link would show the recorder "
                        "again: set enabled = false there and restart taimat-link, which removes it; use this command "
                        "if it could not")
        raise typer.Exit(EXIT_SHOWN)
    root = Path(settings.store.folder)
    step_down(root)
    db = connect(root)
    try:
        if (shown := home.shown(db)) is None:
            console().print("nothing to remove: no broker of the household shows this recorder")
            return
        context = HomeContext(settings, Folders(root), Path(settings.store.runtime), clock=SystemClock(),
                              own_id=identity.named(root) or identity.UNNAMED, waits=WAITS, draw=random.random)
        fault = remove(context, shown, threading.Event(), WITHIN_S, f"taimat-{context.own_id}-remove")
        if fault:
            console().print(f"[red]still shown by Home Assistant[/red]  {escape(str(fault))}")
            raise typer.Exit(EXIT_SHOWN)
        home.remember(db, None)
    finally:
        db.close()
    console().print(f"[green]removed[/green]  from Home Assistant at {shown.host}:{shown.port}")
