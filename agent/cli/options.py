"""Options and arguments of several commands."""
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from agent.cli import values

Config = Annotated[Path | None, typer.Option(
    "--config", "-c", metavar="FILE", envvar="TAIMAT_CONFIG", show_default=False,
    help="The configuration file. Default: your own ~/.config/taimat/taimat.toml, or else /etc/taimat/taimat.toml.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per line, for programs.")]
JsonList = Annotated[bool, typer.Option("--json", help="With --list: print one JSON object per line, for programs.")]
Last = Annotated[int, typer.Option("--last", "-n", metavar="N", min=1, max=100_000, help="Show the newest N.")]
OnlyCamera = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", autocompletion=values.cameras, show_default=False,
    help="Show only this camera, by its name or title.")]
CameraName = Annotated[str, typer.Argument(
    metavar="CAMERA", autocompletion=values.cameras, show_default=False,
    help="The camera's name in the configuration, or its title.")]
From = Annotated[str | None, typer.Option(
    "--from", metavar="TIME", show_default=False, help="Start of the time: '2026-11-25 14:00', or 14:00 for today.")]
To = Annotated[str | None, typer.Option(
    "--to", metavar="TIME", show_default=False, help="End of the time; 14:10 is on the day of --from. Default: now.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]
Bundle = Annotated[Path, typer.Argument(
    metavar="FILE", show_default=False, exists=True, dir_okay=False, resolve_path=True, help="The release's file.")]


def demand_list(json: bool, listed: bool) -> None:
    """Raises typer.BadParameter for --json without the --list that it belongs to."""
    if json and not listed:
        raise typer.BadParameter("--json goes with --list")


def lists_by_default(app: typer.Typer, listed: Callable[..., None]) -> None:
    """Makes a group list if no command follows it, and passes its --config on to its commands."""
    @app.callback()
    def options(context: typer.Context, json: Json = False, config: Config = None) -> None:
        if context.invoked_subcommand is None:
            listed(json=json, config=config)
        context.default_map = {name: {"config": config} for name in context.command.commands}
