"""A device in a world whose true time is known: it films, keeps, loses its power; its clock tells what it is told."""
from dataclasses import dataclass, field
from pathlib import Path

from agent.config.settings import Camera, Settings, Store
from agent.host.clock_state import EPOCH_WALL_S
from agent.host.datagram import Outlet
from agent.host.stop import Stop
from agent.keeper.main import Keeper
from agent.process.heartbeat import Heartbeat
from agent.process.role import Role
from agent.store import boots, clips
from agent.store.database import connect
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.store import cards
from tests.rigs.store.joined import WARD

HOUR_S, DAY_S, YEAR_S = 3600, 86_400, 31_557_600
ROUND_EVERY_S = HOUR_S


@dataclass
class World:
    """One device, all that it has filmed and when that truly was."""

    place: Path
    true_ms: int = 1_795_000_000_000
    boots_n: int = 1
    clock: HandClock = field(default_factory=lambda: HandClock(boot="0b000001", mono=5.0, wall_ms=0, state="unset"))
    filmed: dict[str, int] = field(default_factory=dict)                        # true time (ms) by name
    written: dict[str, tuple[str, int, int, str]] = field(default_factory=dict)    # the row as it was first written
    gone: dict[str, float] = field(default_factory=dict)                        # true age (s) when it was deleted
    told: dict[str, list[int]] = field(default_factory=dict)                    # how far off (ms) its NTP was, by boot
    lied_s: float = 0.0         # since when the clock has been ahead, as the device could have seen it

    def __post_init__(self) -> None:
        self.folders = Folders(self.place / "store").create()
        self.keeper = self._keeper()
        self.keeper.round(asked_for_space=True)

    def _keeper(self) -> Keeper:
        settings = Settings(store=Store(folder=str(self.folders.root), free_floor_pct=1, keep_days=10), ward=WARD,
                            camera=[Camera(name="gate", source="picamera:0")])
        heart = Heartbeat("keeper", "keeper", self.place, self.clock)
        role = Role(settings, None, self.folders, self.place, self.clock, heart, Stop())
        return Keeper(role, connect(self.folders.root), decisions.connect(self.folders), Outlet(self.place))

    @property
    def off_ms(self) -> int:
        """How far the wall clock is ahead of the world."""
        return self.clock.wall_ms - self.true_ms

    def wait(self, seconds: float) -> None:
        """Time passes, and the keeper goes its rounds."""
        while seconds > 0:
            step_s = min(seconds, ROUND_EVERY_S)
            self.clock.advance(step_s)
            self.true_ms += int(step_s * 1000)
            self.lied_s = self.lied_s + step_s if self.off_ms > 2_000 else 0.0
            seconds -= step_s
            self.look()

    def look(self) -> None:
        """A round of the keeper; what it deletes is noted with its true age."""
        before = clips.finished(self.keeper.db, limit=10_000)[::-1]
        self.keeper.round(asked_for_space=True)
        assert self.keeper.fault is None
        left = {clip.name for clip in clips.finished(self.keeper.db, limit=10_000)}
        self.gone |= {clip.name: (self.true_ms - self.filmed[clip.name]) / 1000 for clip in before
                      if clip.name not in left}

    def film(self, seconds: float = 1.0) -> str:
        """A clip, which the keeper has not seen yet."""
        name = cards.film(self.keeper.db, self.folders, self.clock, f"{len(self.filmed)}".encode())
        self.filmed[name] = self.true_ms
        clip = self.keeper.db.execute("SELECT boot, mono_ms, wall_ms, clock FROM clip WHERE name = ?", (name,))
        self.written[name] = tuple(clip.fetchone())
        self.wait(seconds)
        return name

    def ntp(self, off_s: float = 0.0) -> None:
        """The network tells the time, `off_s` ahead of the true one."""
        self.set(off_s, "ntp")
        if self.clock.state == "ntp":
            self.told.setdefault(self.clock.boot, []).append(int(off_s * 1000))

    def set(self, off_s: float, state: str) -> None:
        """The clock is moved; the keeper looks a second later."""
        self.clock.wall_ms = self.true_ms + int(off_s * 1000)
        self.clock.state = state if self.clock.wall_ms >= EPOCH_WALL_S * 1000 else "unset"
        self.wait(1)

    def cut(self, off_for_s: float = 60.0, state: str = "saved", off_s: float = 0.0) -> None:
        """The power goes, and returns after `off_for_s`.

        "saved" goes on where it stood; "rtc", or an "ntp" that is there before us, is `off_s` ahead.
        """
        self.keeper.db.close()
        self.true_ms += int(off_for_s * 1000)
        self.boots_n += 1
        wall_ms = {"saved": self.clock.wall_ms, "unset": 0}.get(state, self.true_ms + int(off_s * 1000))
        state = state if wall_ms >= EPOCH_WALL_S * 1000 else "unset"
        self.clock = HandClock(boot=f"0b{self.boots_n:06x}", mono=5.0, wall_ms=wall_ms, state=state)
        self.lied_s = 0.0
        if state == "ntp":
            self.told[self.clock.boot] = [int(off_s * 1000)]
        self.keeper = self._keeper()
        self.look()

    def restart(self) -> None:
        """The keeper's process dies and begins anew."""
        self.keeper.db.close()
        self.keeper = self._keeper()

    def dated(self) -> dict[str, tuple[int, bool]]:
        """How far (ms) each clip on the card is dated ahead of its true time, and whether that is called sure."""
        db = self.keeper.db
        return {clip.name: (clip.wall_ms - self.filmed[clip.name], boots.is_sure(db, clip.boot, clip.clock))
                for clip in clips.finished(db, limit=10_000)}

    def check(self) -> None:
        """What holds whatever the clock did."""
        db = self.keeper.db
        rows = db.execute("SELECT name, boot, mono_ms, wall_ms, clock, state, n FROM clip "
                          "JOIN boot ON boot.id = clip.boot ORDER BY seq").fetchall()
        assert [row["name"] for row in rows] == list(self.filmed), "nothing is renamed, refused or forgotten"
        assert {row["name"]: tuple(row)[1:5] for row in rows} == self.written, "rows stay as they were written"
        order = [(row["n"], row["mono_ms"]) for row in rows]
        assert order == sorted(order), "boots are numbered as they came"
        for row in rows:
            assert self.folders.clip(int(row["name"][-6:]), row["name"]).exists() == (row["state"] == "done")
        assert cards.codes(self.folders) == set()
