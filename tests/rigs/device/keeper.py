"""A keeper on a store in a temporary folder, and what its ledger has."""
import sqlite3

from agent.config.settings import Camera, Settings, Store, Ward
from agent.core.evidence.ledger.row import decode
from agent.host.datagram import Outlet
from agent.host.stop import Stop
from agent.keeper.main import Keeper
from agent.process.heartbeat import Heartbeat
from agent.process.role import Role
from agent.store import ledger
from agent.store.database import connect
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.conftest import HandClock

WINDY = Camera(name="gate", source="picamera:0", masks=[[(0, 0), (0.5, 0), (0.5, 0.5)]])


def keeper_of(folders: Folders, clock: HandClock, serial: str | None = None, camera: Camera = WINDY,
              ward: Ward | None = None) -> Keeper:
    store = Store(folder=str(folders.root), free_floor_pct=1)
    place = folders.root.parent
    role = Role(Settings(store=store, camera=[camera], ward=ward or Ward()), None, folders, place, clock,
                Heartbeat("keeper", "keeper", place, clock), Stop())
    return Keeper(role, connect(folders.root), decisions.connect(folders), Outlet(place), serial)


def rows(db: sqlite3.Connection) -> list:
    return [decode(line.doc) for line in ledger.lines(db)]


def kinds(db: sqlite3.Connection) -> list[str]:
    return [row.kind for row in rows(db)]
