"""The whole of a check: read the card, check rows and clips, say what holds."""
from collections.abc import Sequence
from pathlib import Path

import typer
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.config.load import load
from agent.core.ledger import check, check_shelf
from agent.tools.place import config_path
from agent.tools.terminal import console
from agent.tools.verify import card, show

EXIT_HOLDS, EXIT_FOUND = 0, 1
HEAD_DIGITS_MIN = 16


def verify(config: Path | None, folder: Path | None, heads: Sequence[str], key: str, as_json: bool) -> int:
    """Check a store and print what came of it; returns 1 if anything does not hold.

    Raises typer.BadParameter for a head or key that is none, ConfigError, StoreError.
    """
    anchors = dict(map(_head, heads))
    if key and not _is_hex(key, 16):
        raise typer.BadParameter(f"{key} is no key's fingerprint: 16 hex digits, as in a health report",
                                 param_hint="--key")
    out = console()
    with out.status(" reading ...") as status:
        if as_json or not out.is_terminal:
            status.stop()
        seen = card.read(folder or Path(load(config_path(config)).store.folder),
                         lambda clips_n: status.update(f" {clips_n} clips read ..."))
    checked = check(seen.lines, verifies, heads=anchors, key=key, told_key=seen.key, waiting=seen.waiting,
                    noted_n=seen.noted_n)
    findings = [*checked.findings, *check_shelf(checked, seen.shelf)]
    show.results(show.Results(checked, findings, seen.shelf, anchors), as_json)
    return EXIT_FOUND if findings else EXIT_HOLDS


def verifies(key: bytes, sig: bytes, message: bytes) -> bool:
    """Whether the public key vouches for the message."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(sig, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _head(text: str) -> tuple[int, str]:
    number, _, digits = text.partition(":")
    if not number.isdecimal() or not _is_hex(digits, HEAD_DIGITS_MIN):
        raise typer.BadParameter(f"{text}: a row's number, a colon and the first {HEAD_DIGITS_MIN} hex digits of its "
                                 "hash or more, as in 412:9f2c1a7e00aa4b55", param_hint="--head")
    return int(number), digits.lower()


def _is_hex(text: str, digits_min: int) -> bool:
    return len(text) >= digits_min and not set(text.lower()) - set("0123456789abcdef")
