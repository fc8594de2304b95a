"""What encryption at rest costs: writing clips in the clear and encrypted, in turn, in the same rounds; and taking them
out again.

The ciphers are also measured with the processor's AES and carry-less multiplication switched off, as on a board that
has neither: OpenSSL asks OPENSSL_ia32cap, so each runs in a process of its own.
"""
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from agent.core.evidence.encrypted import AES_GCM, CHACHA
from agent.core.media.model import Packet, StreamInfo
from agent.store.database import connect
from agent.store.export import prepare, write
from agent.store.folders import Folders
from scripts.benches.cut import packets_of
from scripts.benches.plan import Plan, tell
from scripts.benches.table import Spread, Table, Verdict
from tests.conftest import HandClock
from tests.rigs.cameras import footage
from tests.rigs.store.vault import Vault

MEMORY = Path("/dev/shm")
KINDS = {"AES-256-GCM": AES_GCM, "ChaCha20-Poly1305": CHACHA}
NO_AES = {"OPENSSL_ia32cap": "~0x200000200000000"}     # bits 57 and 33: AES-NI and PCLMULQDQ
MBITS = 4                   # of a camera
CORE_PCT = 1.0              # of a core, for one such camera, is what encrypting in passing may cost
MEASURED_MB, QUICK_MB = 200, 30
RAW = """
import json, sys, time
from agent.store.encryption.ciphers import cipher
piece, n = bytes(150_000), int(sys.argv[1])
told = {}
for name, kind in json.loads(sys.argv[2]).items():
    lock = cipher(kind, bytes(32))
    began = time.process_time()
    for _ in range(n):
        lock.encrypt(bytes(12), piece, None)
    told[name] = n * len(piece) / 1e6 / (time.process_time() - began)
print(json.dumps(told))
"""


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the tables."""
    yield _ciphers(plan)
    yield _clips(plan)


def _ciphers(plan: Plan) -> Table:
    table = Table("encrypt: the ciphers alone, pieces of 150 kB",
                  ("cipher", "processor", "MB/s", f"% of a core at {MBITS} Mbit/s"))
    for cpu, extra in (("as it is", {}), ("without AES instructions", NO_AES)):
        tell(f"encrypt: ciphers, {cpu}")
        rounds = [_raw(QUICK_MB if plan.quick else MEASURED_MB, extra) for _ in range(plan.rounds(5))]
        for name in KINDS:
            speed = Spread(tuple(each[name] for each in rounds))
            table.rows.append((name, cpu, speed.text(0), f"{_core_pct(1 / speed.median):.2f}"))
            table.figures[f"{name}, {cpu}"] = speed.values
    return table


def _raw(wanted_mb: int, extra: dict[str, str]) -> dict[str, float]:
    """MB/s of each cipher, by processor time."""
    pieces_n = int(wanted_mb * 1e6 / 150_000)
    done = subprocess.run([sys.executable, "-c", RAW, str(pieces_n), json.dumps(KINDS)], env={**os.environ, **extra},
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _core_pct(s_per_mb: float) -> float:
    return s_per_mb * MBITS / 8 * 100


def _clips(plan: Plan) -> Table:
    stream, packets, long_us = packets_of(footage.clip(1920, 1080, 15, 30, MBITS * 1000))
    times: dict[str, list[tuple[float, float]]] = {"clear": [], **{name: [] for name in KINDS}}
    for number in range(plan.rounds(5)):
        tell(f"encrypt: clips, round {number + 1}")
        for way, measured in times.items():
            measured.append(_measure(KINDS.get(way), stream, packets, long_us, QUICK_MB if plan.quick else MEASURED_MB))
    table = Table(f"encrypt: {MBITS} Mbit/s 1080p to and from memory, processor time in ms a MB",
                  ("clips", "write", "beside clear", "export", "beside clear"))
    clear_write, clear_export = (Spread(values) for values in zip(*times["clear"], strict=True))
    for way, measured in times.items():
        wrote, took = (Spread(values) for values in zip(*measured, strict=True))
        table.rows.append((way, wrote.text(), wrote.over(clear_write).text(), took.text(),
                           took.over(clear_export).text()))
        table.figures[way] = {"write": wrote.values, "export": took.values}
        if way != "clear":
            more_ms = wrote.median - clear_write.median
            table.verdicts.append(Verdict(f"{way}: a camera of {MBITS} Mbit/s, more than in the clear", CORE_PCT,
                                          "% of a core", _core_pct(more_ms / 1000)))
    return table


def _measure(kind: int | None, stream: StreamInfo, packets: list[Packet], long_us: int,
             wanted_mb: int) -> tuple[float, float]:
    """Milliseconds of processor time a MB: of writing clips as a recorder does, and of exporting them."""
    film_b = sum(len(each.data) for each in packets)
    with tempfile.TemporaryDirectory(prefix="taimat-bench-", dir=MEMORY) as folder:
        folders, clock = Folders(Path(folder) / "store").create(), HandClock()
        with contextlib.closing(connect(folders.root)) as db:
            vault, films_n = Vault(db, folders, clock, kind), int(wanted_mb * 1e6 / film_b) + 1
            began_s = time.process_time()
            for _ in range(films_n):
                vault.record(video=(stream, packets), frame_us=long_us - packets[-1].dts_us)
                clock.advance(long_us / 1e6)
            wrote_s, began_s = time.process_time() - began_s, time.process_time()
            write(prepare(db, folders, "gate", 0, 1 << 50), Path(folder) / "film.mp4")
            took_s = time.process_time() - began_s
    size_mb = films_n * film_b / 1e6
    return wrote_s * 1000 / size_mb, took_s * 1000 / size_mb
