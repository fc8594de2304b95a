"""Waits for a visitor while the page sleeps: the page's process becomes this program, and later the page again.

It holds the page's sockets (sd_listen_fds(3)), beats for the unit and feeds systemd's watchdog. So nobody else has to
know that the page sleeps. It runs as `python -I -S` without any module of ours: Python alone takes 3 MB, the page 30.
Arguments: when the unit began, its heartbeat without times, the receivers of heartbeats by lines, who is told that the
page wakes, and what, then the command of the page.
"""
import _socket
import posix  # what `os` stands on: 0.4 MB less
import select
import sys
import time

EVERY_S = 5.0               # like every role
WAKES_WITHIN_S = 120        # as systemd allows for a start; the page's first beat ends this patience
FIRST_FD = 3


def wait(began_mono_s: float, beat: str, receivers: list[str]) -> None:
    """Beats until a visitor comes."""
    visitors = select.poll()
    for fd in range(FIRST_FD, FIRST_FD + int(posix.environ[b"LISTEN_FDS"])):
        visitors.register(fd, select.POLLIN)
    outlet = _outlet()
    while True:
        now_mono_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        timed = f'{beat[:-1]},"mono_s":{now_mono_s},"up_s":{now_mono_s - began_mono_s}}}'
        for receiver in receivers:
            send(outlet, timed, receiver)
        notify(outlet, "WATCHDOG=1")
        if visitors.poll(EVERY_S * 1000):
            return


def send(outlet: _socket.socket, text: str, receiver: str) -> None:
    """Sends a datagram, or drops it."""
    try:                                        # noqa: SIM105 (contextlib is memory, too)
        outlet.sendto(text.encode(), receiver)
    except OSError:
        pass


def notify(outlet: _socket.socket, line: str) -> None:
    """Sends a line to systemd, if it has started the unit."""
    if address := posix.environ.get(b"NOTIFY_SOCKET", b"").decode():
        send(outlet, line, "\0" + address[1:] if address.startswith("@") else address)


def _outlet() -> _socket.socket:
    outlet = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    outlet.setblocking(False)
    return outlet


def main(began_mono_s: str, beat: str, receivers: str, told: str, word: str, *page: str) -> None:
    """Waits, then becomes the page."""
    notify(outlet := _outlet(), "STATUS=asleep until a visitor comes")
    wait(float(began_mono_s), beat, receivers.split("\n"))
    send(outlet, word, told)
    notify(outlet, f"STATUS=\nWATCHDOG_USEC={WAKES_WITHIN_S * 1_000_000}\nWATCHDOG=1")
    posix.execv(page[0], page)


if __name__ == "__main__":
    main(*sys.argv[1:])
