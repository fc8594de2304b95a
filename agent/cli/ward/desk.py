"""`taimat ward desk` and `taimat ward officer`: the page for officers, and who they are.

The page is a service; officers are made by root on the ward's machine.
"""
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.ward import panels
from agent.cli.ward.part import WARD_CONFIG, Config, become

app = typer.Typer()
officers = typer.Typer(no_args_is_help=True, help="Who may come to the ward's desk: officers and their certificates.")
app.add_typer(officers, name="officer", rich_help_panel=panels.DEVICES)

Officer = Annotated[str, typer.Argument(
    metavar="NAME", show_default=False, help="A name of a-z, 0-9 and '-', as in tran-van-binh.")]
Person = Annotated[str, typer.Option(
    "--person", metavar="TEXT", show_default=False, help="How people call the officer; households read it.")]
P12 = Annotated[Path | None, typer.Option(
    "--p12", metavar="FILE", show_default=False,
    help="Where the file for the officer's browser is laid. Without it: desk-NAME.p12 here.")]


@app.command("desk", rich_help_panel=panels.SERVICES)
def desk(config: Config = WARD_CONFIG) -> None:
    """Show officers the ward's devices on a page, where they ask households for pictures."""
    become("desk.main", config)


@officers.command("add")
def add(name: Officer, person: Person = "", p12: P12 = None, config: Config = WARD_CONFIG) -> None:
    """Make an officer's certificate, as a file that a browser takes in, and tell its passphrase once."""
    words = [f"--person={person}", *([f"--p12={p12.absolute()}"] if p12 else []), "--", name]
    become("desk.officers", config, words=["add", *words])


@officers.command("list")
def listed(config: Config = WARD_CONFIG) -> None:
    """List the officers, and when their certificates end."""
    become("desk.officers", config, words=["list"])


@officers.command("remove")
def remove(name: Officer, config: Config = WARD_CONFIG) -> None:
    """Take an officer's certificate back: the desk lets it in no more."""
    become("desk.officers", config, words=["remove", "--", name])
