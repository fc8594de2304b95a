"""A campaign: the real agent records onto the logged disk, then the power goes at random entries of its log."""
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.rigs.powercut.disk import logged_disk, mend, plugged_in
from tests.rigs.powercut.judge import Due, Judge, Outcome
from tests.rigs.powercut.log import FATES, Log, Replay
from tests.rigs.powercut.witness import Promises, Witness
from tests.rigs.store.joined import NOWHERE, join_in
from tests.rigs.wait import HANG_S, until

ROOT = Path(__file__).parents[3]
CARD_B = 160 << 20
ROLES = (("agent.capture", "--network"), ("agent.keeper",))
STORE = "store"
SHORT = "/tmp" if os.access("/tmp", os.W_OK) else None      # a socket's name must be short
CAMERA = '''
[[camera]]
name = "{name}"
source = "file:{film}"
loop = true
record = "{record}"
pre_roll_s = 1
post_roll_s = 1
merge_gap_s = 1
max_clip_s = 10
'''


@dataclass(frozen=True, slots=True)
class Recording:
    """What was recorded: the disk's log, and what was promised on the way."""

    folder: Path
    log: Log
    promises: Promises
    began_n: int                # entries before the recorder came to be


def record(folder: Path, films: list[tuple[Path, str]], seconds: float, *, encrypt: str,
           quota_gb: float = 0) -> Recording:
    """Capture and keeper at work for `seconds`, a camera for each film and way to record; then ended in order."""
    with logged_disk(folder, CARD_B) as disk:
        subprocess.run(["sync", "--file-system", disk.mount], check=True)
        began_b = disk.log_b()
        with Witness(disk, disk.mount / STORE) as witness:
            work(folder, disk.mount / STORE, films, seconds, witness, encrypt=encrypt, quota_gb=quota_gb)
        subprocess.run(["sync", "--file-system", disk.mount], check=True)
    log = Log.read(disk.log)
    return Recording(folder, log, witness.seen, log.number(began_b))


def work(folder: Path, store: Path, films: list[tuple[Path, str]], seconds: float, witness: Witness, *, encrypt: str,
         quota_gb: float = 0, after_clips_n: int = 0, limit_s: float = HANG_S) -> None:
    """The same onto a store, for `seconds` after so many clips are finished; what the roles say lies in `folder`."""
    join_in(store)
    with tempfile.TemporaryDirectory(prefix="taimat-", dir=SHORT) as runtime:
        config = _config(folder, films, [f'folder = "{store}"', f'runtime = "{runtime}"', f'encrypt = "{encrypt}"',
                                         f"quota_gb = {quota_gb}", "free_floor_pct = 1"])
        with _agent(folder, config):
            until(lambda: len(witness.seen.lives) >= len(films) and len(witness.seen.clips) >= after_clips_n,
                  f"all cameras record; see {folder}/*.log", limit_s)
            time.sleep(seconds)


def cuts(recording: Recording, cuts_n: int, dice: random.Random) -> Iterator[Outcome]:
    """What each of `cuts_n` random cuts leaves, earliest first."""
    folder, judge = recording.folder, Judge()
    image = folder / "cut"
    entries = range(recording.began_n, len(recording.log.entries) + 1)
    chosen = sorted(dice.sample(entries, cuts_n))
    fates = [FATES[number % len(FATES)] for number in range(cuts_n)]
    dice.shuffle(fates)
    with contextlib.closing(Replay(recording.log, folder / "flushed", CARD_B)) as replay:
        for cut, fate in zip(chosen, fates, strict=True):
            replay.cut(cut, fate, dice, image)
            yield _outcome(judge, folder, image, Due.by(cut, recording.log, recording.promises), fate)


def _outcome(judge: Judge, folder: Path, image: Path, due: Due, fate: str) -> Outcome:
    code, said = mend(image)
    if code > 1:
        return Outcome(fate, unmountable=f"e2fsck -p: exit {code}: {said}")
    try:
        with plugged_in(image, folder / "after"):
            return judge.judge(folder / "after" / STORE, due, fate)
    except subprocess.CalledProcessError as error:
        return Outcome(fate, unmountable=error.stderr)


def _config(folder: Path, films: list[tuple[Path, str]], store: list[str]) -> Path:
    lines = ["[store]", *store]
    lines += [CAMERA.format(name=f"gate-{number}", film=film, record=way)
              for number, (film, way) in enumerate(films, 1)]
    path = folder / "taimat.toml"
    path.write_text("\n".join([*lines, NOWHERE]))
    return path


@contextlib.contextmanager
def _agent(folder: Path, config: Path) -> Iterator[None]:
    """The two roles that write to the card; what they say lies beside it."""
    processes = []
    for module, *words in ROLES:
        with (folder / f"{module}.log").open("wb") as said:
            command = [sys.executable, "-m", module, "--config", str(config), *words]
            processes.append(subprocess.Popen(command, cwd=folder, stdout=said, stderr=said,
                                              env={**os.environ, "PYTHONPATH": str(ROOT)}))
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(HANG_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
