"""Lets signals wake a sleeping main thread. Python's own waits continue after a handler (PEP 475)."""
import contextlib
import select
import signal
import socket

HEARD_B = 256


class SignalBell:
    """For the main thread, one at a time: Python has only one file for wake-ups."""

    def __init__(self, *numbers: int) -> None:
        """Any signal with a handler wakes `wait`; these signals get a handler that does nothing."""
        self._ear, self._bell = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (self._ear, self._bell):
            end.setblocking(False)
        for number in numbers:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)

    def wait(self, timeout_s: float) -> None:
        """Sleeps until a signal comes, or came since the last wait, or for `timeout_s`."""
        if select.select([self._ear], [], [], timeout_s)[0]:
            with contextlib.suppress(BlockingIOError):
                while self._ear.recv(HEARD_B):
                    pass

    def close(self) -> None:
        """Stops waking; the handlers stay."""
        signal.set_wakeup_fd(-1)
        self._ear.close()
        self._bell.close()
