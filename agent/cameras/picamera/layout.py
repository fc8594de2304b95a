"""How the camera's pictures lie in memory: sizes, planes, and how many there are.

A file of its own, for it needs no picamera2: its tests run on any computer.
"""
import numpy as np

LORES_WIDTH_PX = 320                    # a multiple of 64, as the camera's memory wants it
SMALL_RAM_B = 600 << 20                 # a 512 MB board: four buffers leave its camera memory room for the encoder


def lores_size(main: tuple[int, int]) -> tuple[int, int]:
    """Size of the small stream for a main stream of (width, height): the same shape, even, never larger."""
    width, height = main
    if width <= LORES_WIDTH_PX:
        return main
    return LORES_WIDTH_PX, max(2, round(LORES_WIDTH_PX * height / width / 2) * 2)


def buffers_n(ram_b: int | None) -> int:
    """How many frames the camera may have in the works. Not knowing counts as a small board: four do on any."""
    return 4 if (ram_b or 0) <= SMALL_RAM_B else 6


def planes(array: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y, U and V as views into picamera2's YUV420 array (height * 3 / 2, stride), for a picture of (width, height)."""
    width, height = size
    u, v = array[height:].reshape(2, height // 2, array.shape[1] // 2)[:, :, :width // 2]
    return array[:height, :width], u, v
