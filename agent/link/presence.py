"""The messages that present this device to the ward: status with its will, and birth. See docs/design/ward.md."""
import contextlib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent import __version__
from agent.config.settings import Settings
from agent.core.contract import wire
from agent.core.contract.facts import CameraFacts
from agent.core.household.consent import Switch
from agent.core.passwords import redact
from agent.host import board
from agent.host.clock import Clock
from agent.link.outbox_upkeep import OutboxBacklog
from agent.mqtt.credentials import Credentials
from agent.mqtt.messages import Outgoing

ONLINE_EXPIRY_S = 1200          # an "online" that is not refreshed expires: the broker may die together with the device
REFRESH_S = 600.0
BIRTH_EVERY_S = 10.0            # so that cameras that start one after the other make one birth
SCHEMAS = {"status": 1, "birth": 1, "health": 1, "evt": 1, "cmd": 1, "cfg": 1}


class Presence:
    """Makes the messages; `next_connection` must be called before each CONNECT."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._conn = 0
        self._refresh_mono_s = self._birth_mono_s = 0.0
        self._birth_wanted = self._birth_refused = False
        self._withheld: Sequence[Switch] = ()
        self._only: Sequence[str] = ()
        self._cameras: list[wire.BirthCamera] = []
        self._hw = board.read().model
        self._os = _os_name()
        self.configured(settings, None)

    def configured(self, in_effect: Settings, ver: int | None) -> None:
        """These settings are in effect; `ver` is the number of the ward's configuration in them, if there is one."""
        redacted = redact(msgspec.json.encode(in_effect).decode())
        self._settings_sha256, self._cfg_ver = hashlib.sha256(redacted.encode()).hexdigest(), ver

    def next_connection(self, topics: wire.Topics, counted: int | None) -> Outgoing:
        """Returns the will of the next connection, number `counted`; None if the card does not answer in time."""
        self._conn = max(self._conn + 1, counted or 0)
        return self._status(topics, online=False, why="lost", dated=False)

    def online(self, topics: wire.Topics) -> Outgoing:
        self._refresh_mono_s = self._clock.mono_s() + REFRESH_S
        return self._status(topics, online=True)

    def offline(self, topics: wire.Topics, why: str) -> Outgoing:
        return self._status(topics, online=False, why=why)

    def refused(self, topics: wire.Topics, topic: str, again_s: float) -> None:
        """The broker refused a message: a status or a birth is sent again after `again_s`, because a wrong ACL is
        corrected while the connection stays."""
        again_mono_s = self._clock.mono_s() + again_s
        if topic == topics.status:
            self._refresh_mono_s = again_mono_s
        elif topic == topics.birth:
            self._birth_mono_s, self._birth_refused = again_mono_s, True

    def stale(self) -> bool:
        return self._clock.mono_s() >= self._refresh_mono_s

    def want_birth(self) -> None:
        """Sends the birth again even if no camera has changed."""
        self._birth_wanted = True

    def withhold(self, withheld: Sequence[Switch], only: Sequence[str]) -> None:
        """The birth says from now on that the household withholds these parts, and leaves out what they cover.

        The ward gets motion that has one of the labels `only`, or no label; all motion if `only` is empty.
        """
        self._withheld, self._only, self._birth_wanted = withheld, only, True

    def birth_is_due(self, cameras: Sequence[CameraFacts] | None) -> bool:
        """Whether a birth is wanted, or cameras or their pictures differ from the last one; None: not known yet."""
        settled = self._clock.mono_s() >= self._birth_mono_s
        is_new = self._birth_refused or cameras is not None and self._described(cameras) != self._cameras
        return self._birth_wanted or settled and is_new

    def birth(self, topics: wire.Topics, credentials: Credentials, cameras: Sequence[CameraFacts],
              backlog: OutboxBacklog) -> Outgoing:
        now = self._clock.now()
        self._birth_mono_s, self._birth_wanted = self._clock.mono_s() + BIRTH_EVERY_S, False
        self._birth_refused = False
        self._cameras = self._described(cameras)
        not_after = credentials.cert_not_after
        return Outgoing(topics.birth, wire.encode(wire.Birth(
            v=wire.VERSION, boot=now.boot, conn=self._conn, mono_ms=now.mono_ms, clock=now.clock,
            ts=None if now.clock == "unset" else now.wall_ms, seq_next=backlog.seq_next, outbox_n=backlog.n,
            agent=__version__, os=self._os, hw=self._hw, site=self._settings.device.site or None,
            cfg_sha256=self._settings_sha256, cfg_ver=self._cfg_ver,
            cert_not_after=not_after.strftime("%Y-%m-%dT%H:%M:%SZ") if not_after else None,
            schemas=SCHEMAS, caps=[], cams=self._cameras, withheld=[*self._withheld],
            only=[*self._only])), retain=True)

    def versions(self) -> dict[str, str]:
        return {"agent": __version__, "os": self._os, **({"hw": self._hw} if self._hw else {})}

    def _described(self, cameras: Sequence[CameraFacts]) -> list[wire.BirthCamera]:
        if "health" in self._withheld:          # because a camera's pictures show whether it works
            return [wire.BirthCamera(c=facts.camera) for facts in cameras]
        return [wire.BirthCamera(c=facts.camera, src=facts.source, w=facts.width, h=facts.height,
                                 fps_set=facts.fps_set, codec=facts.codec) for facts in cameras]

    def _status(self, topics: wire.Topics, online: bool, why: str | None = None, dated: bool = True) -> Outgoing:
        now = self._clock.now()
        known = dated and now.clock != "unset"
        return Outgoing(topics.status, wire.encode(wire.Status(
            v=wire.VERSION, online=online, boot=now.boot, conn=self._conn, why=why, ts=now.wall_ms if known else None,
            clock=now.clock if dated else None, mode="active" if online else None)),
            retain=True, expiry_s=ONLINE_EXPIRY_S if online else None)


def _os_name() -> str:
    """Returns a text such as "debian-13 6.12.47 aarch64"."""
    names = {}
    with contextlib.suppress(OSError):
        names = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    kernel = os.uname()
    name = "-".join(names[key].strip('"') for key in ("ID", "VERSION_ID") if key in names)
    return f"{name or 'linux'} {kernel.release} {kernel.machine}"
