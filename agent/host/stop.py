"""A flag that ends a process in order; all waits in the process go through it."""
import contextlib
import signal
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
        """Sets the flag and calls the `waking` callbacks."""
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
