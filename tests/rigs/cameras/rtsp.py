"""A network camera for tests: GStreamer's RTSP server in a process that can be frozen, killed and started again."""
import functools
import os
import signal
import subprocess
import threading
from pathlib import Path

from tests.rigs.wait import HANG_S, free_port

SERVER = Path(__file__).with_name("rtsp_server.py")
PYTHON = "/usr/bin/python3"                # GStreamer's bindings belong to Debian's own Python


@functools.cache
def missing() -> str:
    """Why no RTSP server can run here, or "" if one can."""
    ask = ("import gi, sys; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst, GstRtspServer; "
           "Gst.init(None); sys.exit(not all(map(Gst.ElementFactory.find, ('rtph264pay', 'h264parse'))))")
    try:
        found = subprocess.run([PYTHON, "-c", ask], capture_output=True, timeout=HANG_S).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        found = False
    return "" if found else ("no RTSP server: apt install gir1.2-gst-rtsp-server-1.0 python3-gi "
                             "gstreamer1.0-plugins-good gstreamer1.0-plugins-bad")


class RtspCamera:
    """Serves `main` at /main and, if given, `sub` at /sub. A context manager; starts on entry, is gone after it."""

    def __init__(self, main: Path, sub: Path | None = None, login: str = "", sound: bool = False,
                 host: str = "127.0.0.1", port: int = 0, network_of: int | None = None, udp_only: bool = False) -> None:
        """`login` is "user:password", "" to let everybody in; with `sound`, that of `main` is served, too.

        It stands in the network that the process `network_of` sees, which takes root.
        """
        self._files = {f"/main{'+' if sound else ''}{'~' if udp_only else ''}": main, **({"/sub": sub} if sub else {})}
        self._login, self._host = login, host
        self._enter = ["nsenter", "--net", "--target", str(network_of)] if network_of else []
        self.port = port or free_port()
        self._server: subprocess.Popen[str] | None = None

    def address(self, path: str = "/main", login: str | None = None) -> str:
        """The URL of a path; with a `login` other than the server's own, a wrong one."""
        who = self._login if login is None else login
        return f"rtsp://{who}{'@' if who else ''}{self._host}:{self.port}{path}"

    @property
    def url(self) -> str:
        """The main stream's URL, with user and password if the server asks for them."""
        return self.address("/main")

    @property
    def sub_url(self) -> str:
        """The sub-stream's URL."""
        return self.address("/sub")

    @property
    def pid(self) -> int:
        """The server's process id. Raises RuntimeError when it does not run."""
        if self._server is None:
            raise RuntimeError("the RTSP server does not run")
        return self._server.pid

    def start(self) -> "RtspCamera":
        """Start the server and wait until clients may come. Raises RuntimeError with what it said."""
        channels = [f"{path}={file}" for path, file in self._files.items()]
        serve = [PYTHON, str(SERVER), f"{self._host}:{self.port}", self._login or "-", *channels]
        self._server = subprocess.Popen([*self._enter, *serve], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        killer = threading.Timer(HANG_S, self._server.kill)
        killer.start()
        said = self._server.stdout.readline()
        killer.cancel()
        if said != "ready\n":
            raise RuntimeError(f"no RTSP server: {self._server.communicate(timeout=HANG_S)[1][-500:]}")
        return self

    def freeze(self) -> None:
        """Stop the process where it is: connections stay open, nothing comes any more (a camera that hangs)."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End the process at once: connections break (a camera that loses power). Harmless if it does not run."""
        if self._server is not None:
            self._server.kill()
            self._server.communicate()
            self._server = None

    def restart(self) -> None:
        """Kill it and start it again on the same port."""
        self.kill()
        self.start()

    def __enter__(self) -> "RtspCamera":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()
