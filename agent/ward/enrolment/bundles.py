"""What a device's card is made from: a folder for each, with its bundle, its pairing code and what the card is to know.

Whoever reads it can enrol in the device's place, so it is its maker's alone.
"""
import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from agent.core.contract.enrolment import (
    BUNDLE_FILE,
    CARD_FILE,
    CODE_FILE,
    Bundle,
    BundleError,
    CardSettings,
    bundle_text,
    card_text,
    claim_digest,
    parse_bundle,
    parse_card,
)

OWN_ONLY, OWN_FOLDER = 0o600, 0o700


@dataclass(frozen=True, slots=True)
class CardBundle:
    """All that is for one card."""

    bundle: Bundle
    code: str                   # of pairing, as people read it: "7K2M-Q9XD"
    card: CardSettings

    @property
    def digest(self) -> str:
        """Of its claim, as the book has it."""
        return claim_digest(self.bundle.claim)

    @property
    def address(self) -> str:
        """Where the household finds the recorder's page."""
        return f"http://{self.card.hostname}.local"


def hostname(serial: str) -> str:
    """The name of a recorder in its household's network."""
    return f"taimat-{serial.lower()}".rstrip("-")


def write(folder: Path, made: CardBundle) -> None:
    """Put it into a folder of its own there, all of it or nothing, in place of an older one. Raises OSError.

    It is not flushed: whoever has written all of them flushes once.
    """
    folder.mkdir(OWN_FOLDER, parents=True, exist_ok=True)
    target, draft = folder / made.bundle.serial, folder / f".{made.bundle.serial}.part"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(OWN_FOLDER)
    for name, text in ((BUNDLE_FILE, bundle_text(made.bundle)), (CODE_FILE, f"{made.code}\n"),
                       (CARD_FILE, card_text(made.card))):
        with open(os.open(draft / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWN_ONLY), "w", encoding="utf-8") as file:
            file.write(text)
    with contextlib.suppress(FileNotFoundError):
        os.rename(target, folder / f".{made.bundle.serial}.old")
    os.rename(draft, target)
    shutil.rmtree(folder / f".{made.bundle.serial}.old", ignore_errors=True)


def read(folder: Path, serial: str) -> CardBundle | None:
    """What lies there for a device; None where there is nothing, or nothing whole."""
    own = folder / serial
    try:
        return CardBundle(parse_bundle((own / BUNDLE_FILE).read_text(encoding="utf-8")),
                          (own / CODE_FILE).read_text(encoding="ascii").strip(),
                          parse_card((own / CARD_FILE).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, BundleError):
        return None
