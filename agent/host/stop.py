"""One flag that ends a process in order, and the only way to wait in it."""
import signal
import threading


class Stop(threading.Event):
    """Set once, when the process is to end. `wait(seconds)` returns True as soon as that is so."""

    def on_signals(self) -> "Stop":
        """Let SIGTERM and SIGINT set the flag; for the main thread of a role."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.set())
        return self
