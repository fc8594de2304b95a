"""Asks devices for a configuration, signed and retained, and hears what became of it."""
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from agent.core.contract import wire
from agent.core.contract.wire.ward_side import Code, Line
from agent.core.evidence.ledger.row import WHOLE_MAX
from agent.mqtt.connection import Arrived, Outgoing
from agent.ward.command_signer import CommandKey
from agent.ward.opslink import OpsLink

Ver = Annotated[int, Meta(ge=0, le=WHOLE_MAX - 1)]


class Report(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What a device says of its configuration; devices are not trusted, so each field is within bounds."""

    dev: str = ""                       # by the topic
    st: Literal["applied", "refused", "silent"]
    ver: Ver
    code: Code | None = None
    key: Line | None = None
    cfg_ver: Ver | None = None
    cfg: Annotated[dict[Code, int | float | Line], Meta(max_length=64)] = {}
    clamped: Annotated[dict[Code, Code], Meta(max_length=64)] = {}


class Desk:
    """Asks, and listens, at one broker. The configuration that was asked for stays there for devices that are away."""

    def __init__(self, ops: OpsLink, ward: str, devs: Sequence[str]) -> None:
        """`ops` listens on the topics that `listens_to` names."""
        self._ops, self._topics = ops, {dev: wire.Topics(ward, dev) for dev in devs}

    def ask(self, key: CommandKey, cfg: Mapping[str, Any], ver: int, patience_s: float) -> Iterator[Report]:
        """Each device's answer as it comes; "silent" for those that give none in time. Raises OpsFault."""
        send = functools.partial(self._send, key, cfg)
        asked = dict.fromkeys(self._topics, ver)
        for dev in asked:
            send(dev, ver)
        for report in self._reports(patience_s):
            if report.ver != asked.get(report.dev):
                continue
            if report.code == "old_version" and (report.cfg_ver or 0) >= report.ver:
                asked[report.dev] = (report.cfg_ver or 0) + 1       # somebody's clock was ahead of ours
                send(report.dev, asked[report.dev])
                continue
            del asked[report.dev]
            yield report
            if not asked:
                return
        yield from (Report(dev=dev, st="silent", ver=asked[dev]) for dev in asked)

    def last(self, patience_s: float) -> Iterator[Report]:
        """What each device has reported last. Raises OpsFault."""
        left = dict.fromkeys(self._topics)
        for report in self._reports(patience_s):
            if report.dev in left:
                del left[report.dev]
                yield report
            if not left:
                return
        yield from (Report(dev=dev, st="silent", ver=0) for dev in left)

    def _send(self, key: CommandKey, cfg: Mapping[str, Any], dev: str, ver: int) -> None:
        signed = key.sign({"v": wire.VERSION, "ver": ver, "dev": dev, "cfg": dict(cfg)})
        self._ops.send(Outgoing(self._topics[dev].cfg_desired, msgspec.json.encode(signed), retain=True))

    def _reports(self, patience_s: float) -> Iterator[Report]:
        devs = {topics.cfg_reported: dev for dev, topics in self._topics.items()}
        return filter(None, (_read(devs, arrived) for arrived in self._ops.answers(patience_s)))


def listens_to(ward: str, devs: Iterable[str]) -> list[str]:
    """The topics on which these devices report."""
    return [wire.Topics(ward, dev).cfg_reported for dev in devs]


def _read(devs: Mapping[str, str], arrived: Arrived) -> Report | None:
    """The report; None for what is none."""
    try:
        report = msgspec.json.decode(arrived.payload, type=Report)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return msgspec.structs.replace(report, dev=devs[arrived.topic]) if arrived.topic in devs else None
