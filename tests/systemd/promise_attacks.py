"""Run in a unit's place, with its user and sandbox, or by a process of nobody's: works for a while against what the
household was promised of its recordings.

    promise_attacks.py rows                   rows and files are changed, once
    promise_attacks.py siege SECONDS          all that a role may hold, fill and flood, at the same time
    promise_attacks.py short-siege SECONDS    the same; floods pause longer, and the processor rests between bursts

SIGTERM ends a siege early.
Prints one JSON object: by attack how often it was refused and done. What came of it is seen from outside.
"""
import contextlib
import fcntl
import json
import os
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from pathlib import Path

STORE, RUN = Path("/var/lib/taimat"), Path("/run/taimat")
DATABASE = STORE / "db/taimat.db"
FORTY_DAYS_MS = 40 * 86_400_000
WRITERS_BYTE = 120          # of the index: whoever has locked it writes, by SQLite's rules
ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"
FILL_B, FILES_N, PIDS_N = 64 << 20, 2000, 1 << 15
LOUD_S, PACE_S, SHORT_PACE_S = 0.5, 0.002, 0.02
BURST_S, SHORT_REST_S = 1.0, 3.0
STRANGE = ("\n", "\udcff", "a" * 255, "gate-00000000-999999999999.mp4", "own-00000000-4503599627370496.mp4.part",
           "own-Asia\\Ho_Chi_Minh-000001.mp4", "-rf", "\x1b[2J", "..mp4", "%s%n.mp4", "days.json", "wanted",
           "taimat.toml.last-good.keeper", "ladder-own.json", "ballast", "keeper.lock", "kept.json", "CON", "‮4pm.mp4")
QUIET = (OSError, sqlite3.Error, ValueError, IndexError)
TALLY: dict[str, list[int]] = {}


def attempt(name: str, work: Callable[[], object]) -> None:
    """Count how it ended."""
    refused_done = TALLY.setdefault(name, [0, 0])
    try:
        work()
        refused_done[1] += 1
    except QUIET:
        refused_done[0] += 1


def database(timeout_s: float = 1.0) -> sqlite3.Connection:
    """The shared one; a thread each."""
    return sqlite3.connect(DATABASE, timeout=timeout_s, isolation_level=None)


def folders() -> Iterator[Path]:
    """All that there are of ours, as far as we may look; those that litter makes have no end, and are left out."""
    for top in (STORE, RUN, Path("/run/taimat-setup"), Path("/run/taimat-update"), Path("/run/taimat-rescue")):
        yield top
        for path, names, _ in os.walk(top):
            names[:] = set(names) - set(STRANGE)
            yield from (Path(path, name) for name in names)


# -- once ------------------------------------------------------------------------------------------------------------

def other_film() -> None:
    """Have the bedroom's recordings leave as the gate's: by rows, by names, and by files that change places."""
    own = "(SELECT wall_ms FROM clip AS g WHERE g.camera = 'gate' AND g.seq < clip.seq ORDER BY g.seq DESC LIMIT 1)"
    attempt("film rows", lambda: database().execute(
        f"UPDATE clip SET camera = 'gate', wall_ms = COALESCE({own}, wall_ms) WHERE camera = 'own'"))
    attempt("film names", lambda: database().execute(
        "UPDATE clip SET name = 'gate' || SUBSTR(name, 4) WHERE camera = 'gate' AND name LIKE 'own-%'"))
    attempt("film digests", lambda: database().execute("UPDATE clip SET sha256 = NULL, bytes = 1 WHERE seq % 2"))
    mine = sorted(STORE.glob("clips/*/own-*.mp4"))
    for gate, own_film in zip(sorted(STORE.glob("clips/*/gate-*.mp4"))[-2:], mine[-2:], strict=False):
        spare = gate.with_suffix(".spare")
        attempt("film files", lambda gate=gate, spare=spare: os.rename(gate, spare))
        attempt("film files", lambda own_film=own_film, gate=gate: os.rename(own_film, gate))
        attempt("film files", lambda spare=spare, own_film=own_film: os.rename(spare, own_film))
    for number, clip in enumerate(mine[:2]):
        attempt("film links", lambda clip=clip, number=number: os.link(
            clip, clip.with_name(f"gate-{clip.name.split('-')[1]}-{900_000 + number}.mp4")))


def older() -> None:
    """Have recordings seem too old to be kept, by their rows and by what dates them."""
    for statement in ("UPDATE clip SET wall_ms = wall_ms - ?", "UPDATE anchor SET dates_ms = offset_ms - ?",
                      "UPDATE anchor SET offset_ms = offset_ms - ?", "UPDATE event SET wall_ms = wall_ms - ?"):
        attempt("days", lambda statement=statement: database().execute(statement, (FORTY_DAYS_MS,)))
    attempt("days", lambda: database().execute("UPDATE clip SET state = 'deleting', why = 'age' WHERE seq % 3 = 0"))
    attempt("days", lambda: database().execute("INSERT INTO handed_out SELECT seq FROM clip"))


def forgotten() -> None:
    """Have the ledger not know what the household has just decided, and its numbers come again."""
    for statement in ("DELETE FROM act", "DELETE FROM ledger WHERE n > (SELECT MAX(n) FROM ledger) - 6",
                      "UPDATE sqlite_sequence SET seq = 1", "UPDATE sqlite_sequence SET seq = (1 << 52)",
                      "UPDATE meta SET value = '4503599627370496' WHERE key = 'conn'"):
        attempt("ledger", lambda statement=statement: database().execute(statement))


# -- for a while -----------------------------------------------------------------------------------------------------

def hold_writing(over: threading.Event) -> None:
    """Keep all others from writing rows, with a transaction and with a lock that a reader may take."""
    with contextlib.suppress(*QUIET):
        index = os.open(f"{DATABASE}-shm", os.O_RDONLY)
        attempt("read lock", lambda: fcntl.lockf(index, fcntl.LOCK_SH, 1, WRITERS_BYTE))
        over.wait()


def hold_transaction(over: threading.Event) -> None:
    """The writers' own lock, as soon as it can be had; and a reader's view, behind which the log only grows."""
    with contextlib.suppress(*QUIET):
        view = database()
        attempt("old view", lambda: view.execute("BEGIN").execute("SELECT COUNT(*) FROM clip").fetchall())
        holder = database(10.0)
        attempt("write lock", lambda: holder.execute("BEGIN IMMEDIATE"))
        over.wait()


def spoil() -> None:
    """Triggers without an end, files of the database cut short under those who have them in memory, fillers."""
    attempt("trigger", lambda: database().executescript(
        "".join(f"CREATE TRIGGER x{table} BEFORE INSERT ON {table} BEGIN {ENDLESS}; END;"
                for table in ("clip", "event", "act", "outbox", "ledger"))))
    attempt("view", lambda: database().executescript(
        f"ALTER TABLE hold RENAME TO held; CREATE VIEW hold AS {ENDLESS};"))
    for side in ("-shm", "-wal"):
        attempt("cut", lambda side=side: os.truncate(f"{DATABASE}{side}", 0))
    attempt("sidecar", lambda: os.mkfifo(f"{DATABASE}-journal"))
    attempt("distrust", lambda: fcntl.flock(os.open(DATABASE.parent, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB))


def sparse(path: Path) -> None:
    """A file that seems to hold a terabyte."""
    handle = os.open(path, os.O_CREAT | os.O_WRONLY)
    os.truncate(handle, 1 << 40)
    os.close(handle)


def litter(over: threading.Event) -> None:
    """Strange names, of files that are none, in every folder that there is; and folders that fill, to a bound."""
    kinds = cycle((os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero"),
                   lambda path: path.symlink_to(path.name), sparse, lambda path: path.write_bytes(b"\xff" * 9)))
    for folder in folders():
        for path, kind in zip((folder / name for name in STRANGE), kinds, strict=False):
            attempt("names", lambda path=path, kind=kind: kind(path))
        for target in (STORE / "keys/signing.key", STORE / "household/pause.json", DATABASE):
            attempt("hard links", lambda folder=folder, target=target: os.link(target, folder / f"{target.name}.link"))
        for sock in folder.glob("*.sock"):
            attempt("sockets", sock.unlink)
        if over.is_set():
            return
    kept: list[int] = []
    for folder in folders():
        attempt("unnamed files", lambda folder=folder: kept.append(os.open(folder, os.O_TMPFILE | os.O_RDWR)))
    for handle in kept:
        attempt("room", lambda handle=handle: os.posix_fallocate(handle, 0, FILL_B // len(kept)))
    for number in range(FILES_N):
        attempt("inodes", lambda number=number: (STORE / "clips" / f"{number}").touch())
    over.wait()


def slow(over: threading.Event) -> None:
    """Nine connections to each door that say nothing, and a tenth that never ends."""
    while not over.is_set():
        lines = []
        for door in sorted(RUN.glob("*/*.sock")):
            for _ in range(9):
                with contextlib.suppress(OSError):
                    line = socket.socket(socket.AF_UNIX)
                    line.settimeout(0.2)
                    line.connect(str(door))
                    line.sendall(b'{"ask":"pause","token":"' + b"x" * 999)
                    lines.append(line)
        TALLY.setdefault("slow", [0, 0])[1] += len(lines)
        over.wait(LOUD_S)
        for line in lines:
            line.close()


def questions(over: threading.Event, pace_s: float) -> None:
    """Whole questions without a pause, valid ones in bad order among them."""
    asked = [("decisions", {"ask": "pause", "token": "x"}),
             ("decisions", {"ask": "home", "camera": "own", "paused": True}),
             *(("link", each) for each in (
                 {"ask": "settle_messages", "seqs": [1 << 52, 1]},
                 {"ask": "settle_messages", "seqs": list(range(1, 2000)), "code": "x"},
                 {"ask": "overtake", "known_n": 1 << 52, "out": [], "refused": [1 << 52]},
                 {"ask": "fold_outbox", "after_seq": 0}, {"ask": "move_update", "order": "x", "state": "installed"},
                 {"ask": "end_request", "request": "x", "code": "", "receipt": "{}"},
                 {"ask": "tell_ward", "kind": "security", "data": "{" * 9999}, {"ask": "close_interrupted"},
                 {"ask": "follow_commands", "what": "requests"}, {"ask": "note_upload", "request": "x"}))]
    while not over.is_set():
        for door, question in asked:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as line:
                line.settimeout(1)
                line.connect(str(RUN / f"keeper/{door}.sock"))
                line.sendall(json.dumps(question).encode() + b"\n")
                done = b'"why"' not in line.recv(65_536)
                TALLY.setdefault(f"asked {question['ask']}", [0, 0])[done] += 1
            over.wait(pace_s)


def forge(over: threading.Event, pace_s: float) -> None:
    """Heartbeats in the name of each unit, and pokes, as fast as they are taken."""
    beats = [json.dumps({"type": "beat", "role": role, "unit": unit, "pid": 1, "mono_s": time.monotonic(), "up_s": 99,
                         "cameras": [{"camera": name, "state": "ok", "recording": True} for name in cameras]}).encode()
             for role, unit, cameras in (("capture", "capture@network", ["gate"]), ("capture", "capture@own", ["own"]),
                                         ("keeper", "keeper", []), ("link", "link", []), ("web", "web", []))]
    pokes = [json.dumps({"type": "poke", "what": what}).encode()
             for what in ("space", "sweep", "erase", "clips", "outbox")]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.setblocking(False)
        while not over.is_set():
            for inbox in RUN.glob("*/inbox.sock"):
                for word in (*beats, *pokes):
                    with contextlib.suppress(OSError):
                        line.sendto(word, str(inbox))
                        TALLY.setdefault("datagrams", [0, 0])[1] += 1
            over.wait(pace_s)


def other_processes() -> None:
    """Stop every process and read its memory. Most can't be seen, but their numbers can be guessed."""
    for pid in range(2, PIDS_N):
        if pid != os.getpid():
            attempt("signals", lambda pid=pid: os.kill(pid, signal.SIGSTOP))
            attempt("memory", lambda pid=pid: Path(f"/proc/{pid}/mem").open("rb").close())
    for folder in Path("/proc").glob("[0-9]*"):
        if int(folder.name) != os.getpid():
            attempt("signals", lambda folder=folder: signal.pidfd_send_signal(
                os.pidfd_open(int(folder.name)), signal.SIGSTOP))


def burn(over: threading.Event, rest_s: float) -> None:
    """Processor, watches and memory, up to the unit's bounds; with a rest after each burst."""
    hoard: list[bytearray] = []
    with contextlib.suppress(MemoryError):
        hoard = [bytearray(1 << 20) for _ in range(48)]
    while not over.wait(rest_s):
        until_s = time.monotonic() + BURST_S
        while time.monotonic() < until_s and not over.is_set():
            sum(range(20_000))
    hoard.clear()


def siege(seconds: float, is_short: bool) -> None:
    """All of it at once."""
    over, pace_s = threading.Event(), SHORT_PACE_S if is_short else PACE_S
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    other_processes()
    spoil()
    parts = (hold_writing, hold_transaction, litter, slow, partial(questions, pace_s=pace_s),
             partial(forge, pace_s=pace_s), partial(burn, rest_s=SHORT_REST_S if is_short else 0))
    threads = [threading.Thread(target=part, args=(over,), daemon=True) for part in parts]
    for thread in threads:
        thread.start()
    over.wait(seconds)
    over.set()
    for thread in threads:
        thread.join(2)


if __name__ == "__main__":
    os.umask(0)
    if sys.argv[1] == "rows":
        other_film()
        older()
        forgotten()
    else:
        siege(float(sys.argv[2]), sys.argv[1] == "short-siege")
    print(json.dumps({name: f"{refused} refused, {done} done" for name, (refused, done) in TALLY.items()}), flush=True)
