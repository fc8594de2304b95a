"""What `taimat export` understands beside what says which footage."""
from pathlib import Path
from typing import Annotated

import typer

Case = Annotated[str | None, typer.Option(
    "--case", metavar="NUMBER", show_default=False, help="The number of the case. This and the next two are signed.")]
Purpose = Annotated[str | None, typer.Option(
    "--purpose", metavar="TEXT", show_default=False, help="What it is for.")]
Officer = Annotated[str | None, typer.Option(
    "--officer", metavar="NAME", show_default=False, help="Who asked for it.")]
Recipients = Annotated[list[str] | None, typer.Option(
    "--recipient", "-r", metavar="KEY", show_default=False,
    help="Seal it for this age1... or ssh-ed25519 key, so that nobody else can open it; several times for several.")]
RecipientsFile = Annotated[Path | None, typer.Option(
    "--recipients-file", "-R", metavar="FILE", show_default=False, help="Seal it for the keys in this file.")]
Unsigned = Annotated[bool, typer.Option(
    "--unsigned", help="Without the keeper, as from a card in a reader. Nobody vouches for such films.")]
PackageTo = Annotated[Path | None, typer.Option(
    "--output", "-o", metavar="NAME", show_default=False,
    help="The folder to make, or the sealed file. Without it, one named after camera and time, here.")]
