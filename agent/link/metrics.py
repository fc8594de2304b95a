"""Answers Prometheus on this machine with the link's newest report. Off unless a port is set."""
import contextlib
import logging
import re
import socket
import time

from agent import __version__
from agent.core.health.metrics import CONTENT, exposition
from agent.core.health.report import Report
from agent.host.sockets import close_listener
from agent.link.context import LinkContext
from agent.link.side_thread import AGAIN_S, SideThread
from agent.store import events

CLIENT_S = 2.0              # for a whole request, and as long for the whole answer: one client at a time
REQUEST_B_MAX = 8192
EVENT_S = 0.5               # a slow card must not keep the other figures back
# A web page that has another name lead here is refused (DNS rebinding).
ASKED = re.compile(rb"GET /metrics[? ].*\r\nhost:[ \t]*(localhost|127\.0\.0\.1)(:\d+)?[ \t]*\r\n", re.I | re.S)

_log = logging.getLogger(__name__)


class MetricsThread(SideThread):
    """The loop sets `report` after each look."""

    def __init__(self, link: LinkContext) -> None:
        super().__init__("metrics")
        self._link, self._port = link, link.settings.metrics.port
        self._listener: socket.socket | None = None
        self.report: Report | None = None

    def _wake(self) -> None:
        if self._listener:
            close_listener(self._listener)

    def _work(self) -> None:
        while not self._over.is_set():
            try:
                self._listener = self._listener or socket.create_server(("127.0.0.1", self._port))
                line = self._listener.accept()[0]
            except OSError as error:                    # the port is taken, no descriptor is left, or it is closed
                if not self._over.is_set():
                    _log.error("[metrics] port %d: %s; tried again in %.0f s; taimat doctor names the line and the "
                               "remedy", self._port, error.strerror, AGAIN_S)
                    self._over.wait(AGAIN_S)
                continue
            with line, contextlib.suppress(OSError):    # a client that leaves early
                asked = ASKED.match(_request(line))
                body = self._text() if asked else "GET /metrics of 127.0.0.1 or localhost is answered, nothing else\n"
                line.settimeout(CLIENT_S)
                line.sendall(f"HTTP/1.1 {'200 OK' if asked else '403 Forbidden'}\r\nContent-Type: {CONTENT}\r\n"
                             f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())

    def _text(self) -> str:
        report, clock = self.report, self._link.clock
        newest = self._link.store.wait_for(lambda db: events.latest(db, limit=1), EVENT_S) if (
            report and not report.host.card_hung) else None         # else questions would pile up
        return exposition(version=__version__, report=report, report_age_s=report and clock.mono_s() - report.mono_s,
                          last_event_ms=newest[0].wall_ms if newest else None)


def _request(line: socket.socket) -> bytes:
    """Returns the request's head, or what there is of it in time. Raises OSError."""
    head, until_mono_s = b"", time.monotonic() + CLIENT_S
    while b"\r\n\r\n" not in head and len(head) < REQUEST_B_MAX:
        line.settimeout(max(0.001, until_mono_s - time.monotonic()))
        if not (piece := line.recv(REQUEST_B_MAX)):
            break
        head += piece
    return head
