"""Calls into native code that may never come back, with an end to our patience."""
import concurrent.futures
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TooLate(Exception):
    """The call has not come back in time; the thread that made it is left behind."""


def within(limit_s: float, call: Callable[[], T]) -> T:
    """What `call` returns or raises, if it does so within `limit_s`. Raises TooLate."""
    outcome: concurrent.futures.Future[T] = concurrent.futures.Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:      # handed to the caller, whatever it is
            outcome.set_exception(error)

    threading.Thread(target=work, name="camera-call", daemon=True).start()
    if not concurrent.futures.wait([outcome], limit_s).done:
        raise TooLate(f"not back within {limit_s:.0f} s")
    return outcome.result()
