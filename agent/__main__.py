"""The `taimat` command. cli/commands.toml lists its commands; each is imported only when it is called."""
import os
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.completion import completion_init
from typer.core import TyperCommand, TyperGroup

HELP = "Taimat records cameras on this computer, keeps the clips, and reports events to the ward's broker."

# Always listed: if it is not installed, it says how to install it.
WARD = ("ward", "agent.ward.cli.main:app", "Run a ward",
        "Set up the ward's end, enrol its devices, see how they are, ask for pictures.")
CLI = Path(__file__).with_name("cli")
LISTED = tomllib.loads(CLI.joinpath("commands.toml").read_text(encoding="utf-8"))
COMPLETION = ("install_completion", "show_completion")      # the package brings one completion for all


class LazyCommand(TyperCommand):
    """A list entry with its line of help. It imports the command or group that it stands for when that is called."""

    def __init__(self, name: str, place: str, panel: str, line: str) -> None:
        """`place` is "module:name" of a function, or of the `typer.Typer` of a group; it is hidden if `line` is ""."""
        super().__init__(name, help=line, rich_help_panel=panel, hidden=not line)
        self._module, _, self._attribute = place.partition(":")

    def load(self) -> Any:
        found = getattr(import_module(self._module), self._attribute)
        if not isinstance(found, typer.Typer):
            function, found = found, typer.Typer(add_completion=False, rich_markup_mode="rich")
            found.command(self.name)(function)
        command = typer.main.get_command(found)
        command.help = self.help or command.help
        command.params = [option for option in command.params if option.name not in COMPLETION]
        return command

    def make_context(self, *given: Any, **more: Any) -> Any:
        """Called by typer when the command is: the real one takes over."""
        return self.load().make_context(*given, **more)


@contextmanager
def _remedied() -> Iterator[None]:
    """Adds the remedy to what Typer says of a command line that it does not understand."""
    try:
        yield
    except Exception as error:
        if hasattr(error, "format_message"):
            from agent.cli.remedies import add
            add(error)
        raise


class Taimat(TyperGroup):
    def make_context(self, *given: Any, **more: Any) -> Any:
        with _remedied():
            return super().make_context(*given, **more)

    def invoke(self, ctx: Any) -> Any:
        with _remedied():
            return super().invoke(ctx)


def _is_here(place: str) -> bool:
    """Whether the command's module is installed. A ward's machine lacks most of them."""
    module = CLI.joinpath(*place.partition(":")[0].split("."))
    return module.with_suffix(".py").exists() or module.is_dir()


def _show_version(wanted: bool) -> None:
    if wanted:
        import agent
        typer.echo(f"taimat {agent.__version__}")
        raise typer.Exit


def group() -> TyperGroup:
    """The `taimat` command with all of its commands."""
    app = typer.Typer(
        name="taimat", cls=Taimat, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
        rich_markup_mode="rich", context_settings={"help_option_names": ["-h", "--help"]},
        epilog=" · ".join(LISTED["exit_codes"]))

    @app.callback(help=HELP)
    def options(version: Annotated[bool, typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version.")] = False) -> None:
        """Options before any command."""

    made = typer.main.get_group(app)
    for panel, commands in LISTED["panels"].items():
        for name, (place, line) in commands.items():
            if _is_here(place):
                made.add_command(LazyCommand(name, f"agent.cli.{place}", panel, line))
    made.add_command(LazyCommand(*WARD))
    return made


def main() -> None:
    try:
        if "_TAIMAT_COMPLETE" in os.environ:        # a shell asks what may follow
            completion_init()
        group()(prog_name="taimat")
    except Exception as error:
        from agent.cli.exits import say
        sys.exit(say(error))


if __name__ == "__main__":
    main()
