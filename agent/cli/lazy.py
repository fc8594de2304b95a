"""Commands that are imported when they are called, so that neither `--help` nor another command waits for them.

It stands apart from the list of commands, which it does not need to know.
"""
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand

COMPLETION = ("install_completion", "show_completion")      # a group's own: the package brings it for the whole command


class LazyCommand(TyperCommand):
    """Stands in the list of commands for a command or a group of another module, and brings its line of help."""

    def __init__(self, name: str, place: str, panel: str, line: str) -> None:
        """`place` is "module:name" of a function, or of the `typer.Typer` of a group; without `line` it is hidden."""
        super().__init__(name, help=line, rich_help_panel=panel, hidden=not line)
        self._module, _, self._attribute = place.partition(":")

    def load(self) -> Any:
        """Import the command; returns it as typer runs it."""
        found = getattr(import_module(self._module), self._attribute)
        if not isinstance(found, typer.Typer):
            function, found = found, typer.Typer(add_completion=False, rich_markup_mode="rich")
            found.command(self.name)(function)
        command = typer.main.get_command(found)
        command.help = self.help or command.help
        command.params = [each for each in command.params if each.name not in COMPLETION]
        return command

    def make_context(self, *given: Any, **more: Any) -> Any:
        """What typer asks of a command that is called: from here on the real one goes on."""
        return self.load().make_context(*given, **more)
