"""A connection to a stranger: everything that is waited for or read has a bound."""
import os
import time

from agent.cameras.rtsp import connect
from agent.core.protocols.rtsp.address import Address
from agent.host.stop import Stop

LINE_S, SILENCE_S = 12.0, 6.0       # for all that one connection is used for, and for one wait on it
READ_MAX_B = 2_000_000


def plainly(error: OSError) -> str:
    """What went wrong on a connection, in words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return os.strerror(error.errno) if error.errno else str(error)


class Deadline:
    """An end for many waits together: so many seconds from now, or when `stop` is set."""

    def __init__(self, within_s: float, stop: Stop) -> None:
        self.stop = stop
        self._end_mono_s = time.monotonic() + within_s

    def until_mono_s(self, most_s: float) -> float:
        """When a wait of at most `most_s` has to end. Raises TimeoutError when all is over."""
        now_mono_s = time.monotonic()
        if now_mono_s >= self._end_mono_s:
            raise TimeoutError
        return min(now_mono_s + most_s, self._end_mono_s)


class BoundedConnection:
    """The recorder's own connection to a camera, listened to with less trust; a context manager.

    All methods raise OSError and Stopped.
    """

    def __init__(self, host: str, port: int, tls: bool, deadline: Deadline) -> None:
        """Connect."""
        self._deadline, self._read_b = deadline, 0
        self._line = connect.CameraConnection(Address(host, port, tls, "", "", ""), deadline.stop,
                                              deadline.until_mono_s(LINE_S), time.monotonic)

    def send(self, data: bytes) -> None:
        """Send it all."""
        self._line.send(data, self._deadline.until_mono_s(SILENCE_S))

    def receive(self) -> bytes:
        """What came; b"" at the end."""
        data = self._line.receive(self._deadline.until_mono_s(SILENCE_S))
        self._read_b += len(data)
        if self._read_b > READ_MAX_B:
            raise OSError(f"sent more than {READ_MAX_B} bytes")
        return data

    def close(self) -> None:
        """Hang up."""
        self._line.socket.close()

    def __enter__(self) -> "BoundedConnection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
