"""A bell that signals ring, for a main thread that sleeps.

Python's own waits go on after a handler has run (PEP 475).
"""
import contextlib
import select
import signal
import socket

HEARD_B = 256


class SignalBell:
    """For the main thread, and one at a time: Python knows one file to tell of signals."""

    def __init__(self, *numbers: int) -> None:
        """Every signal with a handler rings; these get one that does nothing else."""
        self._ear, self._bell = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (self._ear, self._bell):
            end.setblocking(False)
        for number in numbers:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)

    def wait(self, timeout_s: float) -> None:
        """Sleep until a signal has come, also one since the last wait, or for `timeout_s`."""
        if select.select([self._ear], [], [], timeout_s)[0]:
            with contextlib.suppress(BlockingIOError):
                while self._ear.recv(HEARD_B):
                    pass

    def close(self) -> None:
        """Ring no more; the handlers stay."""
        signal.set_wakeup_fd(-1)
        self._ear.close()
        self._bell.close()
