"""`taimat card check | make | fit`: for a card in a computer, or on the recorder itself."""
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer
from rich.markup import escape

from agent.cli.card import boot_block, provision
from agent.cli.card.boot_partition import NoYaml, judge
from agent.cli.options import Force, Json
from agent.cli.terminal import console, count, json_line
from agent.core.card import boot_judge, cloud_init, packages
from agent.core.contract.enrolment import CardSettings
from agent.host.files import write_durably
from agent.store.database import StoreError

EXIT_OF = {"warning": 1, "error": 2}
EXIT_NO_LIBRARY = 69
COLOUR = {"warning": "yellow", "error": "bold red"}
READABLE = 0o644

app = typer.Typer(no_args_is_help=True)
Card = Annotated[Path, typer.Argument(
    metavar="DIR", help="The mount point of the card's first partition (bootfs); on the recorder, /boot/firmware.")]
FlashedCard = Annotated[Path, typer.Argument(
    metavar="DIR", show_default=False, help="The mount point of a freshly flashed card's first partition (bootfs).")]


def _names_of_packages(named: list[Path] | None) -> list[Path] | None:
    if fault := next(filter(None, (packages.unfit(path.name) for path in named or ())), None):
        raise typer.BadParameter(fault)
    return named or []


def _fits(key: str, takes: str) -> Callable[[str], str]:
    """Makes a check of an option that is a key of CardSettings; `takes` says what is right."""
    def fits(value: str) -> str:
        try:
            msgspec.convert({"hostname": "taimat", key: value}, CardSettings)
        except msgspec.ValidationError:
            raise typer.BadParameter(f"takes {takes}; it is {value!r}") from None
        return value
    return fits


def _demand_wifi(name: str, password: str) -> str:
    if fault := next(cloud_init.wifi_faults(name, password), None):
        raise typer.BadParameter(f"the Wi-Fi's {'name' if fault[0] == 'wifi' else 'password'} {fault[1]}")
    return name


Wifi = Annotated[str, typer.Option(
    "--wifi", metavar="NAME", show_default=False, callback=lambda name: _demand_wifi(name, ""),
    help="The Wi-Fi's name; the command asks for its password. Default: use a cable.")]
Packages = Annotated[list[Path] | None, typer.Option(
    "--package", metavar="FILE", show_default=False, exists=True, dir_okay=False, callback=_names_of_packages,
    help="A package to install from the card. May be repeated.")]
Hostname = Annotated[str, typer.Option(
    "--hostname", metavar="NAME", callback=_fits("hostname", "small letters, digits and '-', as in taimat-2"),
    help="The page is at http://NAME.local.")]
Country = Annotated[str, typer.Option(
    "--country", metavar="CODE", callback=_fits("country", "two capital letters, as in VN"),
    help="The country whose radio rules apply.")]
Label = Annotated[Path | None, typer.Option(
    "--label", metavar="FILE", show_default=False, help="Also draw a label with address and code to print, as SVG.")]
Undo = Annotated[bool, typer.Option("--undo", help="Remove what an earlier fit has added.")]


@app.command()
def check(card: Card = Path("/boot/firmware"), json: Json = False) -> None:
    """Check config.txt, cmdline.txt, cloud-init's files and the packages: each mistake with line and remedy."""
    report(card, str(card), json)


@app.command()
def make(card: FlashedCard, wifi: Wifi = "", package: Packages = None, hostname: Hostname = "taimat",
         country: Country = "VN", label: Label = None, force: Force = False) -> None:
    """Make a freshly flashed card a recorder's: network, packages, and a pairing code for the label."""
    if label is not None and label.exists() and not force:
        raise StoreError(f"{label}: is already there; use --force to replace it")
    password = typer.prompt(f"Password of {wifi}", hide_input=True) if wifi else ""
    _demand_wifi(wifi, password)
    try:
        wanted = CardSettings(hostname=hostname, country=country, wifi=wifi, wifi_password=password)
        code = provision.fill(card, wanted, package or [])
        if label is not None:
            write_durably(label, provision.label(hostname, code), READABLE)
    except OSError as problem:
        raise StoreError(f"{problem.filename or card}: {problem.strerror or problem}") from problem
    console().print(f"page:          http://{hostname}.local\npairing code:  [bold cyan]{code}[/bold cyan]")
    check(card)


def report(card: Path, called: str, json: bool = False) -> NoReturn:
    """Prints what is wrong with the boot partition in `card`, and exits with the code of the worst mistake."""
    try:
        findings = judge(card)
    except NoYaml:
        typer.echo("cloud-init's files are YAML, and PyYAML is not installed: sudo apt install python3-yaml", err=True)
        raise typer.Exit(EXIT_NO_LIBRARY) from None
    except OSError as problem:
        raise StoreError(f"{problem.filename or called}: {problem.strerror}; is the card mounted, and may this user "
                         "read it?") from problem
    for finding in findings:
        if json:
            json_line(finding)
            continue
        place = f"{finding.file}:{finding.line}" if finding.line else finding.file
        console().print(f"{place}: [{COLOUR[finding.severity]}]{finding.severity}[/]: {escape(finding.why)}\n"
                        f"  → {escape(finding.remedy)}")
    if not json:
        errors_n = sum(finding.severity == "error" for finding in findings)
        console().print(f"\n{count(errors_n, 'error')}, {count(len(findings) - errors_n, 'warning')}" if findings else
                        f"[green]ok[/green]  {escape(called)}: no mistake found")
    raise typer.Exit(max((EXIT_OF[finding.severity] for finding in findings), default=0))


@app.command()
def fit(card: Card = Path("/boot/firmware"), undo: Undo = False) -> None:
    """Add a recorder's lines to config.txt and words to cmdline.txt, and keep everything else.

    The package taimat-board does this by itself, and removes them when it is purged.
    """
    config, cmdline = card / boot_judge.CONFIG, card / boot_judge.CMDLINE
    try:
        before = config.read_text(encoding="utf-8"), cmdline.read_text(encoding="utf-8")
        after = (boot_block.removed if undo else boot_block.added)(*before)
        for file, old, new in zip((config, cmdline), before, after, strict=True):   # first the one with the record
            if new != old:
                write_durably(file, new.encode(), READABLE)
    except (OSError, UnicodeDecodeError) as problem:
        raise StoreError(f"{card}: {problem}; name the folder where the card's first partition is mounted") from problem
    changed = "as it was" if before == after else "changed" if not undo else "as the system made it"
    console().print(f"[green]ok[/green]  {escape(str(card))}: {changed}")
