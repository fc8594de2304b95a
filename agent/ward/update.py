"""`taimat ward update`: orders a release for devices. The release's maker has signed it; each household decides.

`python -m agent.ward.update`
"""
import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from agent.config.load import ConfigError
from agent.core.contract.wire.commands import Update
from agent.core.release import BUNDLE_B, TOLD, TOLD_B, Release
from agent.host import digest, tar
from agent.host.clock import Clock, SystemClock
from agent.host.tar import NotPlainTar
from agent.ward import settings
from agent.ward.opslink import EXIT_UNDONE, ended
from agent.ward.orders import OrderWriter

GOING_ON = ("accepted", "waiting_consent", "running")


class UpdateAnswer(msgspec.Struct, frozen=True):
    """The fields of an answer that matter here; devices are not trusted."""

    id: str
    st: str
    code: str | None = None


def update_of(bundle: Path, url: str) -> Update:
    """The command's args for this release, which devices download from `url`. Raises ConfigError."""
    try:
        with bundle.open("rb") as file:
            name, size_b = next(tar.members(file, BUNDLE_B), ("", 0))
            if name != TOLD or size_b > TOLD_B:
                raise ConfigError(f"{bundle}: is no release: scripts/package makes one")
            version = msgspec.json.decode(tar.exactly(file, size_b), type=Release).version
        return msgspec.convert({"version": version, "url": url, "sha256": digest.sha256(bundle),
                                "bytes": bundle.stat().st_size}, Update)
    except OSError as error:
        raise ConfigError(f"{bundle}: {error.strerror}") from error
    except (NotPlainTar, msgspec.MsgspecError) as error:
        raise ConfigError(f"{bundle}: {error}; it takes a release of scripts/package, and an https:// URL") from error


def orders(own: settings.Settings, devices: Sequence[str], update: Update, clock: Clock,
           patience_s: float) -> Iterator[tuple[str, UpdateAnswer]]:
    """Order the release for these devices; yields each answer, with its device, as it comes.

    Ends when all devices have given their last answer, or after `patience_s`. Raises OpsFault and SigningKeyFault.
    """
    writer = OrderWriter(own, clock)
    left = {order.answers: order for dev in devices
            for order in [writer.write(dev, "update", msgspec.to_builtins(update))]}
    with writer.link(list(left.values())) as ops:
        for order in left.values():
            writer.send(ops, order)
        for arrived in ops.answers(patience_s):
            order, heard = left.get(arrived.topic), _read(arrived.payload)
            if order is None or heard is None or heard.id != order.id:
                continue
            yield order.dev, heard
            if heard.st not in GOING_ON:
                del left[arrived.topic]
            if not left:
                return


def _read(payload: bytes) -> UpdateAnswer | None:
    try:
        return msgspec.json.decode(payload, type=UpdateAnswer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def run(wishes: argparse.Namespace) -> int:
    """Order and print; returns the exit code. Raises ConfigError, SigningKeyFault and OpsFault."""
    own = settings.load(wishes.config)
    if wrong := [dev for dev in wishes.devices if not settings.ID.fullmatch(dev)]:
        raise ConfigError(f"{wrong[0]!r}: a device's id is made of a-z, 0-9 and '-', as in c-7f3a9c21b04d")
    last = dict.fromkeys(wishes.devices, "silent")
    update = update_of(wishes.bundle, wishes.url)
    for dev, heard in orders(own, wishes.devices, update, SystemClock(), wishes.wait):
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
