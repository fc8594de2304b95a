"""Which picamera2 there is, and whether it hides what is to be hidden. It asks the package's papers.

Before 0.3.33 a frame that was painted over could reach the board's encoder as it was: the processor's cache was not
written back in time.
"""
import re
from importlib.metadata import PackageNotFoundError, version

HIDES_FROM = (0, 3, 33)
REMEDY = "sudo apt update && sudo apt install python3-picamera2; until then remove its masks, or switch it off"


def hides() -> bool:
    """Whether masks of a Pi camera are sure to be in the video. Not to know the version counts as no."""
    return _numbers(found()) >= HIDES_FROM


def found() -> str:
    """The version as the package tells it; "of unknown version" if it does not."""
    try:
        return version("picamera2")
    except PackageNotFoundError:
        return "of unknown version"


def _numbers(text: str) -> tuple[int, ...]:
    digits = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in digits[0].split(".")) if digits else ()
