"""`taimat ward desk`: the page for officers.

It is a service, and stands apart from those that take in what devices tell.
"""
import typer

from agent.cli.ward.part import WARD_CONFIG, Config, become

app = typer.Typer()


@app.command("desk")
def desk(config: Config = WARD_CONFIG) -> None:
    """Show officers the ward's devices on a page, where they ask households for pictures."""
    become("desk.main", config)
