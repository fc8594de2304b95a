"""The sockets that the page listens on: its own, and ports 443 and 80 if systemd opens them for it."""
import contextlib
import select
import socket
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from agent.config.settings import Web
from agent.web.server.access import is_loopback_name

HTTPS, HTTP = "https", "http"   # names of the handed sockets, in systemd/taimat-web-*.socket
OWN = "own"                     # what a sleeping page has kept
WAITING_N_MAX = 64
UNSENT_B_MAX = 128 * 1024       # in the kernel for a slow browser: more would only make its live picture older
DEAD_AFTER_MS = 20_000          # a phone that has left the Wi-Fi is silent


class CannotListen(Exception):
    """The page can't listen on its address. The text names the address and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    listeners: Sequence[socket.socket]      # its own first
    port: int                   # shown to phones
    led_port: int = 0           # of plain HTTP, which leads visitors to `port`; 0 without one

    def close(self) -> None:
        for listener in self.listeners:
            listener.close()


def open_doors(web: Web, handed: Mapping[str, socket.socket]) -> Doors:
    """Opens what the configuration allows; visitors of other handed sockets are turned away. Raises CannotListen."""
    own = listen(web, handed.get(OWN))
    handed = {name: listener for name, listener in handed.items() if name != OWN}
    wanted = {} if is_loopback_name(web.listen) else dict(handed)
    if not web.tls:
        wanted.pop(HTTPS, None)
    turn_away([listener for name, listener in handed.items() if name not in wanted])
    best = wanted.get(HTTPS if web.tls else HTTP)
    led = wanted.get(HTTP) if web.tls else None
    for listener in (listeners := [own, *wanted.values()]):         # each connection inherits both
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_MS)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_B_MAX)
    port, led_port = (int(door.getsockname()[1]) if door else 0 for door in (best, led))
    return Doors(listeners=listeners, port=port or web.port, led_port=led_port)


def listen(web: Web, kept: socket.socket | None = None) -> socket.socket:
    """Returns the socket for `web.listen` and `web.port`: `kept`, if it is there already. Raises CannotListen."""
    listener = None
    try:
        family, kind, _, _, address = socket.getaddrinfo(web.listen, web.port, type=socket.SOCK_STREAM)[0]
        if kept and kept.getsockname() == address:
            return kept
        if kept:
            kept.close()
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(WAITING_N_MAX)
    except OSError as error:
        if listener:
            listener.close()
        raise CannotListen(f"can't listen on {web.listen} port {web.port}: {error.strerror}; choose another port, or "
                           f"an address of this machine, under [web] in the configuration") from error
    return listener


def turn_away(listeners: Collection[socket.socket]) -> None:
    """Hangs up on every visitor of these sockets. If the sockets were closed, their visitors would wait for ever."""
    def hang_up() -> None:
        while True:
            for listener in select.select(listeners, (), ())[0]:
                with contextlib.suppress(OSError):
                    listener.accept()[0].close()

    if listeners:
        threading.Thread(target=hang_up, name="turned away", daemon=True).start()
