"""SIGHUP, the old word for "read your configuration again"."""
import signal


class Reload:
    """Whether the configuration is to be read again."""

    def __init__(self) -> None:
        self._asked = False         # no Event: its lock may be held by the very thread that the signal interrupts

    def on_signal(self) -> "Reload":
        """Let SIGHUP ask for it; for the main thread."""
        signal.signal(signal.SIGHUP, self._ask)
        return self

    def _ask(self, *_: object) -> None:
        self._asked = True

    def taken(self) -> bool:
        """Whether it was asked for since the last time we looked."""
        asked, self._asked = self._asked, False
        return asked
