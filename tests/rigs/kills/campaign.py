"""A campaign: real video, a real broker, and a SIGKILL now and then for each role in turn of the dice."""
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent.store.database import FILE
from tests.rigs.kills.judge import Judged, judge, open_clips
from tests.rigs.kills.roles import ROLES, Roles, victims
from tests.rigs.kills.witness import Witness, drained
from tests.rigs.mqtt.broker import Broker
from tests.rigs.store.joined import join_in
from tests.rigs.wait import free_port

CONFIG = """
[store]
folder = "{place}/store"
runtime = "{place}/run"
free_floor_pct = 1
encrypt = "off"
[web]
port = {web}
[ward]
enabled = true
ward = "w07"
host = "127.0.0.1"
port = {broker}
tls = false
delivery = "puback"
"""
CAMERA = """
[[camera]]
name = "gate-{way}"
source = "file:{film}"
loop = true
record = "{way}"
pre_roll_s = 1
post_roll_s = 1
merge_gap_s = 1
max_clip_s = 10
"""
WAYS = ("continuous", "motion")


@dataclass(slots=True)
class Campaign:
    """What was done, and what came of it."""

    backs_s: dict[str, list[float]] = field(default_factory=lambda: {role: [] for role in ROLES})  # to the first beat
    kills_n: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROLES, 0))
    torn: dict[int, float] = field(default_factory=dict)        # the first kill of each clip that was open then
    ended: list[str] = field(default_factory=list)              # roles that ended without being killed
    drained: bool = False                                       # all that was noted was told in the end
    found: Judged = field(default_factory=Judged)


def campaign(place: Path, film: Path, kills_n: int, dice: random.Random,
             tell: Callable[[int], None] = lambda number: None) -> Campaign:
    """So many kills, and a look at everything afterwards; `tell` hears how many have been done."""
    store, done = place / "store", Campaign()
    with Broker(place / "broker") as broker:
        config = place / "taimat.toml"
        join_in(store)
        config.write_text(CONFIG.format(place=place, web=free_port(), broker=broker.port) +
                          "".join(CAMERA.format(way=way, film=film) for way in WAYS))
        with Witness(broker.port, store / FILE) as witness:
            with Roles(place, config, place / "run") as roles:
                for number, (role, wait_s, again) in enumerate(victims(dice, kills_n)):
                    tell(number)
                    time.sleep(wait_s)
                    _kill(roles, store, role, [0.0, dice.uniform(0, 1)][:1 + again], done)
                done.drained, done.ended = drained(store / FILE), roles.ended
            done.found = judge(store, witness.seen, done.torn)
    return done


def _kill(roles: Roles, store: Path, role: str, waits_s: list[float], done: Campaign) -> None:
    """Kill a role, after each of these waits, and see it come back."""
    for wait_s in waits_s:
        time.sleep(wait_s)
        writing = open_clips(store) if role == "capture" else []
        killed_mono_s = roles.kill(role)
        done.kills_n[role] += 1
        for seq in writing:
            done.torn.setdefault(seq, killed_mono_s)
    done.backs_s[role].append(roles.wait(role) - killed_mono_s)
