"""Decides which packets become which clip. Pure: packets and orders in, actions out.

In motion mode a clip is open from the pre-roll to the post-roll. Packets after the post-roll are withheld until it is
clear whether the motion returns within the merge gap. If it returns, they are written and the clip has no hole;
otherwise they are dropped and the clip has no useless tail.
"""
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.core.media.model import Packet
from agent.core.media.ring import Ring


@dataclass(frozen=True, slots=True)
class Write:
    """Add these packets to the open clip, or begin a clip with them."""

    packets: list[Packet]


@dataclass(frozen=True, slots=True)
class Keep:
    """Add the current packet to the open clip: by far the most frequent action."""


@dataclass(frozen=True, slots=True)
class End:
    """Close the open clip. Its last frame is shown until `until_us`."""

    until_us: int


@dataclass(frozen=True, slots=True)
class Turn:
    """The event continues as a new one from here."""

    at_us: int


Action = Write | Keep | End | Turn
KEEP: Sequence[Action] = (Keep(),)      # made once, because most packets get this action
NOTHING: Sequence[Action] = ()


@dataclass(slots=True)
class Segmenter:
    """The decisions for one camera. `always` also records without events."""

    ring: Ring
    always: bool
    pre_roll_us: int
    post_roll_us: int
    longest_us: int                     # clips are cut at the first keyframe after this duration
    withheld_bytes_max: int = 16_000_000
    wanted_until_us: int | None = None  # while an event is open: the end of the post-roll as far as known
    kept_until_us: int | None = None    # the end of the time that `keep` asked for, until it is reached
    clip_start_us: int | None = None    # while a clip is open
    last_dts_us: int | None = None      # of this run
    last_step_us: int = 0
    cut_from_us: int | None = None      # another clip begins at the first keyframe from here on
    turn_asked: bool = False
    _withheld: list[Packet] = field(default_factory=list)
    _withheld_bytes: int = 0

    @property
    def end_of_media_us(self) -> int | None:
        """When the newest packet ends, if the next comes at the same interval; None before the run's first packet."""
        return None if self.last_dts_us is None else self.last_dts_us + self.last_step_us

    def open(self, now_us: int) -> list[Action]:
        """An event begins: record from the pre-roll on."""
        self.wanted_until_us = now_us + self.post_roll_us
        if self.always or self.clip_start_us is not None:
            return self.extend(now_us)
        return self._begin(self.ring.since(now_us - self.pre_roll_us))

    def extend(self, now_us: int) -> list[Action]:
        """Motion continues: the withheld packets belong to the clip."""
        self.wanted_until_us = now_us + self.post_roll_us
        return self._release()

    def turn(self, now_us: int) -> list[Action]:
        """The event is too long and continues as a new one, from the next keyframe, where its clip ends."""
        if self.always:
            return [Turn(now_us)]
        self.cut()
        self.turn_asked = True
        return self.extend(now_us)

    def keep(self, now_us: int, until_us: int) -> list[Action]:
        """Record from the pre-roll until `until_us`, with or without an event."""
        self.kept_until_us = until_us
        if self.always or self.clip_start_us is not None:
            return self._release()
        return self._begin(self.ring.since(now_us - self.pre_roll_us))

    def cut(self, after_us: int = 0) -> None:
        """Another clip begins at the next keyframe, once the open one is `after_us` long."""
        if self.clip_start_us is not None:
            due_us = self.clip_start_us + after_us
            self.cut_from_us = due_us if self.cut_from_us is None else min(due_us, self.cut_from_us)

    def close(self) -> list[Action]:
        """The event is over. A time from `keep` continues."""
        self.wanted_until_us = None
        return [] if self.always or self.kept_until_us is not None else self.end()

    def packet(self, packet: Packet) -> Sequence[Action]:
        if self.kept_until_us is not None and packet.pts_us > self.kept_until_us:
            return self._let_go(packet)
        actions = self._at_key(packet) if packet.key else None
        if actions is None:
            actions = NOTHING if self.clip_start_us is None else self._go_on(packet)
        last_us, self.last_dts_us = self.last_dts_us, packet.dts_us
        self.last_step_us = 0 if last_us is None else packet.dts_us - last_us
        return actions

    def end_run(self) -> list[Action]:
        """The source stops or the recorder does: close the open clip. The clock may start again from zero."""
        actions = self.end()
        self.last_dts_us, self.last_step_us = None, 0
        return actions

    def end(self) -> list[Action]:
        until_us = self._withheld[0].dts_us if self._withheld else self.end_of_media_us
        was_open = self.clip_start_us is not None
        self.lost()
        return [End(until_us)] if was_open and until_us is not None else []

    def lost(self) -> None:
        """The open clip could not be written. The next keyframe opens another one if it is wanted then."""
        self._withheld, self._withheld_bytes, self.clip_start_us = [], 0, None
        self.cut_from_us, self.turn_asked = None, False

    def _let_go(self, packet: Packet) -> Sequence[Action]:
        self.kept_until_us = None
        if self.always or self.wanted_until_us is not None:
            return self.packet(packet)
        return [*self.end(), *self.packet(packet)]

    def _at_key(self, packet: Packet) -> Sequence[Action] | None:
        if self.clip_start_us is None:
            return self._begin([packet]) if self._wanted(packet.pts_us) else None
        # Half a frame early is on time: rounding must not lengthen a clip by a whole GOP.
        long_enough = packet.dts_us - self.clip_start_us + self.last_step_us // 2 >= self.longest_us
        due = self.cut_from_us is not None and packet.dts_us >= self.cut_from_us
        return self._cut(packet) if due or long_enough else None

    def _go_on(self, packet: Packet) -> Sequence[Action]:
        """In decode order: packets after a withheld one may depend on it, even if they are shown before it."""
        if not self._withheld and (self.always or self._wanted(packet.pts_us)):
            return KEEP
        self._withheld.append(packet)
        self._withheld_bytes += len(packet.data)
        return self._release() if self._withheld_bytes > self.withheld_bytes_max else NOTHING

    def _wanted(self, pts_us: int) -> bool:
        if self.always or (self.wanted_until_us is not None and pts_us <= self.wanted_until_us):
            return True
        return self.kept_until_us is not None and pts_us <= self.kept_until_us

    def _cut(self, packet: Packet) -> list[Action]:
        released = self._release()
        turned = [Turn(packet.dts_us)] if self.turn_asked else []
        self.clip_start_us, self.cut_from_us, self.turn_asked = None, None, False
        return [*released, End(packet.dts_us), *turned, *self._begin([packet])]

    def _begin(self, packets: list[Packet]) -> list[Action]:
        if not packets:
            return []
        self.clip_start_us = packets[0].dts_us
        return [Write(packets)]

    def _release(self) -> list[Action]:
        packets, self._withheld, self._withheld_bytes = self._withheld, [], 0
        return [Write(packets)] if packets else []
