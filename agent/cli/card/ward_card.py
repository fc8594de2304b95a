"""`taimat ward card`: a flashed card, or its image, becomes that of one recorder of the ward's, and is read back."""
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from agent.cli.card import provision
from agent.cli.card.fat_image import FatImage
from agent.core.contract.enrolment import (
    BUNDLE_FILE,
    BUNDLE_FOLDER,
    CARD_FILE,
    CODE_FILE,
    BundleError,
    parse_bundle,
    parse_card,
)
from agent.host.files import write_durably
from agent.store.database import StoreError

_Kind = TypeVar("_Kind")


@contextmanager
def on_card(bundle: Path, card: Path, debs: Sequence[Path]) -> Iterator[Path]:
    """Fill the mounted boot partition, and show the folder in which it was read back. Raises StoreError and OSError."""
    _fill(bundle, card, debs)
    wanted = _digests(card)
    os.sync()
    _demand_same(card, wanted, _digests(card, from_card=True))
    yield card


@contextmanager
def in_image(bundle: Path, image: Path, debs: Sequence[Path]) -> Iterator[Path]:
    """Likewise within an image of a card. Raises StoreError and OSError."""
    partition = FatImage(image)
    with tempfile.TemporaryDirectory(prefix="taimat-card-") as folder:
        work, back = Path(folder, "card"), Path(folder, "back")
        partition.pull(work)
        _fill(bundle, work, debs)
        partition.push(work)
        partition.pull(back)
        _demand_same(image, _digests(work), _digests(back))
        yield back


def _fill(bundle: Path, card: Path, debs: Sequence[Path]) -> None:
    if not bundle.is_dir():
        raise StoreError(f"{bundle}: there is no such bundle; the ward makes it: taimat ward enrol")
    claim = (bundle / BUNDLE_FILE).read_bytes()
    named = _parsed(bundle / BUNDLE_FILE, parse_bundle).serial
    wanted = _parsed(bundle / CARD_FILE, parse_card)
    if named != bundle.name:
        raise StoreError(f"{bundle}: is the bundle of {named}; was the folder renamed?")
    provision.fill(card, wanted, debs, (bundle / CODE_FILE).read_text(encoding="utf-8").strip())
    (card / BUNDLE_FOLDER).mkdir(exist_ok=True)
    write_durably(card / BUNDLE_FOLDER / BUNDLE_FILE, claim, provision.READABLE)


def _parsed(path: Path, parse: Callable[[str], _Kind]) -> _Kind:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (BundleError, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: {error}") from error


def _digests(card: Path, from_card: bool = False) -> dict[str, str]:
    """SHA-256 of what lies in the partition's own folder and in ours; `from_card`: not as the kernel remembers it."""
    found = {}
    for path in (*card.iterdir(), *(card / BUNDLE_FOLDER).iterdir()):
        if path.is_file() and (path.parent != card or path.name in provision.WRITTEN):
            with path.open("rb") as file:
                if from_card:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                found[str(path.relative_to(card))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _demand_same(place: Path, wanted: dict[str, str], found: dict[str, str]) -> None:
    if wanted != found:
        wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        raise StoreError(f"{place}: {', '.join(wrong)}: what is read back is not what was written; take another card")
