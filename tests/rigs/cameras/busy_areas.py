"""What a capture process would know of busy areas, offered on its own socket without a camera."""
from collections.abc import Iterable
from pathlib import Path

from agent.capture.sockets import busy_socket
from agent.core.contract.busy import COLUMNS, ROWS, Busy
from agent.host.runtime import camera_socket

CALM = tuple((0.0,) * COLUMNS for _ in range(ROWS))


def busy_at(cells: Iterable[tuple[int, int, float]], *silences: str, moving: bool = False) -> Busy:
    """Restless in these cells (column, row, restlessness), in a picture of 640x360."""
    grid = [list(row) for row in CALM]
    for column, row, value in cells:
        grid[row][column] = value
    return Busy(state="ok", grid=tuple(map(tuple, grid)), width=640, height=360, moving=moving, silences=silences)


class BusyCam:
    """Answers for `camera` with `busy`, and calms its grid when asked to forget."""

    def __init__(self, runtime: Path, camera: str, busy: Busy) -> None:
        self.busy, self.forgotten_n = busy, 0
        self._desk = busy_socket(camera_socket(runtime, "busy", camera), lambda: self.busy, self._forget)

    def _forget(self) -> None:
        self.busy = busy_at((), *self.busy.silences)
        self.forgotten_n += 1

    def __enter__(self) -> "BusyCam":
        return self

    def __exit__(self, *_: object) -> None:
        self._desk.close()
