"""Another maker's camera for tests: VLC as RTSP server, which sends by UDP and refuses TCP."""
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from tests.rigs.wait import free_port, until

VLC = shutil.which("vlc")
NOBODY = 65_534             # VLC refuses to be root


def missing() -> str:
    """Why VLC can't serve here, or "" if it can."""
    return "" if VLC else "no VLC: apt install --no-install-recommends vlc-bin vlc-plugin-base"


class VlcCamera:
    """Serves a film in endless loops. A context manager."""

    def __init__(self, film: Path, home: Path) -> None:
        """`home` is an empty folder for VLC's own files and a copy of the film."""
        self._film, self._home, self.port = film, home, free_port()
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the film is."""
        return f"rtsp://127.0.0.1:{self.port}/live"

    def __enter__(self) -> "VlcCamera":
        film = self._home / "film.mp4"
        shutil.copyfile(self._film, film)
        become = {"user": NOBODY, "group": NOBODY, "extra_groups": ()} if os.getuid() == 0 else {}
        for folder in (self._home, *self._home.parents) if become else ():
            if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
                folder.chmod(folder.stat().st_mode | 0o011)      # a test's folders are root's alone
        self._server = subprocess.Popen(
            [VLC, "-I", "dummy", "--loop", "--rtsp-host", "127.0.0.1", film,
             "--sout", f"#rtp{{sdp=rtsp://127.0.0.1:{self.port}/live}}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(self._home)}, **become)
        try:
            until(self._shows, "VLC describes the film")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _shows(self) -> bool:
        """VLC listens before it has opened the film, and answers with errors until then."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as line:
                line.sendall(f"DESCRIBE {self.url} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
                return line.recv(64).startswith(b"RTSP/1.0 200")
        except OSError:
            return False

    def __exit__(self, *_: object) -> None:
        self._server.send_signal(signal.SIGKILL)
        self._server.wait()
