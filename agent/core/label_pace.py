"""When an event may be looked at for its word: recording goes first, then everything else. Pure."""
from typing import Literal

Hindrance = Literal["memory", "busy", "hot"]
WordLack = Literal["no_weights", "small_board", "no_door"]

FREE_MIN_B = 400_000_000    # the look takes a third of that, and the card's cache is worth more than a word
TOTAL_MIN_B = 700_000_000   # a machine with less, such as a board of 512 MB, never has that much free beside its work
LOAD_MAX = 1.5              # a core, over a minute
HOT_C = 75.0                # a Raspberry Pi slows down from 80 on
TRIES_MAX, RETRY_S = 6, 20.0        # so long a hindrance is waited for
TASKS_MAX, TASKS_MAX_B = 6, 12_000_000      # events that wait, and the video that they hold in memory


def hindrance(free_b: int | None, load1: float | None, cores_n: int, temp_c: float | None) -> Hindrance | None:
    """What stands against a look now; what is unknown does not."""
    if free_b is not None and free_b < FREE_MIN_B:
        return "memory"
    if load1 is not None and load1 > LOAD_MAX * cores_n:
        return "busy"
    return "hot" if temp_c is not None and temp_c > HOT_C else None


def lack(has_weights: bool, total_b: int | None) -> WordLack | None:
    """Why a machine with so much memory gives no words at all; None: it does, as far as can be known."""
    if not has_weights:
        return "no_weights"
    return "small_board" if total_b is not None and total_b < TOTAL_MIN_B else None
