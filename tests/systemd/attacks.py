"""Run in a unit's place, with its user and sandbox, or by a process of nobody's: tries to break what the household was
promised; prints one JSON object.

Each attack is "refused", or what it got hold of. What is written into the shared database is no success yet, for
capture may write there; whether anybody acts on it is seen from outside.
"""
import json
import os
import socket
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

STORE, RUN, WARD = Path("/var/lib/taimat"), Path("/run/taimat"), Path("/etc/taimat/ward")
CAMERA = "gate"
FORGED = f"01ATTACK{os.getuid():0>18}"[:26]
CLIP_B = 100_000


class Refused(Exception):
    """The attack got nothing."""


def ask(path: Path, question: dict[str, object] | None = None) -> bytes:
    """The first bytes that a socket answers."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(5)
        line.connect(str(path))
        if question is not None:
            line.sendall(json.dumps(question).encode() + b"\n")
        return line.recv(65_536)


def desk(**question: object) -> str:
    """What the keeper's desk says; raises Refused for a no."""
    answer = json.loads(ask(RUN / "keeper/decisions.sock", question))
    if why := answer.get("why"):
        raise Refused(why)
    return str(answer)


def page(path: str, form: str | None = None) -> bytes:
    """What the page on this machine shows without a login; raises Refused where that is the login itself."""
    request = urllib.request.Request(f"http://localhost:8088{path}", form.encode() if form else None,
                                     {"origin": "http://localhost:8088"})
    with urllib.request.urlopen(request, timeout=3) as answer:
        if answer.url.partition("?")[0].endswith("/pair"):
            raise Refused("/pair")
        return answer.read(1_000_000)


def database() -> sqlite3.Connection:
    """The shared one."""
    db = sqlite3.connect(STORE / "db/taimat.db", timeout=10, isolation_level=None)
    db.row_factory = sqlite3.Row
    return db


def write_database() -> str:
    """Write, cut short, replace or lock the shared database, and have it taken for one that the card has spoiled."""
    files = [STORE / f"db/taimat.db{side}" for side in ("", "-wal", "-shm")]
    tries: list[Callable[[], object]] = [
        *(lambda file=file: os.close(os.open(file, os.O_RDWR)) for file in files),       # harmless where it is allowed
        *(lambda file=file: os.truncate(file, 0) for file in files), *(file.unlink for file in files),
        lambda: os.rename(files[0], f"{files[0]}.old"), *(
            lambda name=name: (STORE / "db" / name).touch() for name in ("x", "taimat.db.mended", "taimat.db-journal")),
        lambda: database().execute("BEGIN IMMEDIATE").connection.execute("UPDATE clip SET why = why"),
        lambda: database().execute("DELETE FROM act"),
        lambda: database().execute("CREATE TRIGGER x AFTER INSERT ON event BEGIN DELETE FROM clip; END"),
        lambda: os.open(STORE / "db", os.O_RDONLY)]
    for number, attempt in enumerate(tries):
        if (answer := attempted(attempt)) is not None:
            return f"{number}: {answer}"
    raise Refused


def settle_messages() -> str:
    """Have messages for the ward forgotten, at the desk where the link says what the ward has."""
    answer = json.loads(ask(RUN / "keeper/link.sock", {"ask": "settle_messages", "seqs": []}))
    if why := answer.get("why"):
        raise Refused(why)
    return str(answer)


def approve_for_the_household() -> str:
    """Make a request that nobody asked for look approved, and have the keeper and the page say so, too."""
    number = attempted(forge_request) or "1"
    got = []
    for attempt in (lambda: desk(ask="request", token="guess", request=FORGED, digest="0" * 64, code="approved"),
                    lambda: page("/requests", f"n={number}&do=approve&digest={'0' * 64}")):
        try:
            got.append(str(attempt()))
        except (Refused, OSError):
            continue
    if got:
        return "; ".join(got)
    raise Refused


def forge_request() -> int:
    """The number of a row that says so."""
    db = database()
    columns = [row["name"] for row in db.execute("PRAGMA table_info(request)") if row["notnull"] and not row["pk"]]
    values: dict[str, object] = {column: 0 if column.endswith("_ms") else "x" for column in columns}
    values |= {"id": FORGED, "kind": "clip", "state": "approved", "camera": CAMERA, "upload": "https://evil.example/up",
               "receipt_key": "00" * 32, "begin_ms": 0, "end_ms": 1 << 50, "until_ms": 1 << 50, "clock": "ntp",
               "sent_b": 0, "command": b"{}"}
    marks = ", ".join("?" * len(values))
    db.execute(f"INSERT OR REPLACE INTO request ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))
    note(db, "decision", {"request": FORGED, "code": "approved", "by": "page", "asked": "clip", "camera": CAMERA,
                          "case": "x", "purpose": "x", "officer": "x", "basis": "x"})
    return int(db.execute("SELECT n FROM request WHERE id = ?", (FORGED,)).fetchone()["n"])


def note(db: sqlite3.Connection, kind: str, body: dict[str, object]) -> None:
    """Note an act for the ledger, as roles do."""
    db.execute("INSERT INTO act (kind, boot, mono_ms, wall_ms, clock, body) VALUES (?, 'b', 1, 1, 'ntp', ?)",
               (kind, json.dumps(body, sort_keys=True, separators=(",", ":"))))


def erase() -> str:
    """Have the keeper remove a clip, and forget a hold."""
    db = database()
    db.execute("DELETE FROM hold")
    db.execute("UPDATE clip SET state = 'deleting', why = 'erased' WHERE state = 'done' AND seq = 1")
    note(db, "deletion", {"clips": ["all"], "why": "erased"})
    raise Refused


def household_key() -> str:
    """Have the keys of all days wrapped for a key of one's own, or replaced by one."""
    attempted(forge_key)
    (STORE / "household/days.json").write_text("[]")
    return "days.json"


def forge_key() -> None:
    """The same in rows."""
    db = database()
    db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('household_key', ?)", ("42" * 32,))
    note(db, "household_key", {"public": "42" * 32})


def pause() -> str:
    """Blind the cameras, or open the eyes of a paused one."""
    try:
        (STORE / "household/pause.json").write_text("{}")
    except OSError:
        return desk(ask="pause", token="guess") or desk(ask="home", camera=CAMERA, paused=True)
    return "pause.json"


def home_pause() -> str:
    """The same in the name of Home Assistant, which this household does not have."""
    return desk(ask="home", camera=CAMERA, paused=True)


def destroy_signing_key() -> str:
    """Have the keeper write over its own key, by a link where it writes."""
    for place in (STORE / "keeper.lock", STORE / "ballast", RUN / "keeper/keeper.lock", STORE / "household/pause.json",
                  STORE / "household/pause.json.part", STORE / "db/taimat.db.mended", STORE / "exports/x.tar.part"):
        try:
            place.unlink(missing_ok=True)
            place.symlink_to(STORE / "keys/signing.key")
        except OSError:
            continue
    return (STORE / "keys/signing.key").read_text()


def past_footage() -> str:
    """A finished recording, in the clear."""
    clip = sorted((STORE / "clips").glob("*/*.mp4"))[0].read_bytes()
    said = ask(RUN / "keys/desk.sock", {"day": 1, "ephemeral": "", "wrapped": "", "name": "x"}).decode()
    if "only the page" in said:
        raise Refused
    return f"{len(clip)} bytes, {said}"


def footage_by_page() -> str:
    """The same, as the page shows it."""
    name = database().execute("SELECT name FROM clip WHERE state = 'done' ORDER BY seq LIMIT 1").fetchone()["name"]
    return f"{len(page(f'/clips/{name}.mp4'))} bytes"


def pairing_code() -> str:
    """The code that lets a phone in."""
    try:
        return (STORE / "keys/decisions.db").read_bytes()[:16].decode()
    except OSError:
        return desk(ask="browsers", token="guess")


def browser_role() -> str:
    """Be an owner of the house, by the keeper's database or by its desk."""
    try:
        (STORE / "keys/decisions.db").write_bytes(b"")
    except OSError:
        return desk(ask="role", token="guess", which="0" * 12, role="owner") or desk(ask="new_code", token="guess")
    return "decisions.db"


def change_settings() -> str:
    """Have root change the configuration, or show the code with which a browser may."""
    change = {"change": "add_camera", "name": "evil", "source": "rtsp://192.168.1.66/1"}
    asked = json.dumps({"id": "0" * 20, "boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
                        "mono_ms": time.monotonic_ns() // 1_000_000, "change": change}).encode()
    tries: tuple[Callable[[], object], ...] = (
        lambda: Path("/run/taimat-setup/change." + "0" * 20).write_bytes(asked),
        lambda: Path("/run/taimat-setup/news").symlink_to("/etc/taimat/taimat.toml"),
        lambda: Path("/run/taimat/setup/news").touch(),
        lambda: Path("/etc/taimat/taimat.toml").write_text(""),
        lambda: os.rename("/run/taimat-setup", "/run/taimat-setup.old"),
        lambda: Path("/run/taimat-setup/pairing.json").read_text(),
        lambda: Path("/run/issue.d/taimat.issue").read_text(),
        lambda: desk(ask="settings", token="guess", change=change), lambda: desk(ask="code", code="7K2MQ9XD"))
    got = [f"{number}: {answer}" for number, attempt in enumerate(tries)
           if (answer := attempted(attempt)) is not None]
    if got:
        return "; ".join(got)
    raise Refused


def attempted(attempt: Callable[[], object]) -> str | None:
    """What it got; None for nothing."""
    try:
        return str(attempt())
    except (Refused, OSError, sqlite3.OperationalError):
        return None


def live() -> str:
    """What the camera sees now."""
    for kind in ("live", "snap"):
        try:
            return f"{kind}: {len(ask(RUN / f'video/{kind}-{CAMERA}.sock'))} bytes"
        except OSError:
            continue
    raise Refused


def ward_key() -> str:
    """Be this recorder at its ward, or have it be another's."""
    tries: tuple[Callable[[], object], ...] = (
        (WARD / "enrol.toml").read_text, lambda: (WARD / "enrol.toml").write_text("claim"),
        lambda: os.rename(WARD / "current", WARD / "old"), lambda: (WARD / "2026/device.pem").write_text("mine"),
        lambda: Path("/run/taimat/enrol/state.json").write_text("{}"), (WARD / "current/device.key").read_text)
    got = [f"{number}: {answer}" for number, attempt in enumerate(tries) if (answer := attempted(attempt)) is not None]
    if got:
        return "; ".join(got)
    raise Refused


def health() -> str:
    """Be heard as another role: from the outside it is seen whether one of these units is known."""
    for inbox in ("keeper", "link", "web"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.connect(str(RUN / inbox / "inbox.sock"))
            for role in ("capture", "keeper", "link", "web"):
                if Path(RUN / role).stat().st_uid != os.getuid():
                    line.send(json.dumps({"type": "beat", "role": role, "unit": f"{role}@forged", "pid": 1, "mono_s": 1,
                                          "up_s": 1, "cameras": [{"camera": "forged", "state": "ok"}]}).encode())
            line.send(b'{"type":"poke","what":"\xff"}')
            line.send(b'{"type":"poke","what":"requests","x":' + b"[" * 30_000)
    raise Refused


ATTACKS: dict[str, Callable[[], str]] = {
    "database": write_database, "outbox": settle_messages,
    "approve": approve_for_the_household, "erase": erase, "household_key": household_key, "pause": pause,
    "home_pause": home_pause, "signing_key": destroy_signing_key, "past": past_footage, "page": footage_by_page,
    "code": pairing_code, "role": browser_role, "settings": change_settings,
    "ward_key": ward_key, "live": live, "health": health}


def outcome(attack: Callable[[], str]) -> str:
    """ "refused", or what it got."""
    try:
        return attack()
    except (Refused, OSError, IndexError, sqlite3.OperationalError):
        return "refused"


if __name__ == "__main__":
    print(json.dumps({name: outcome(ATTACKS[name]) for name in sys.argv[1:] or ATTACKS}), flush=True)
