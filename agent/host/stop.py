"""One flag that ends a process in order, and the only way to wait in it."""
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


class Stop(threading.Event):
    """Set once, when the process is to end. `wait(seconds)` returns True as soon as that is so."""

    _wakes: tuple[Callable[[], None], ...] = ()

    def on_signals(self) -> "Stop":
        """Let SIGTERM and SIGINT set the flag; for the main thread of a role."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.set())
        return self

    def set(self) -> None:
        """The process is to end; whoever sleeps elsewhere than in `wait` is woken."""
        super().set()
        for wake in self._wakes:
            wake()

    @contextlib.contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Meanwhile `wake` is called once the flag is set: in any thread, or in a signal's handler."""
        self._wakes = (*self._wakes, wake)
        try:
            yield
        finally:
            self._wakes = tuple(each for each in self._wakes if each is not wake)
