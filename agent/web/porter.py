"""Waits for a visitor while the page sleeps: the page's process becomes this program, and later the page again.

It holds the page's sockets (sd_listen_fds(3)), beats for the unit and feeds systemd's watchdog. So nobody else has to
know that the page sleeps. It runs as `python -I -S` without any module of ours: Python alone takes 4 MB, the page 31.
Arguments: when the unit began, its heartbeat without times, the receivers of heartbeats by lines, who is told that the
page wakes, and what, then the command of the page.
"""
import _socket
import posix  # what `os` stands on: 0.4 MB less
import select
import sys
import time

EVERY_MS = 5000             # like every role
WAKES_WITHIN_S = 120        # as systemd allows for a start; the page's first beat ends this patience
FIRST_FD = 3


def main(began_mono_s: str, beat: str, receivers: str, told: str, word: str, *page: str) -> None:
    outlet, visitors = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC), select.poll()
    outlet.setblocking(False)
    for fd in range(FIRST_FD, FIRST_FD + int(posix.environ[b"LISTEN_FDS"])):
        visitors.register(fd, select.POLLIN)
    systemd = posix.environ[b"NOTIFY_SOCKET"].decode()
    systemd = "\0" + systemd[1:] if systemd.startswith("@") else systemd
    send(outlet, "STATUS=asleep until a visitor comes", systemd)
    while True:
        now_mono_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        timed = f'{beat[:-1]},"mono_s":{now_mono_s},"up_s":{now_mono_s - float(began_mono_s)}}}'
        for receiver in receivers.split("\n"):
            send(outlet, timed, receiver)
        send(outlet, "WATCHDOG=1", systemd)
        if visitors.poll(EVERY_MS):
            break
    send(outlet, word, told)
    send(outlet, f"STATUS=\nWATCHDOG_USEC={WAKES_WITHIN_S * 1_000_000}\nWATCHDOG=1", systemd)
    posix.execv(page[0], page)


def send(outlet: _socket.socket, text: str, receiver: str) -> None:
    """Sends a datagram, or drops it."""
    try:                                        # noqa: SIM105 (contextlib is memory, too)
        outlet.sendto(text.encode(), receiver)
    except OSError:
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
