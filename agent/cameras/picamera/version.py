"""Reads the version of the picamera2 package, and whether it paints masks safely.

Before 0.3.33, the board's encoder could see a frame without its masks: the processor's cache was not written back in
time.
"""
import re
from importlib.metadata import PackageNotFoundError, version

HIDES_FROM = (0, 3, 33)
REMEDY = "sudo apt update && sudo apt install python3-picamera2; until then remove its masks, or switch it off"


def hides() -> bool:
    """Whether masks of a Pi camera are always in the video. An unknown version counts as no."""
    return _numbers(found()) >= HIDES_FROM


def found() -> str:
    """Returns the package's version; "of unknown version" if it has none."""
    try:
        return version("picamera2")
    except PackageNotFoundError:
        return "of unknown version"


def _numbers(text: str) -> tuple[int, ...]:
    digits = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in digits[0].split(".")) if digits else ()
