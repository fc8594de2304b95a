"""A flag that ends a process in order, and signals that wake a sleeping main thread."""
import contextlib
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator


class Stop(threading.Event):
    """Set once, when the process must end. `wait(seconds)` returns True as soon as it is set."""

    _wakes: tuple[Callable[[], None], ...] = ()

    def on_signals(self) -> "Stop":
        """Lets SIGTERM and SIGINT set the flag; call it in a role's main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.set())
        return self

    def set(self) -> None:
        super().set()
        for wake in self._wakes:
            wake()

    @contextlib.contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Inside this context, `set` calls `wake`: in any thread, or in a signal handler."""
        self._wakes = (*self._wakes, wake)
        try:
            yield
        finally:
            self._wakes = tuple(each for each in self._wakes if each is not wake)


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
        signal.set_wakeup_fd(-1)
        self._ear.close()
        self._bell.close()
