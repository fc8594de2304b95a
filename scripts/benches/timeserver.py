"""A time server for machines of tests (SNTP, RFC 4330): it tells this computer's time on loopback, at NTP's port."""
import socketserver
import struct
import threading
import time
from typing import Self

NTP_EPOCH_S = 2_208_988_800         # from 1900 to 1970
SERVER_OF_V4, STRATUM, POLL, PRECISION = 0b00_100_100, 1, 6, -20
ANSWER = struct.Struct("!BBbb II4s Q8sQQ")
REQUEST_N, TRANSMITTED = 48, slice(40, 48)


class Answer(socketserver.BaseRequestHandler):
    """One question, one answer."""

    def handle(self) -> None:
        """Repeat the question's time beside this computer's."""
        request, door = self.request
        if len(request) == REQUEST_N:
            now = _stamp()
            door.sendto(ANSWER.pack(SERVER_OF_V4, STRATUM, POLL, PRECISION, 0, 0, b"TEST", now, request[TRANSMITTED],
                                    now, _stamp()), self.client_address)


class TimeServer(socketserver.UDPServer):
    """Answers whoever asks. A context manager. Raises OSError where it may not have the port."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 123), Answer)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


def _stamp() -> int:
    """This computer's time in units of 2^-32 s since 1900."""
    now_ns = time.time_ns()
    return (now_ns // 10**9 + NTP_EPOCH_S << 32) + (now_ns % 10**9 << 32) // 10**9
