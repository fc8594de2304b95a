"""An honest device in memory: it films, pauses, deletes, reboots and signs as they do, and can be tampered with."""
from dataclasses import dataclass, field, replace

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import strategies as st

from agent.core.evidence.ledger.acts import CameraPaused, ClipSigned, ClockMoved, Deletion, KeyChange, LedgerBegin
from agent.core.evidence.ledger.card_check import CardContents, FoundFile, KnownClip, check_card
from agent.core.evidence.ledger.check import Checked, check
from agent.core.evidence.ledger.clocks import STEP_MS, moved_ms
from agent.core.evidence.ledger.findings import Flaw
from agent.core.evidence.ledger.row import LedgerLine, Row, RowHead, RowMoment, follow

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def verifies(key: bytes, sig: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(sig, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass
class Device:
    """Everything on its card, as plain values."""

    dev: str = "c-000000000001"
    serial: str | None = "10000000aaaaaaaa"
    key: Ed25519PrivateKey = KEY
    boot_n: int = 1
    mono_ms: int = 60_000
    offset_ms: int = 1_795_000_000_000
    clock: str = "ntp"
    lines: list[LedgerLine] = field(default_factory=list)
    waiting: list[Row] = field(default_factory=list)
    noted_n: int = 0
    files: dict[str, FoundFile] = field(default_factory=dict)
    known: dict[str, KnownClip] = field(default_factory=dict)
    boots: dict[str, set[int]] = field(default_factory=dict)
    paused: bool = False
    lag_ms: int = 0         # of a clock that is not right, behind the world

    @property
    def now(self) -> RowMoment:
        return RowMoment(boot=f"0b00{self.boot_n:04d}", mono_ms=self.mono_ms, wall_ms=self.mono_ms + self.offset_ms,
                         clock=self.clock)

    def wait(self, ms: int) -> None:
        self.mono_ms += ms
        self.offset_ms += ms // 5_000           # 200 ppm: a crystal

    def note(self, act) -> None:
        self.noted_n += 1
        self.waiting.append(Row(n=0, dev="", kind=act.KIND, act_n=self.noted_n, at=self.now, sealed=self.now,
                                body=msgspec.to_builtins(act)))

    def film(self, sign: bool = True) -> None:
        seq, began = len(self.known) + 1, self.now
        self.wait(10_000)
        name, sha256 = f"gate-{began.boot}-{seq:06d}", f"{seq:064x}"
        self.files[name] = FoundFile(1000 + seq, sha256)
        self.known[name] = KnownClip(seq, name, "gate", "done", began.boot, began.mono_ms, began.wall_ms, 10_000, None)
        if sign:
            self.hash(name)

    def hash(self, name: str) -> None:
        known, found = self.known[name], self.files[name]
        self.known[name] = replace(known, sha256=found.sha256)
        self.note(ClipSigned(clip=name, camera="gate", bytes=found.size_b, sha256=found.sha256, type="motion",
                             boot=known.boot, mono_ms=known.mono_ms, wall_ms=known.wall_ms, clock="ntp",
                             dur_ms=10_000, frames=150, codec="h264", width=1280, height=720, serial=self.serial))

    def delete(self) -> None:
        name = next((name for name in self.files if self.known[name].sha256), None)
        if name:
            self.note(Deletion(clips=[name], why="age"))
            del self.files[name]
            self.known[name] = replace(self.known[name], state="deleted")

    def pause(self) -> None:
        self.paused = not self.paused
        self.note(CameraPaused(camera="gate", paused=self.paused, by="page"))

    def move_clock(self, step_ms: int, seen: bool = True) -> None:
        """By NTP, or by a hand, which the kernel tells from it; what no keeper saw is told when it next signs."""
        self.offset_ms += step_ms
        self.clock = self.clock if seen else "saved"
        self.lag_ms -= step_ms if self.clock != "ntp" else 0
        if seen:
            self.boots[self.now.boot] = {self.offset_ms}
            self.note(ClockMoved(code="step", offset_ms=self.offset_ms, step_ms=step_ms))

    def reboot(self, clock: str, behind_ms: int = 0) -> None:
        """A power cut: without a battery the clock stood still for a while."""
        world_ms = self.now.wall_ms + self.lag_ms + 30_000
        self.lag_ms = 0 if clock == "ntp" else self.lag_ms + behind_ms
        wall_ms = world_ms - self.lag_ms
        self.boot_n, self.mono_ms, self.clock = self.boot_n + 1, 5_000, clock
        self.offset_ms = wall_ms - self.mono_ms

    def seal(self, most: int = 64) -> None:
        rows = self.waiting[:most]
        if not self.lines:
            begin = LedgerBegin(key=public(self.key).hex(), serial=self.serial)
            rows = [self._own(begin), *rows]
        self.append_all([*self._moved_in_secret(), *rows])
        del self.waiting[:most]

    def tell(self, act) -> None:
        """A row of the keeper's own."""
        self.append_all([*self._moved_in_secret(), self._own(act)])

    def append_all(self, rows: list[Row]) -> None:
        sealed = self.now
        for row in rows:
            self.append(Row(n=len(self.lines) + 1, dev=self.dev, kind=row.kind, act_n=row.act_n, at=row.at,
                            sealed=sealed, body=row.body), self.key)

    def _moved_in_secret(self) -> list[Row]:
        before, now = (self.sealed, self.now) if self.lines else (self.now, self.now)
        step_ms = moved_ms(before, now) if before.boot == now.boot else 0
        told = self._tells_of(now.offset_ms)
        return [self._own(ClockMoved(code="step", offset_ms=now.offset_ms, step_ms=step_ms))] if step_ms and not told \
            else []

    @property
    def sealed(self) -> RowMoment:
        return self.row(len(self.lines)).sealed

    def _tells_of(self, offset_ms: int) -> bool:
        return any(abs(row.body["offset_ms"] - offset_ms) <= STEP_MS for row in self.waiting if row.kind == "clock")

    def _own(self, act) -> Row:
        return Row(n=0, dev="", kind=act.KIND, act_n=0, at=self.now, sealed=self.now, body=msgspec.to_builtins(act))

    def row(self, n: int) -> Row:
        return msgspec.json.decode(self.lines[n - 1].doc, type=Row)

    def append(self, row: Row, key: Ed25519PrivateKey) -> None:
        """Chain and sign, as whoever holds `key` can."""
        head = RowHead(self.lines[-1].n, self.lines[-1].hash) if self.lines else RowHead()
        self.lines.append(follow(head, row, key.sign))

    def change(self, n: int, **columns) -> None:
        """Write into a stored row."""
        line = self.lines[n - 1]
        fields = {name: getattr(line, name) for name in ("n", "doc", "prev", "hash", "sig")}
        self.lines[n - 1] = LedgerLine(**fields | columns)

    def find(self, **anchors) -> tuple[Checked, list[Flaw]]:
        """What a check makes of it."""
        checked = check(self.lines, verifies, told_key=public(self.key), waiting=self.waiting, noted_n=self.noted_n,
                        **anchors)
        return checked, [*checked.findings, *check_card(checked, CardContents(self.files, self.known, self.boots,
                                                                              self.waiting))]

    def codes(self, **anchors) -> set[tuple[str, int | str | None]]:
        """Each finding's code, with its row or else its clip."""
        return {(each.code.value, each.n or each.clip) for each in self.find(**anchors)[1]}


def week() -> Device:
    """A device with a little of everything: 12 rows."""
    device = Device()
    for _ in range(3):
        device.film()
        device.seal()
    device.pause()
    device.seal()
    device.wait(60_000)
    device.pause()
    device.move_clock(-3_600_000)
    device.film()
    device.seal()
    device.delete()
    device.wait(5_000)
    device.seal()
    device.reboot("saved", behind_ms=100_000)
    device.film()
    device.film()
    device.wait(2_000)
    device.seal()
    device.film()
    device.seal()
    return device


def lose_the_key(device: Device) -> None:
    body = msgspec.to_builtins(KeyChange(key=public(STRANGER).hex(), was=public(KEY).hex()))
    device.append(Row(n=13, dev=device.dev, kind="key", act_n=0, at=device.now, sealed=device.now, body=body), STRANGER)
    device.key = STRANGER
    device.film()
    device.seal()


STEPS = st.lists(st.one_of(
    st.tuples(st.sampled_from([Device.film, Device.delete, Device.pause, Device.seal])),
    st.tuples(st.just(Device.seal), st.just(1)),
    st.tuples(st.just(Device.film), st.just(False)),
    st.tuples(st.just(Device.wait), st.integers(0, 40_000_000)),
    st.tuples(st.just(Device.move_clock), st.integers(-10 ** 8, 10 ** 8), st.booleans()),
    st.tuples(st.just(Device.reboot), st.sampled_from(["ntp", "saved", "rtc", "unset"]), st.just(500_000)),
), max_size=40)


def live(device: Device, steps: list[tuple]) -> None:
    for act, *arguments in steps:
        act(device, *arguments)
