"""The options of `taimat export`: of the footage, of a film, of a package. Which of the two it is, `--film` says."""
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.export.film import export_film
from agent.cli.export.package import PackageOptions, export_package
from agent.cli.footage import FootageOptions
from agent.cli.options import Config, Force, From, Json, To

ClipName = Annotated[str | None, typer.Argument(
    metavar="[CLIP]", show_default=False, help="All of this clip, instead of a time.")]
WhoseCamera = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", show_default=False, help="Whose recordings. Not needed where there is only one.")]
LastTime = Annotated[str | None, typer.Option(
    "--last", metavar="LENGTH", show_default=False, help="The last 10m, 2h or 1d, instead of --from and --to.")]
Film = Annotated[bool, typer.Option(
    "--film", help="The film alone, as one MP4: no signature, and nothing to check it with.")]
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
Output = Annotated[Path | None, typer.Option(
    "--output", "-o", metavar="NAME", show_default=False,
    help="The folder to make, the sealed file, or the film. Without it, one named after camera and time, here.")]
HouseholdKey = Annotated[Path | None, typer.Option(
    "--household-key", metavar="FILE", show_default=False,
    help="Open encrypted recordings with the household's key, as it stands in this file; - asks for it.")]


def export(clip: ClipName = None, camera: WhoseCamera = None, since: From = None, until: To = None,
           last: LastTime = None, film: Film = False, force: Force = False, case: Case = None, purpose: Purpose = None,
           officer: Officer = None, recipient: Recipients = None, recipients_file: RecipientsFile = None,
           unsigned: Unsigned = False, output: Output = None, json: Json = False, household_key: HouseholdKey = None,
           config: Config = None) -> None:
    """Hand recordings out: films, signed by the recorder, with all that it takes to check them anywhere."""
    footage = FootageOptions(clip, camera, since, until, last, household_key)
    package = PackageOptions(case, purpose, officer, recipient or (), recipients_file, unsigned)
    if film and package != PackageOptions(None, None, None, (), None, False):
        raise typer.BadParameter("--film is the film alone, and only a package is signed or sealed: leave out --film, "
                                 "or --case, --purpose, --officer, --recipient, --recipients-file and --unsigned")
    if force and not film:
        raise typer.BadParameter("--force goes with --film: a package never replaces anything")
    raise typer.Exit(export_film(footage, output, force, json, config) if film else
                     export_package(footage, package, output, json, config))
