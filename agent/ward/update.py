"""`taimat ward update`: orders a release for devices. Its maker has signed it, and each household has its own rule.

`python -m agent.ward.update`
"""
import argparse
import os
import sys
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.config.load import ConfigError
from agent.core.contract import ulid, wire
from agent.core.contract.wire.citytopics import WardTopics
from agent.core.contract.wire.commands import Update
from agent.core.release import TOLD, TOLD_B, Release
from agent.host import digest as hashing
from agent.host.clock import Clock, SystemClock
from agent.mqtt.connection import Outgoing
from agent.ward import settings
from agent.ward import settings as roster
from agent.ward.command_signer import CommandKey
from agent.ward.opslink import EXIT_UNDONE, NAME, OpsLink, ended

VALID_MS = 24 * 3_600_000               # so long a device that is away may take to get it
GOING_ON = ("accepted", "waiting_consent", "running")


class Heard(msgspec.Struct, frozen=True):
    """What matters of an answer; devices are not trusted."""

    id: str
    st: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One device's."""

    dev: str
    id: str


def update_of(bundle: Path, url: str) -> Update:
    """The command's args for this bundle, which devices get at `url`. Raises ConfigError."""
    try:
        with tarfile.open(bundle) as archive:
            told = archive.next()
            content = archive.extractfile(told) if told and told.name == TOLD and told.size <= TOLD_B else None
            if content is None:
                raise ConfigError(f"{bundle}: is no release: scripts/package makes one")
            version = msgspec.json.decode(content.read(), type=Release).version
        return msgspec.convert({"version": version, "url": url, "sha256": hashing.sha256(bundle),
                                "bytes": bundle.stat().st_size}, Update)
    except OSError as error:
        raise ConfigError(f"{bundle}: {error.strerror}") from error
    except (tarfile.TarError, msgspec.MsgspecError) as error:
        raise ConfigError(f"{bundle}: {error}; it takes a release of scripts/package, and an https:// URL") from error


class Desk:
    """Orders, and listens, at one broker."""

    def __init__(self, own: settings.Settings, devices: Sequence[str], clock: Clock) -> None:
        self._own, self._clock, self._topics = own, clock, WardTopics(own.ward.ward)
        self._orders = [Order(dev, ulid.make(clock.now().wall_ms, os.urandom(ulid.CHANCE_B))) for dev in devices]

    def ask(self, update: Update, patience_s: float) -> Iterator[tuple[str, Heard]]:
        """Order it; each device's answers as they come, by its id. Raises OpsFault and KeyProblem."""
        key = CommandKey.load(self._own.ops.command_key)
        answers = {self._topics.answer(order.dev, order.id): order for order in self._orders}
        with OpsLink(self._own, list(answers), self._clock) as ops:
            for order in self._orders:
                ops.send(Outgoing(self._topics.command(order.dev, "update"), self._signed(key, order, update),
                                  expiry_s=VALID_MS // 1000))
            left = set(answers)
            for arrived in ops.answers(patience_s):
                heard = _read(arrived.payload)
                if heard and arrived.topic in left and heard.id == answers[arrived.topic].id:
                    yield answers[arrived.topic].dev, heard
                    left -= set() if heard.st in GOING_ON else {arrived.topic}
                if not left:
                    return

    def _signed(self, key: CommandKey, order: Order, update: Update) -> bytes:
        now_ms = self._clock.now().wall_ms
        command = wire.Command(id=order.id, iat=now_ms, exp=now_ms + VALID_MS, dev=order.dev, name="update", by=NAME,
                               args=msgspec.to_builtins(update))
        told = {name: value for name, value in msgspec.to_builtins(command).items() if value is not None}
        return msgspec.json.encode(key.sign(told))


def _read(payload: bytes) -> Heard | None:
    try:
        return msgspec.json.decode(payload, type=Heard)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def run(wishes: argparse.Namespace) -> int:
    """Do it; returns the exit code. Raises ConfigError, KeyProblem and OpsFault."""
    own = settings.load(wishes.config)
    if wrong := [dev for dev in wishes.devices if not roster.ID.fullmatch(dev)]:
        raise ConfigError(f"{wrong[0]!r}: a device's id is made of a-z, 0-9 and '-', as in c-7f3a9c21b04d")
    last = dict.fromkeys(wishes.devices, "silent")
    for dev, heard in Desk(own, wishes.devices, SystemClock()).ask(update_of(wishes.bundle, wishes.url), wishes.wait):
        last[dev] = heard.st
        if wishes.json:
            print(msgspec.json.encode({"dev": dev, "st": heard.st, "code": heard.code}).decode(), flush=True)
        else:
            print("\t".join((dev, heard.st, heard.code or "")), flush=True)
    for dev in [dev for dev, state in last.items() if state == "silent" and not wishes.json]:
        print(f"{dev}\tsilent\tit gets the order when it is back, for a day", flush=True)
    return 0 if set(last.values()) == {"done"} else EXIT_UNDONE


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="taimat ward update")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--wait", type=float, default=30.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("url")
    parser.add_argument("devices", nargs="+")
    return ended("update", lambda: run(parser.parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main())
