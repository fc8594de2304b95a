"""Gives the orders: written down first, then signed, then sent. What becomes of them the ingest hears."""
import os
from collections.abc import Mapping
from typing import Any

import msgspec

from agent.core.contract import ulid, wire
from agent.core.contract.wire.citytopics import WardTopics
from agent.core.contract.wire.commands import ClipExport, Snapshot, plain
from agent.host.clock import Clock
from agent.mqtt.connection import Outgoing
from agent.ward.command_signer import CommandKey
from agent.ward.keys import public_half
from agent.ward.opslink import NAME, OpsFault, OpsLink
from agent.ward.request.form import BadWish, Wish
from agent.ward.requests import Request, Requests
from agent.ward.settings import Settings

VALID_MS = 24 * 3_600_000           # so long a device that is away may take to get it
TAKEN_MS = 21 * 86_400_000          # from then on no upload is taken: a household has a week, and its line may be slow
COMMANDS = {"clip": "clip.export", "snapshot": "snapshot"}
CANCEL = "clip.cancel"


class Desk:
    """Of one ward. Its methods raise OpsFault, DatabaseFault and KeyProblem."""

    def __init__(self, own: Settings, requests: Requests, clock: Clock) -> None:
        self._own, self._requests, self._clock = own, requests, clock
        self._topics = WardTopics(own.ward.ward)

    def ask(self, wish: Wish) -> Request:
        """Ask for it; returns the request, which has been sent. Raises BadWish where the ward is not set up for it."""
        request = self._written(wish, CommandKey.load(self._own.ops.command_key))
        self._requests.add(request)
        try:
            self._send(request.dev, COMMANDS[request.kind], request.id, request.command)
        except OpsFault as fault:
            self._requests.become(request.id, "failed", "ops", self._now_ms(), str(fault), code="not_sent")
            raise
        self._requests.become(request.id, "sent", "ops", self._now_ms())
        return request

    def cancel(self, request: Request) -> bool:
        """Take it back, whether its device hears of it now or when it brings something; returns whether it was open."""
        key, now_ms = CommandKey.load(self._own.ops.command_key), self._now_ms()
        if not self._requests.become(request.id, "cancelled", "ops", now_ms):
            return False
        command_id = self._new_id(now_ms)
        command = self._signed(key, command_id, request.dev, CANCEL, {"request": request.id}, now_ms)
        self._send(request.dev, CANCEL, command_id, command)
        return True

    def _written(self, wish: Wish, key: CommandKey) -> Request:
        """The request as it will be kept, with its signed command."""
        intake = self._own.intake
        if not intake.url:
            raise BadWish("[intake] url: is not set: it tells devices where to bring what is asked for")
        told = {"case": wish.case, "purpose": wish.purpose, "officer": wish.officer, "basis": wish.basis,
                "cam": wish.cam, "upload": intake.url, "receipt_key": public_half(intake.receipt_key).hex()}
        args = Snapshot(**told) if wish.begin is None or wish.end is None else ClipExport(
            **told, begin=wish.begin, end=wish.end)
        now_ms = self._now_ms()
        request_id = self._new_id(now_ms)
        command = self._signed(key, request_id, wish.dev, COMMANDS[wish.kind], msgspec.to_builtins(args), now_ms)
        return Request(
            id=request_id, dev=wish.dev, kind=wish.kind, cam=wish.cam, case_no=wish.case, purpose=wish.purpose,
            officer=wish.officer, basis=wish.basis, made_ms=now_ms, until_ms=now_ms + TAKEN_MS, command=command,
            begin_ms=None if wish.begin is None else int(wish.begin.timestamp() * 1000),
            end_ms=None if wish.end is None else int(wish.end.timestamp() * 1000))

    def _signed(self, key: CommandKey, command_id: str, dev: str, name: str, args: Mapping[str, Any],
                now_ms: int) -> str:
        command = wire.Command(id=command_id, iat=now_ms, exp=now_ms + VALID_MS, dev=dev, name=name, by=NAME,
                               args=dict(args))
        return msgspec.json.encode(key.sign(plain(command))).decode()

    def _send(self, dev: str, name: str, command_id: str, command: str) -> None:
        with OpsLink(self._own, [self._topics.answer(dev, command_id)], self._clock) as ops:
            if not ops.send(Outgoing(self._topics.command(dev, name), command.encode(), expiry_s=VALID_MS // 1000)):
                raise OpsFault(f"{dev}: has been away for more than an hour, so the broker keeps nothing for it: ask "
                               "again when taimat ward watch shows it")

    def _new_id(self, now_ms: int) -> str:
        return ulid.make(now_ms, os.urandom(ulid.CHANCE_B))

    def _now_ms(self) -> int:
        return self._clock.now().wall_ms
