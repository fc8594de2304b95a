"""Lossy datagrams between the roles: heartbeats and pokes. Nobody waits for anybody.

Each role binds one socket in its own folder. What can't be delivered at once is dropped: the next heartbeat comes in
seconds, and whatever is worth keeping lies in the store.
"""
import contextlib
import functools
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec

from agent.core.contract.facts import Message
from agent.host import runtime as places

LARGEST_B = 32_768
WAITING_N_MAX = 64          # read at a time: whoever floods a role must not keep it from its work

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Message)


class Inbox:
    """The socket a role listens on."""

    def __init__(self, runtime: Path, role: str) -> None:
        """Listen for `role`, in the place of a process that died. Raises OSError."""
        path = places.own(runtime, role) / places.inbox(runtime, role).name
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind(str(path))
        os.chmod(path, 0o660)

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, or None when none came in time or it was not one of ours."""
        self._socket.settimeout(max(timeout_s, 0.001))
        try:
            return _decoder.decode(self._socket.recv(LARGEST_B))
        except (TimeoutError, msgspec.DecodeError):
            return None

    def waiting(self) -> Iterator[Message]:
        """The messages that are there already, WAITING_N_MAX at most; what is none of ours is left out."""
        self._socket.setblocking(False)
        for _ in range(WAITING_N_MAX):
            try:
                data = self._socket.recv(LARGEST_B)
            except BlockingIOError:
                return
            with contextlib.suppress(msgspec.DecodeError):
                yield _decoder.decode(data)

    def fileno(self) -> int:
        """What a select waits on."""
        return self._socket.fileno()

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


class Outlet:
    """Sends to the inboxes of other roles; never blocks, never raises for a peer that is not there."""

    def __init__(self, runtime: Path) -> None:
        self._addresses = functools.cache(lambda role: str(places.inbox(runtime, role)))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self.dropped_n = 0

    def send(self, message: Message, *roles: str) -> None:
        """Offer `message` to each role's inbox; what is not taken at once is counted in `dropped_n` and gone."""
        data = _encoder.encode(message)
        for role in roles:
            try:
                self._socket.sendto(data, self._addresses(role))
            except OSError:
                self.dropped_n += 1

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()
