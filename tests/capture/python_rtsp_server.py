"""Another maker's camera for tests: the server of aio-rtsp-toolkit (Python, RTSP over TCP), in a process of its own."""
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.rigs.wait import accepts, free_port, until

SERVE = """
import asyncio, sys
from aio_rtsp_toolkit.server import serve
asyncio.run(serve(sys.argv[1], host="127.0.0.1", port=int(sys.argv[2])))
"""


def missing() -> str:
    """Why it can't serve here, or "" if it can."""
    return "" if importlib.util.find_spec("aio_rtsp_toolkit") else "no second RTSP server: pip install aio-rtsp-toolkit"


class PyCamera:
    """Serves a film in endless loops, to each client from its beginning. A context manager."""

    def __init__(self, film: Path) -> None:
        self._film, self._port = film, free_port()

    @property
    def url(self) -> str:
        """Where the film is."""
        return f"rtsp://127.0.0.1:{self._port}/film.mp4?play_count=0"

    def __enter__(self) -> "PyCamera":
        self._folder = tempfile.TemporaryDirectory(prefix="taimat-camera-")
        shutil.copyfile(self._film, Path(self._folder.name, "film.mp4"))
        self._server = subprocess.Popen([sys.executable, "-c", SERVE, self._folder.name, str(self._port)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: accepts(self._port), "the server listens")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._server.kill()
        self._server.wait()
        self._folder.cleanup()
