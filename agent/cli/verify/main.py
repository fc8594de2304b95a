"""`taimat verify`, from start to end: read the card or the export, check rows and clips or films, say what holds."""
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import Config, Json
from agent.cli.place import load_here
from agent.cli.terminal import working
from agent.cli.verify import card, show
from agent.core.evidence.ledger import check, check_card, check_package
from agent.host.command_key import verifies
from agent.store.export import unpacked

EXIT_HOLDS, EXIT_FOUND = 0, 1
HEAD_DIGITS_MIN = 16


StoreFolder = Annotated[Path | None, typer.Argument(metavar="[FOLDER]", show_default=False,
    help="A store, as on a card in a reader. Without it, the one that the configuration names.")]
Heads = Annotated[list[str] | None, typer.Option("--head", metavar="N:HEX", show_default=False,
    help="A row's number and hash as somebody else has kept them, such as the ward; several times for several.")]
Fingerprint = Annotated[str | None, typer.Option(
    "--key", metavar="HEX", show_default=False, help="The fingerprint of the device's key, as somebody has kept it.")]


def verify(folder: StoreFolder = None, heads: Heads = None, key: Fingerprint = None, json: Json = False,
           config: Config = None) -> None:
    anchors = dict(map(_head, heads or ()))
    if key and not _is_hex(key, 16):
        raise typer.BadParameter(f"{key} is no key's fingerprint: 16 hex digits, as in a health report",
                                 param_hint="--key")
    place = folder or Path(load_here(config).store.folder)
    raise typer.Exit((_export if unpacked.is_one(place) else _card)(place, anchors, key or "", json))


def _card(folder: Path, anchors: dict[int, str], key: str, as_json: bool) -> int:
    with working("reading ...", as_json) as tick:
        seen = card.read(folder, lambda files_n: tick(f"{files_n} files read ..."))
    checked = check(seen.lines, verifies, heads=anchors, key=key, told_key=seen.key, waiting=seen.waiting,
                    noted_n=seen.noted_n)
    findings = [*checked.findings, *check_card(checked, seen.shelf)]
    show.card(show.CardResults(checked, findings, seen.shelf, anchors), as_json)
    return EXIT_FOUND if findings else EXIT_HOLDS


def _export(folder: Path, anchors: dict[int, str], key: str, as_json: bool) -> int:
    with working("reading ...", as_json) as tick:
        seen = unpacked.read(folder, lambda files_n: tick(f"{files_n} files read ..."))
    verdict = check_package(seen, verifies, heads=anchors, key=key)
    show.export(show.ExportResults(verdict, anchors, bool(key)), as_json)
    return EXIT_FOUND if verdict.findings else EXIT_HOLDS


def _head(text: str) -> tuple[int, str]:
    number, _, digits = text.partition(":")
    if not number.isdecimal() or not _is_hex(digits, HEAD_DIGITS_MIN):
        raise typer.BadParameter(f"{text}: a row's number, a colon and the first {HEAD_DIGITS_MIN} hex digits of its "
                                 "hash or more, as in 412:9f2c1a7e00aa4b55", param_hint="--head")
    return int(number), digits.lower()


def _is_hex(text: str, digits_min: int) -> bool:
    return len(text) >= digits_min and not set(text.lower()) - set("0123456789abcdef")
