"""The whole of an export: what is asked, the keeper's signature, the package, and what is told of it."""
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from agent.cli.export import show
from agent.cli.footage import camera_of, demand_one_way, range_ms, telling
from agent.cli.keyring import keyring
from agent.cli.place import open_store
from agent.cli.processes import at_work
from agent.config.settings import Settings
from agent.core.evidence.encrypted import LockedError
from agent.core.evidence.ledger.claim import ExportWish
from agent.host.clock import SystemClock
from agent.host.datagram import Outlet
from agent.store import clips, holds
from agent.store.database import StoreError
from agent.store.export import Export, ExportError, prepare
from agent.store.export.age import demand_keys, listed
from agent.store.export.package import ENDING, Made, Packer, name
from agent.store.export.ready import signed_until
from agent.store.export.signature import AskKeeper, Sign, unsigned
from agent.store.folders import Folders
from agent.store.holds import HoldError

EXIT_OK, EXIT_DAMAGED = 0, 1
LETTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line says."""

    clip: str | None
    camera: str | None
    since: str | None
    until: str | None
    last: str | None
    case: str | None
    purpose: str | None
    officer: str | None
    recipients: Sequence[str]
    recipients_file: Path | None
    unsigned: bool
    output: Path | None
    as_json: bool
    household_key: Path | None
    config: Path | None


def export(wishes: Wishes) -> int:
    """Make the package and tell. Returns 1 if footage is damaged that should be in it.

    Raises typer.BadParameter for wishes that can't be, ConfigError, StoreError.
    """
    demand_one_way(wishes.clip, wishes.since, wishes.until, wishes.last)
    settings, folders, db = open_store(wishes.config)
    try:
        made = _made(wishes, settings, folders, db)
    except (ExportError, LockedError, HoldError) as error:
        raise StoreError(str(error)) from error
    show.made(made, wishes.as_json)
    return EXIT_DAMAGED if any(gap.why for gap in made.manifest.claim.gaps) else EXIT_OK


def _made(wishes: Wishes, settings: Settings, folders: Folders, db: sqlite3.Connection) -> Made:
    recipients = [*wishes.recipients, *(listed(wishes.recipients_file) if wishes.recipients_file else ())]
    demand_keys(recipients)
    camera, begin_ms, end_ms = _span(wishes, settings, db)
    keeper = _keeper(folders)
    if not wishes.unsigned:
        end_ms = signed_until(db, camera, begin_ms, end_ms, keeper)
    found = prepare(db, folders, camera, begin_ms, end_ms,
                    keyring(settings, folders, db, wishes.household_key).file_key)
    wish = ExportWish(camera=camera, begin_ms=begin_ms, end_ms=end_ms, by="command", case=_text(wishes.case, "--case"),
                      purpose=_text(wishes.purpose, "--purpose"), officer=_text(wishes.officer, "--officer"),
                      recipients=recipients)
    with contextlib.closing(Outlet(Path(settings.store.runtime))) as outlet:
        sign: Sign = (lambda claim: unsigned(db, found.clips, claim)) if wishes.unsigned else AskKeeper(
            db, outlet, keeper)
        return _packed(wishes, found, wish, Packer(db, sign, not wishes.unsigned))


def _packed(wishes: Wishes, found: Export, wish: ExportWish, packer: Packer) -> Made:
    with telling(found, wishes.as_json) as tell, holds.while_read(packer.db, found.clips, SystemClock().now()):
        if wish.recipients:
            return packer.sealed(found, wish, wishes.output or Path(name(found) + ENDING), tell)
        return packer.folder(found, wish, wishes.output or Path(name(found)), tell)


def _span(wishes: Wishes, settings: Settings, db: sqlite3.Connection) -> tuple[str, int, int]:
    """Camera, begin and end."""
    if wishes.clip is None:
        return camera_of(wishes.camera, settings, db), *range_ms(wishes.since, wishes.until, wishes.last, db)
    clip = clips.get(db, wishes.clip.removesuffix(".mp4"))
    if clip is None or clip.state not in ("done", "recovered"):
        raise typer.BadParameter(f"there is no finished clip {wishes.clip}; taimat clips list tells which there are")
    return clip.camera, clip.wall_ms, clip.wall_ms + (clip.dur_ms or 0)


def _keeper(folders: Folders) -> Callable[[], bool]:
    return lambda: "keeper" in at_work(folders.root)


def _text(value: str | None, option: str) -> str | None:
    text = (value or "").strip()
    if len(text) > LETTERS_MAX or not text.isprintable():
        raise typer.BadParameter(f"{option} takes up to {LETTERS_MAX} letters on one line")
    return text or None
