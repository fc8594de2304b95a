"""Lossy datagrams between the roles: heartbeats and pokes. No role waits for another.

Each role binds one socket in its own folder. A datagram that cannot be delivered at once is dropped: the next heartbeat
comes in seconds, and everything worth keeping is in the store. A message counts only if its sender is the user of a
role that may send it. The kernel reports the sender's user and process (SCM_CREDENTIALS, unix(7)); the user of a role
is the owner of its folder.
"""
import contextlib
import functools
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec

from agent.core import json_door
from agent.core.contract.facts import Beat, Message, speakers
from agent.host import runtime as places

LARGEST_B = 32_768
WAITING_N_MAX = 64          # read at a time, so that a flood of messages does not keep a role from its work

_encoder = msgspec.json.Encoder()
_CREDENTIALS = struct.Struct("3i")              # process, user, group
_ANCILLARY_B = socket.CMSG_SPACE(_CREDENTIALS.size)     # no room for descriptors: the kernel closes them


class Inbox:
    """The socket on which a role receives messages."""

    def __init__(self, runtime: Path, role: str) -> None:
        """Binds the socket of `role`; replaces that of a dead process. Raises OSError."""
        path = places.own(runtime, role) / places.inbox(runtime, role).name
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self._runtime = runtime
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(str(path))
        os.chmod(path, 0o660)

    def receive(self, timeout_s: float) -> Message | None:
        """Returns the next message; None if none comes in time, or if it is not valid."""
        self._socket.settimeout(max(timeout_s, 0.001))
        with contextlib.suppress(TimeoutError):
            return self._read()
        return None

    def waiting(self) -> Iterator[Message]:
        """Yields the valid messages that have already come, at most WAITING_N_MAX."""
        self._socket.setblocking(False)
        for _ in range(WAITING_N_MAX):
            try:
                message = self._read()
            except BlockingIOError:
                return
            if message is not None:
                yield message

    def _read(self) -> Message | None:
        """Returns the next message; None if it is not valid, or if its sender may not send it."""
        data, ancillary, _, _ = self._socket.recvmsg(LARGEST_B, _ANCILLARY_B)
        told = [_CREDENTIALS.unpack(said) for _, kind, said in ancillary if kind == socket.SCM_CREDENTIALS]
        with contextlib.suppress(msgspec.DecodeError):
            message: Message = json_door.read(data, Message)
            may_say = {0, *(places.owner(self._runtime, role) for role in speakers(message))}
            pid = next((pid for pid, user, _ in told if user in may_say), None)
            if pid is not None and isinstance(message, Beat):
                message.pid = pid
            return message if pid is not None else None
        return None

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()


class Outlet:
    """Sends to the inboxes of other roles. Never blocks, and ignores missing receivers."""

    def __init__(self, runtime: Path) -> None:
        self._addresses = functools.cache(lambda role: str(places.inbox(runtime, role)))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self.met_full = False           # whether an inbox was full at the last `send`: its role hangs, or is flooded

    def send(self, message: Message, *roles: str) -> None:
        """Sends a message to the inbox of each role, or drops it if there is no room."""
        data, self.met_full = _encoder.encode(message), False
        for role in roles:
            try:
                self._socket.sendto(data, self._addresses(role))
            except OSError as error:
                self.met_full |= isinstance(error, BlockingIOError)

    def close(self) -> None:
        self._socket.close()
