"""Options and arguments that several commands have, each said once: name, value and one line of help."""
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path | None, typer.Option(
    "--config", "-c", metavar="FILE", envvar="TAIMAT_CONFIG", show_default=False,
    help="The configuration. Without it: your own ~/.config/taimat/taimat.toml, or else /etc/taimat/taimat.toml.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]
Last = Annotated[int, typer.Option("--last", "-n", metavar="N", min=1, max=100_000, help="How many, the newest ones.")]
OnlyCamera = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", show_default=False, help="Only this camera, by its name or its title.")]
CameraName = Annotated[str, typer.Argument(
    metavar="CAMERA", show_default=False, help="Its name in the configuration, or its title.")]
From = Annotated[str | None, typer.Option(
    "--from", metavar="TIME", show_default=False, help="From when on: '2026-11-25 14:00', or 14:00 for today.")]
To = Annotated[str | None, typer.Option(
    "--to", metavar="TIME", show_default=False, help="Until when; 14:10 is on the day of --from. Without it, now.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is already there.")]
Bundle = Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="A release as its maker packs it.")]


def lists_by_default(app: typer.Typer, listed: Callable[..., None]) -> None:
    """Have a group list where no word follows it; its --config holds for its commands, too."""
    @app.callback()
    def options(context: typer.Context, config: Config = None) -> None:
        if context.invoked_subcommand is None:
            listed(config=config)
        context.default_map = {name: {"config": config} for name in context.command.commands}
