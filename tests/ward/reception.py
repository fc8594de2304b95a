"""A ward's reception over a database in memory, and messages of one device that it takes."""
import json
from dataclasses import dataclass

from agent.host.clock import Instant
from agent.mqtt.messages import Arrived
from agent.ward import database
from agent.ward.citytopics import WardTopics
from agent.ward.device_cache import DeviceCache
from agent.ward.metrics import IngestMetrics
from agent.ward.quota import Quota
from agent.ward.reception import Reception

DEV = "c-7f3a9c21b04d"
GOOD = {
    "evt": {"specversion": "1.0", "id": f"{DEV}/7", "source": "/cam/w07/c/gate", "type": "cam.motion.v1", "seq": 7,
            "boot": "9f2c1a7e", "clock": "ntp", "time": "2026-11-24T23:20:50.1Z",
            "data": {"mono_ms": 5, "kind": "gap", "missing": [[2, 5]]}},
    "status": {"online": True, "boot": "9f2c1a7e", "conn": 3, "why": "lost", "clock": "ntp"},
    "birth": {"boot": "9f2c1a7e", "conn": 3, "mono_ms": 5, "clock": "ntp", "agent": "1", "site": "HH-1"},
    "health": {"seq": 1, "boot": "9f2c1a7e", "clock": "ntp", "mono_ms": 5, "int_s": 30, "outbox_n": 1,
               "cond": [{"code": "hot", "sev": "warn"}]},
}


@dataclass
class StillClock:
    """A clock that a test sets."""

    wall_ms: int = 1_795_561_250_123

    def mono_s(self) -> float:
        """Goes with the wall clock."""
        return self.wall_ms / 1000

    def now(self) -> Instant:
        """This moment."""
        return Instant("9f2c1a7e", self.wall_ms, self.wall_ms, "ntp")


def reception(room_b: float = 1e8, devices_max: int = 100) -> tuple[Reception, DeviceCache, StillClock]:
    """A reception over an empty database in memory, with so much room for each device's events."""
    book, clock = DeviceCache(database.open_engine("sqlite://"), devices_max=devices_max), StillClock()
    return Reception(WardTopics("w07"), book, clock, IngestMetrics(), Quota(room_b)), book, clock


def arrived(what: str, payload: dict[str, object], dev: str = DEV) -> Arrived:
    """That a device said this."""
    return Arrived(f"cam/v1/w07/{dev}/{what}", json.dumps(payload).encode(), True, None, None)
