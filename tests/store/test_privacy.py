"""The household's word on masks that a camera paints itself: told once for each change, and when it no longer holds."""
import json
import sqlite3
from collections.abc import Mapping

from agent.store import outbox, privacy
from tests.conftest import HandClock

AREA = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0)]


def told(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """(camera, code) of all messages so far."""
    return [(row["camera"], json.loads(row["data"])["code"]) for row in outbox.after(db, 0, 100)
            if row["kind"] == "security"]


def test_each_change_is_told_once(db: sqlite3.Connection, hand_clock: HandClock):
    def declare(declared: Mapping[str, privacy.Areas]) -> int:
        return len(privacy.declare(db, declared, hand_clock.now()))

    assert [declare({}), declare({"gate": [AREA]}), declare({"gate": [AREA]})] == [0, 1, 0]
    assert declare({"gate": [AREA, AREA], "yard": [AREA]}) == 2
    assert [declare({"yard": [AREA]}), declare({"yard": [AREA]})] == [1, 0]
    assert declare({"gate": [AREA], "yard": [AREA]}) == 1
    assert told(db) == [("gate", "mask_by_camera"), ("gate", "mask_by_camera"), ("yard", "mask_by_camera"),
                        ("gate", "mask_not_by_camera"), ("gate", "mask_by_camera")]
