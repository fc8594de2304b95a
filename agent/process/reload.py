"""SIGHUP: the signal to read the configuration again."""
import signal


class Reload:
    """Whether to read the configuration again."""

    def __init__(self) -> None:
        self._asked = False         # not an Event, because the interrupted thread may hold its lock

    def on_signal(self) -> "Reload":
        """Lets SIGHUP ask for it; for the main thread."""
        signal.signal(signal.SIGHUP, self._ask)
        return self

    def _ask(self, *_: object) -> None:
        self._asked = True

    def taken(self) -> bool:
        """Whether it was asked for since the last call."""
        asked, self._asked = self._asked, False
        return asked
