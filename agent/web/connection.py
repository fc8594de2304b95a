"""One visitor's connection: what it may keep us waiting for, and which one goes when there are too many."""
import asyncio
from email.utils import formatdate

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS_N_MAX = 80          # a browser takes six at most
OF_ONE_PEER_N_MAX = 40          # several phones behind one proxy or VPN are one peer
SILENT_OF_ONE_PEER_N_MAX = 16
REQUEST_S = 10.0                # from its first byte, or from the connection's begin, until a request is here whole


class PageConnection(H11Protocol):
    """HTTP as uvicorn speaks it, with a deadline for each request.

    A connection over the limits is let in, and the one goes whose visitor has let us wait longest: one address can fill
    no more than its own share, and all the silent ones together keep nobody out.
    """

    _deadline: asyncio.TimerHandle | None = None
    _since_s = 0.0

    @property
    def peer(self) -> str:
        """The visitor's address."""
        return self.client[0] if self.client else ""

    @property
    def waits(self) -> bool:
        """Whether it is the visitor's turn: a request is not here whole, and nothing of an answer is under way."""
        return self._is_owed() and self.transport.get_write_buffer_size() == 0

    def connection_made(self, transport: asyncio.Transport) -> None:        # type: ignore[override]
        """A visitor has come."""
        super().connection_made(transport)
        self._wait_for_request()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request, or of several."""
        if self._deadline is None and self._is_owed():
            self._wait_for_request()
        super().data_received(data)
        if not self._is_owed():
            self._wait_no_more()

    def handle_events(self) -> None:
        """Requests may be here: their answers bear the time of now, which uvicorn would look up every second."""
        self.server_state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        super().handle_events()

    def on_response_complete(self) -> None:
        """An answer has gone; uvicorn bounds the wait for the first byte of another request.

        A part of it may be here already.
        """
        self._since_s = self.loop.time()
        super().on_response_complete()
        if self._deadline is None and self._is_owed() and self.conn.trailing_data[0]:
            self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """The visitor has gone."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _is_owed(self) -> bool:
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _wait_for_request(self) -> None:
        self._since_s = self.loop.time()
        self._deadline = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _wait_no_more(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _make_room(self) -> None:
        here = [each for each in self.connections
                if isinstance(each, PageConnection) and not each.transport.is_closing()]
        of_peer = [each for each in here if each.peer == self.peer]
        crowded = (len(of_peer) > OF_ONE_PEER_N_MAX
                   or sum(each.waits for each in of_peer) > SILENT_OF_ONE_PEER_N_MAX)
        if crowded or len(here) >= CONNECTIONS_N_MAX:
            waiting = [each for each in (of_peer if crowded else here) if each.waits and each is not self]
            longest = min(waiting, key=lambda each: each._since_s, default=self if crowded else None)
            if longest is not None:
                longest.transport.abort()
