"""Packages out of a store whose keeper is at hand: asked in this process, it answers in its own rounds."""
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from agent.core.evidence.ledger.claim import Claim, ExportWish
from agent.core.evidence.ledger.package import PackageVerdict, check_package
from agent.host.command_key import verifies
from agent.keeper.main import Keeper
from agent.store import signing_requests
from agent.store.export import Export, ExportError, prepare, unpacked
from agent.store.export.package import Made, Packer
from agent.store.folders import Folders
from agent.store.signing_requests import SigningAnswer
from tests.core.cut_material import record_all
from tests.core.mp4_material import encode
from tests.rigs.store.shelf import OFFSET_MS, put_all

LAST_US = 66_667
STREAM, PACKETS = encode("h264")
BEGIN_MS = PACKETS[0].pts_us // 1000 + OFFSET_MS
END_MS = PACKETS[-1].pts_us // 1000 + OFFSET_MS + 67
CASE = {"case": "12/2026", "purpose": "mất xe ở cổng", "officer": "Lê Văn Tám"}


def shoot(db: sqlite3.Connection, folders: Folders, later_ms: int = 0) -> None:
    """Five seconds of the camera "gate" in four clips, so long after `BEGIN_MS`."""
    shift_us = later_ms * 1000
    packets = [replace(each, pts_us=each.pts_us + shift_us, dts_us=each.dts_us + shift_us) for each in PACKETS]
    put_all(db, folders, record_all(STREAM, packets, [0, 15, 30, 60], packets[-1].dts_us + LAST_US))


def wish(begin_ms: int = BEGIN_MS, end_ms: int = END_MS, **more) -> ExportWish:
    return ExportWish(camera="gate", begin_ms=begin_ms, end_ms=end_ms, by="command", **CASE | more)


@dataclass
class Desk:
    """Asks a keeper; `meddle` is done between the question and its answer."""

    keeper: Keeper
    meddle: Callable[[], None] = lambda: None

    def __call__(self, claim: Claim) -> SigningAnswer:
        number = signing_requests.ask(self.keeper.db, claim)
        self.meddle()
        for _ in range(20):
            self.keeper.round(asked_for_space=False)
            if answer := signing_requests.answer(self.keeper.db, number):
                signing_requests.take_back(self.keeper.db, number)
                if answer.why:
                    raise ExportError(answer.why)
                return answer
        raise AssertionError(f"no answer: {self.keeper.fault}")


def pack(keeper: Keeper, target: Path, asked: ExportWish, meddle: Callable[[], None] = lambda: None) -> Made:
    """What was asked, as a folder or, for recipients, sealed."""
    found = cut(keeper, asked)
    packer = Packer(keeper.db, Desk(keeper, meddle))
    return packer.sealed(found, asked, target) if asked.recipients else packer.folder(found, asked, target)


def cut(keeper: Keeper, asked: ExportWish) -> Export:
    return prepare(keeper.db, keeper.role.folders, asked.camera, asked.begin_ms, asked.end_ms)


def look(folder: Path, **anchors) -> PackageVerdict:
    """What a check makes of a package."""
    return check_package(unpacked.read(folder, lambda files_n: None), verifies, **anchors)
