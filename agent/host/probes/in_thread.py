"""A question that may never be answered, asked in a thread that may hang in our place.

It stands alone because it knows nothing of the card: any question to the kernel can be asked so.
"""
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class InThread(Generic[Answer]):
    """Asks one question at a time. A thread stuck in the kernel can't be ended, so there is never a second one."""

    def __init__(self, ask: Callable[[], Answer], name: str) -> None:
        self._ask = ask
        self._wanted, self._answered = threading.Event(), threading.Event()
        self._asked_mono_s: float | None = None
        self._latest: Answer | None = None
        self.answer: Answer | None = None           # the newest one that was taken
        self.answer_mono_s = float("-inf")          # when it was asked for
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def poll(self, now_mono_s: float, wait_s: float) -> None:
        """Ask, unless the last question is still open, and wait a moment for the answer."""
        if self._asked_mono_s is None:
            self._asked_mono_s = now_mono_s
            self._answered.clear()
            self._wanted.set()
        if self._answered.wait(wait_s):
            self.answer, self.answer_mono_s = self._latest, self._asked_mono_s
            self._asked_mono_s = None

    def open_s(self, now_mono_s: float) -> float:
        """For how long the open question has been waiting; 0 when none is."""
        return 0.0 if self._asked_mono_s is None else now_mono_s - self._asked_mono_s

    def _work(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            self._latest = self._ask()
            self._answered.set()
