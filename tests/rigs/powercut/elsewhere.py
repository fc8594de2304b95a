"""The campaign on file systems that this computer's kernel lacks: capture and keeper in a guest with Debian's kernel.

    python -m tests.rigs.powercut.elsewhere record FS SECONDS ENCRYPT FILM ...   # in the guest
    python -m tests.rigs.powercut.elsewhere judge FS FILE

The guest says what another process can read in the recorder's database, a line for each look; this computer notes how
long the disk's log is when it hears it. What a cut leaves is checked here, and judged in a guest once more.
"""
import base64
import contextlib
import math
import pickle
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from tests.rigs.machine import guest
from tests.rigs.powercut import campaign
from tests.rigs.powercut.disk import served_disk
from tests.rigs.powercut.judge import Due, Judge, Outcome
from tests.rigs.powercut.log import FATES, Log, Replay
from tests.rigs.powercut.witness import Promises, Witness
from tests.rigs.wait import HANG_S

ROOT = Path(__file__).parents[3]
CARD, STORE = Path("/run/card"), Path("/run/card/store")
CARD_B = 160 << 20
MODULES = ("virtio_blk", "crc32_generic", "lz4_compress", "lz4hc_compress", "f2fs", "exfat")
MAKE = {"f2fs": ("mkfs.f2fs", "-q"), "exfat": ("mkfs.exfat", "-q")}
CHECK = {"f2fs": ("fsck.f2fs", "-a"), "exfat": ("fsck.exfat", "-p")}
TOOLS = {"mkfs.f2fs": "f2fs-tools", "mkfs.exfat": "exfatprogs"}
DRIVE = "format=raw,if=virtio,cache=none,rerror=report,werror=report,file="
MODULE = "tests.rigs.powercut.elsewhere"
SLOW_S = 600.0                      # for a first clip in a guest without KVM


def missing() -> str:
    """Why it can't be done here, or ""."""
    return guest.missing(TOOLS)


class Recorded(NamedTuple):
    """A disk's log, and what was promised on the way; `later_ms` is this computer's boot-time clock minus the guest's.
    """

    folder: Path
    system: str
    log: Log
    promises: Promises
    later_ms: float


def record(folder: Path, system: str, film: Path, seconds: float, *, encrypt: str = "on",
           fails_s: float = 0) -> Recorded:
    """A camera recorded in the guest for `seconds`; with the first clip the card fails for `fails_s`. Raises NoMachine.
    """
    blank = folder / "blank"
    folder.mkdir(parents=True)
    with blank.open("wb") as file:
        file.truncate(CARD_B)
    subprocess.run([*MAKE[system], blank], check=True, capture_output=True)
    inside = [sys.executable, "-m", MODULE, "record", system, str(seconds), encrypt, str(film)]
    with (served_disk(folder, blank) as disk,
          guest.started(inside, ROOT, MODULES, "-smp", "2", "-drive", f"{DRIVE}{disk.device}") as machine):
        promises, later_ms = Promises(), math.inf
        for kind, told in _heard(machine, "worked"):
            if kind == "seen":
                if fails_s and told["clips"] and not promises.clips:
                    disk.trouble("EIO", for_s=fails_s)
                _add(promises, told, disk.log_b())
            elif kind == "now":
                later_ms = min(later_ms, _now_ms() - told)
    for life in promises.lives.values():
        life.opened_ms += later_ms
        life.closed_ms = life.closed_ms and life.closed_ms + later_ms
        life.end_ms = life.end_ms and life.end_ms + later_ms
    return Recorded(folder, system, Log.read(disk.log), promises, later_ms)


def cuts(recorded: Recorded, cuts_n: int, dice: random.Random) -> Iterator[Outcome]:
    """What each of `cuts_n` random cuts leaves, earliest first, once there is a clip. Raises NoMachine."""
    log, folder = recorded.log, recorded.folder
    first_b = min(log_b for log_b, _ in recorded.promises.clips.values())
    # f2fs stops writing after an error, so there may be few entries from then on.
    entries = range(log.number(first_b), len(log.entries) + 1)
    chosen = sorted(dice.sample(entries, min(cuts_n, len(entries))))
    with contextlib.closing(Replay(log, folder / "flushed", CARD_B, folder / "blank")) as replay:
        for number, cut in enumerate(chosen):
            fate = FATES[number % len(FATES)]
            replay.cut(cut, fate, dice, folder / "cut")
            yield _judged(folder, recorded.system, Due.by(cut, log, recorded.promises, recorded.later_ms), fate)


def _judged(folder: Path, system: str, due: Due, fate: str) -> Outcome:
    """Check what is left as a boot does, and have it judged in a guest."""
    checked = subprocess.run([*CHECK[system], folder / "cut"], capture_output=True, text=True, timeout=HANG_S)
    if checked.returncode > 1:
        return Outcome(fate, unmountable=f"{CHECK[system][0]}: exit {checked.returncode}: {checked.stdout[-300:]}")
    (folder / "due").write_bytes(pickle.dumps((due, fate)))
    with guest.started([sys.executable, "-m", MODULE, "judge", system, str(folder / "due")], ROOT, MODULES,
                       "-drive", f"{DRIVE}{folder / 'cut'}") as machine:
        return next(told for kind, told in _heard(machine, "judged") if kind == "judged")


def _heard(machine: "subprocess.Popen[str]", last: str) -> Iterator[tuple[str, Any]]:
    """What the guest tells, up to a message of that kind. Raises NoMachine where it says less."""
    said = []
    for line in machine.stdout or ():
        said.append(line)
        with contextlib.suppress(ValueError, pickle.UnpicklingError, EOFError):
            kind, told = pickle.loads(base64.b64decode(line.strip(), validate=True))
            yield kind, told
            if kind == last:
                return
    raise guest.NoMachine("".join(said)[-3000:])


def _add(promises: Promises, told: dict[str, dict[Any, Any]], log_b: int) -> None:
    """Note what was told, each with how long the log is by now."""
    for name, news in told.items():
        known = getattr(promises, name)
        for key, value in news.items():
            if name == "lives":
                known[key] = value
            else:
                known.setdefault(key, (log_b, value[1]) if isinstance(value, tuple) else log_b)


class Teller(Witness):
    """A witness in the guest, who tells what is new after each look."""

    _told: dict[str, dict[Any, Any]]

    def _look(self, db: Any) -> None:
        super()._look(db)
        if not hasattr(self, "_told"):
            self._told = {}
        news = {}
        for name in (each.name for each in fields(Promises) if each.name != "acts"):
            now, known = getattr(self.seen, name), self._told.setdefault(name, {})
            news[name] = {key: value for key, value in now.items() if known.get(key) != repr(value)}
            known.update({key: repr(value) for key, value in news[name].items()})
        if any(news.values()):
            tell("now", _now_ms())
            tell("seen", news)


def tell(kind: str, what: Any) -> None:
    """Say it on the guest's console."""
    print(base64.b64encode(pickle.dumps((kind, what))).decode(), flush=True)


def _now_ms() -> float:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6


class _NoLog:
    @staticmethod
    def log_b() -> int:
        return 0


def main(argv: Sequence[str]) -> None:
    """In the guest."""
    what, system, *rest = argv
    CARD.mkdir()
    subprocess.run(["mount", "-t", system, "/dev/vda", CARD], check=True)
    if what == "record":
        seconds, encrypt, film = rest
        with Teller(_NoLog(), STORE) as witness:        # type: ignore[arg-type]
            # A guest without KVM may need most of the time for its first clip, and only later cuts are judged.
            campaign.work(Path("/run"), STORE, [(Path(film), "continuous")], float(seconds), witness, encrypt=encrypt,
                          after_clips_n=1, limit_s=SLOW_S)
        tell("worked", None)
    else:
        due, fate = pickle.loads(Path(rest[0]).read_bytes())
        tell("judged", Judge().judge(STORE, due, fate))


if __name__ == "__main__":
    main(sys.argv[1:])
