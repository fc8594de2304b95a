"""Orders of the ward to its devices: writes, signs and sends commands, and collects the answers.

`taimat ward update` orders a release, which its maker has signed; each household decides. Most releases name the keys
that sign later ones, so a release signed with the maker's next key ends the present key: only `taimat ward rotate
release` orders such a one.
"""
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from agent.config.load import ConfigError
from agent.core.contract import ulid, wire
from agent.core.contract.wire.commands import Update, plain
from agent.core.evidence.ledger.row import fingerprint
from agent.core.release import Release, ReleaseRefused, message, read
from agent.host import files, release_file
from agent.host.clock import Clock, SystemClock
from agent.host.command_key import verifies
from agent.mqtt.messages import Outgoing
from agent.ward import settings
from agent.ward.citytopics import WardTopics
from agent.ward.command_signer import CommandKey
from agent.ward.exits import EXIT_UNDONE, OPS, ended
from agent.ward.opslink import NAME, OpsLink, OrdersBy
from agent.ward.settings import ID, Settings
from agent.ward.ward_side import Code

GOING_ON = ("accepted", "waiting_consent", "running")
VALID_MS = 24 * 3_600_000           # a device that is away gets its order within this, or never


class OrderAnswer(msgspec.Struct, frozen=True):
    """Devices are not trusted: only the fields that matter here."""

    id: str
    st: Code
    code: Code | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")


@dataclass(frozen=True, slots=True)
class SignedOrder:
    id: str
    dev: str
    made_ms: int
    topic: str
    answers: str                    # the topic of its answers
    command: str                    # as it was signed: JSON


class OrderWriter:
    def __init__(self, own: Settings, clock: Clock, name: OrdersBy = NAME) -> None:
        """Loads the command key; `name` connects to the broker. Raises SigningKeyFault."""
        self._own, self._clock, self._name, self._topics = own, clock, name, WardTopics(own.ward.ward)
        self._key = CommandKey.load(own.ops.command_key)

    def write(self, dev: str, name: str, args: Mapping[str, Any]) -> SignedOrder:
        now_ms = self._clock.now().wall_ms
        order_id = ulid.make(now_ms, os.urandom(ulid.CHANCE_B))
        command = wire.Command(id=order_id, iat=now_ms, exp=now_ms + VALID_MS, dev=dev, name=name, by=NAME,
                               args=dict(args))
        signed = msgspec.json.encode(self._key.sign(plain(command))).decode()
        return SignedOrder(order_id, dev, now_ms, self._topics.command(dev, name),
                           answers=self._topics.answer(dev, order_id), command=signed)

    def link(self, orders: Sequence[SignedOrder]) -> OpsLink:
        """Raises OpsFault."""
        return OpsLink(self._own, [order.answers for order in orders], self._clock, self._name)

    @staticmethod
    def send(ops: OpsLink, order: SignedOrder) -> bool:
        """Returns whether the broker has a subscriber now. Raises OpsFault."""
        return ops.send(Outgoing(order.topic, order.command.encode(), expiry_s=VALID_MS // 1000))


def order_all(own: Settings, devices: Sequence[str], name: str, args: Mapping[str, Any], clock: Clock, *,
              patience_s: float) -> Iterator[tuple[str, OrderAnswer]]:
    """Give all these devices the same order; yields each answer, with its device, as it comes.

    Ends when all devices have given their last answer, or after `patience_s`. Raises OpsFault and SigningKeyFault.
    """
    writer = OrderWriter(own, clock)
    left = {order.answers: order for dev in devices for order in [writer.write(dev, name, args)]}
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


def give(own: Settings, devices: Sequence[str], name: str, args: Mapping[str, Any], patience_s: float,
         as_json: bool) -> int:
    """Sends these devices an order, prints their answers. Raises ConfigError, OpsFault and SigningKeyFault."""
    if wrong := [dev for dev in devices if not ID.fullmatch(dev)]:
        raise ConfigError(f"{wrong[0]!r}: a device's id is made of a-z, 0-9 and '-', as in c-7f3a9c21b04d")
    last = dict.fromkeys(devices, "silent")
    for dev, heard in order_all(own, devices, name, args, SystemClock(), patience_s=patience_s):
        last[dev] = heard.st
        if as_json:
            print(msgspec.json.encode({"dev": dev, "st": heard.st, "code": heard.code}).decode(), flush=True)
        else:
            print("\t".join((dev, heard.st, heard.code or "")), flush=True)
    for dev in [dev for dev, state in last.items() if state == "silent" and not as_json]:
        print(f"{dev}\tsilent\tit gets the order when it is back, for a day", flush=True)
    return 0 if set(last.values()) == {"done"} else EXIT_UNDONE


def _read(payload: bytes) -> OrderAnswer | None:
    try:
        return msgspec.json.decode(payload, type=OrderAnswer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def opened_release(bundle: Path) -> Release:
    """Raises ConfigError."""
    try:
        with bundle.open("rb") as file:
            manifest, signature, _ = release_file.begin(file)
        release = read(manifest)
    except OSError as error:
        raise ConfigError(f"{bundle}: {error.strerror}") from error
    except ReleaseRefused as error:
        raise ConfigError(f"{bundle}: {error}; it takes a release of scripts/package") from error
    if release.keys and not verifies(bytes.fromhex(release.keys.current), signature, message(manifest)):
        raise ConfigError(f"{bundle}: it names a key by which it is not signed, so no device would take it: get it "
                          "from its maker again")
    return release


@ended(OPS)
def run_update(config: Path, bundle: Path, url: str, devices: Sequence[str], *, wait_s: float, as_json: bool,
        rotates: bool = False) -> int:
    """Orders the release in `bundle`, which devices fetch from `url`; `rotates` allows a change of the release key."""
    own, release = settings.load(config), opened_release(bundle)
    if rotates and release.keys is None:
        raise ConfigError(f"{bundle}: it names no keys, so it changes none: its maker runs scripts/package "
                          "--rotate-key, and makes a new release")
    if rotates and not as_json:
        current, following = (fingerprint(bytes.fromhex(key)) for key in (release.keys.current, release.keys.next))
        print(f"a device that takes {release.version} obeys release key {current} from then on, no other one; only "
              f"{following} can replace it", flush=True)
    args = {"version": release.version, "url": url, "sha256": files.sha256(bundle), "bytes": bundle.stat().st_size}
    try:
        args = msgspec.to_builtins(msgspec.convert(args, Update))
    except msgspec.ValidationError as error:
        raise ConfigError(f"{url}: {error}; it takes an https:// URL") from error
    return give(own, devices, "update", args, patience_s=wait_s, as_json=as_json)
