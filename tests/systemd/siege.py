"""A household beside a lost role: it uses the page as always, and looks at what has become of its promises."""
import json
import os
import shutil
import sqlite3
import stat
import threading
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av

from agent.core.evidence.ledger.row import decode
from agent.store import ledger
from agent.store.database import FILE
from tests.rigs.cameras import footage
from tests.rigs.wait import Stopwatch, until
from tests.systemd.booted import COOKIE, KEEPER, NETWORK, SETTINGS, STORE, browse, health, pair, stem
from tests.systemd.machine import Machine

PAUSED_WITHIN_S, STILL_S = 5.0, 2.0
GAPS = {"row_missing", "row_removed", "tail_cut"}      # what a check says of rows that are gone
PROGRAM = "/usr/lib/promise_attacks.py"
OWN = "taimat-own.service"              # a camera of its own, which root's set-up leaves alone
CAMERAS = {"gate": (640, 360), "own": (320, 180)}
OWN_CAMERA = """
[[camera]]
name = "own"
source = "file:/srv/own.mp4"
loop = true
record = "continuous"
max_clip_s = 10
"""
FOR_NETWORK = "/etc/taimat/network.toml"
NETWORK_ALONE = ("[Service]\nExecStart=\nExecStart=/usr/bin/python3 -P -m agent.capture --network --config "
                 f"{FOR_NETWORK}\n")


def two_cameras(machine: Machine) -> None:
    """Before it boots: one camera in the unit of all network cameras, and one in a unit of its own."""
    settings = machine.root / SETTINGS.lstrip("/")
    machine.write(FOR_NETWORK, settings.read_text())
    settings.write_text(OWN_CAMERA + settings.read_text())
    shutil.copy(footage.clip(*CAMERAS["own"], 10, 10, 300), machine.root / "srv/own.mp4")
    units = machine.root / "usr/lib/systemd/system"
    machine.write(f"/etc/systemd/system/{OWN}", (units / "taimat-capture@.service").read_text().replace("%i", "own"))
    machine.write(f"/etc/systemd/system/{NETWORK}.d/91-alone.conf", NETWORK_ALONE)
    shutil.copy(Path(__file__).with_name("promise_attacks.py"), machine.root / PROGRAM.lstrip("/"))
    machine.write(f"/etc/systemd/system/{KEEPER}.d/91-patient.conf", "[Service]\nWatchdogSec=60\n")      # as shipped
    machine.enable(OWN)


@dataclass
class Growth(threading.Thread):
    """Looks how a camera's recordings grow; `longest_s`: without a byte more, by fair seconds."""

    house: "Household"
    camera: str
    longest_s: float = 0.0
    grown_b: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        """Until it is over."""
        best, grown_at_s = self.house.sizes(self.camera), 0.0
        with Stopwatch() as watch:
            while not self._over.wait(0.2):
                sizes = self.house.sizes(self.camera)
                more_b = sum(max(0, size_b - best.get(name, 0)) for name, size_b in sizes.items())
                self.longest_s = max(self.longest_s, watch.fair_s - grown_at_s)
                if more_b:
                    self.grown_b, best, grown_at_s = self.grown_b + more_b, best | sizes, watch.fair_s

    def __enter__(self) -> "Growth":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


@dataclass
class Household:
    """Uses the page of a booted machine, and root's commands where the page is what was lost."""

    machine: Machine

    def page(self, method: str, path: str, body: str = "") -> str:
        return browse(self.machine, method, path, body)

    def pair(self) -> None:
        """With another browser of an owner's, from now on."""
        (self.machine.root / COOKIE).unlink(missing_ok=True)
        pair(self.machine)
        until(lambda: self.page("GET", "/health").startswith("200"), "it is paired")

    def switch(self, camera: str, how: str) -> None:
        """By the page's switch: "open" pauses."""
        until(lambda: self.page("POST", "/pause", f"camera={camera}&for={how}&next=/health").startswith("303 /health"),
              f"{camera}: {how}")

    def rows(self) -> list[dict[str, Any]]:
        """All that `taimat verify` says: findings, and at last what holds."""
        return [json.loads(line) for line in self.machine.run("taimat", "verify", "--json", check=False).splitlines()]

    def restart(self) -> None:
        """Of the keeper, which does a round of all it has to do then."""
        self.machine.run("systemctl", "restart", KEEPER)
        self.machine.until(KEEPER, "ActiveState", "active")

    def holds_film(self) -> None:
        """What is handed out as the gate's shows the gate, as it was, and a check says that all of it holds; or nothing
        is handed out.
        """
        self.machine.run("rm", "-rf", "/root/out")
        said = self.machine.run("taimat", "export", "--camera", "gate", "--last", "30m", "--output", "/root/out",
                                "--json", check=False)
        if not (self.machine.root / "root/out").exists():
            print("nothing was handed out:", said)
            return
        for path in (self.machine.root / "root/out").rglob("*.mp4"):
            with av.open(str(path)) as film:
                assert {(frame.width, frame.height) for frame in film.decode(video=0)} == {CAMERAS["gate"]}, path
        *findings, checked = map(json.loads, self.machine.run("taimat", "verify", "/root/out", "--json",
                                                              check=False).splitlines())
        assert checked["files_hold_n"] == checked["files_n"] > 0, checked
        # A lost capture may have deleted rows about recordings from the ledger; then the check says so.
        assert checked["holds"] or {each["code"] for each in findings} <= GAPS, (checked, findings)

    def holds_days(self, before: dict[str, dict[str, Any]]) -> None:
        """Nothing has gone by age, nor will; what was said of it is put right."""
        def states() -> dict[str, tuple[str, str | None]]:
            with closing(sqlite3.connect(self.machine.root / STORE.lstrip("/") / FILE)) as db:
                return {name: (state, why) for name, state, why in db.execute("SELECT name, state, why FROM clip")}
        until(lambda: not [name for name in before if states().get(name, ("",))[0] in ("deleting", "deleted")],
              f"nothing goes: { {name: states().get(name) for name in before} }", 30)
        there = {path.name for path in (self.machine.root / STORE.lstrip("/") / "clips").glob("*/*.mp4")}
        assert {f"{name}.mp4" for name in before} <= there

    def holds_ledger(self) -> None:
        """The decisions are in the ledger, or a check names the gap."""
        *findings, _ = self.rows()
        with closing(sqlite3.connect(self.machine.root / STORE.lstrip("/") / FILE)) as db:
            told = [row for line in ledger.lines(db) if (row := decode(line.doc))]
        codes = {each["code"] for each in findings}
        kinds = [row.kind for row in told]
        print(Counter(kinds), codes, findings[:3])
        assert codes & GAPS or {"pairing", "pause"} <= {*kinds}, (kinds, codes)

    def sizes(self, camera: str) -> dict[str, int]:
        """Bytes of a camera's recordings, by name."""
        found = {}
        with os.scandir(self.machine.root / STORE.lstrip("/") / "clips") as folders:
            days = [Path(folder.path) for folder in folders if folder.is_dir(follow_symlinks=False)]    # of thousands
        for path in (path for day in days for path in day.glob(f"{camera}-*")):
            with suppress(OSError):
                seen = path.lstat()
                if stat.S_ISREG(seen.st_mode) and "-00000000-" not in path.name:       # that is an attack's
                    found[stem(path).removesuffix(".mp4")] = seen.st_size
        return found

    def pauses(self, camera: str, by_page: bool = True) -> None:
        """The household pauses a camera: 5 s later nothing is recorded any more."""
        with Stopwatch() as watch:
            if by_page:
                self.switch(camera, "open")
            else:
                self.machine.run("taimat", "pause", camera)
            print(f"{camera}: paused after {watch.fair_s:.1f} s")
            assert watch.fair_s < PAUSED_WITHIN_S
            while watch.fair_s < PAUSED_WITHIN_S:
                time.sleep(0.05)
        before = self.sizes(camera)
        time.sleep(STILL_S)
        assert self.sizes(camera) == before, "it is paused"

    def resumes(self, camera: str) -> None:
        """It sees again, by command; then it is recorded."""
        self.machine.run("taimat", "resume", camera)
        before = self.sizes(camera)
        until(lambda: self.sizes(camera).keys() - before.keys(), f"{camera} is recorded again")

    def misses(self, camera: str) -> bool:
        """Whether the page says that a camera isn't recorded, or its unit is down."""
        told = health(self.machine)
        return any(each["code"] in ("role_down", "not_recording") and each.get("unit") == f"capture@{camera}"
                   for each in told.get("conditions", ()))
