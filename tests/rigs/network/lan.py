"""A household's network: a recorder and two cameras on a cable, in network namespaces that end with the test.

    python -m tests.rigs.network.lan        # the cameras' side; ends when its standard input ends
"""
import contextlib
import functools
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.rigs.wait import HANG_S

RECORDER, ONVIF_CAMERA, PLAIN_CAMERA = "192.168.77.1", "192.168.77.20", "192.168.77.21"
REPO = Path(__file__).parents[3]


@functools.cache
@functools.cache
def missing() -> str:
    """Why there can be no network here, or "" if there can."""
    try:
        with Lan():
            return ""
    except (OSError, subprocess.SubprocessError) as error:
        return f"no network namespaces (root, unshare, nsenter and ip are needed): {error}"


class Lan:
    """A context manager."""

    def __init__(self) -> None:
        self._ends = contextlib.ExitStack()

    def __enter__(self) -> "Lan":
        with contextlib.ExitStack() as stack:
            self._recorder, self._cameras = (stack.enter_context(Network()) for _ in range(2))
            self._recorder.do("ip", "link", "add", "lan", "type", "veth", "peer", "name", "lan",
                              "netns", str(self._cameras.pid))
            for machine, addresses in ((self._recorder, [RECORDER]), (self._cameras, [ONVIF_CAMERA, PLAIN_CAMERA])):
                for address in addresses:
                    machine.do("ip", "address", "add", f"{address}/24", "dev", "lan")
                machine.do("ip", "link", "set", "lan", "up")
            self._ends = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def plug_in_cameras(self) -> None:
        """Start them and wait until they answer. Raises RuntimeError."""
        process = self._cameras.start(sys.executable, "-m", "tests.rigs.network.lan", cwd=REPO)
        self._ends.callback(process.communicate)
        killer = threading.Timer(HANG_S, process.kill)
        killer.start()
        ready = process.stdout.readline()
        killer.cancel()
        if ready != "ready\n":
            raise RuntimeError("the cameras did not start")

    def run_recorder(self, *command: str, **more: Any) -> str:
        """Run a command at the recorder's end of the cable; its standard output."""
        process = self._recorder.start(*command, **more)
        return process.communicate(timeout=HANG_S)[0]


class Network:
    """A network namespace, kept by a process that waits for its input to end."""

    def __init__(self) -> None:
        self._keeper = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo ready; exec cat"], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.pid = self._keeper.pid
        if self._keeper.stdout.readline() != "ready\n":
            raise OSError(self._keeper.communicate()[1].strip())

    def do(self, *command: str) -> None:
        """Run a command in it. Raises CalledProcessError."""
        subprocess.run(["nsenter", "--target", str(self.pid), "--net", *command], check=True, capture_output=True,
                       timeout=HANG_S)

    def start(self, *command: str, **more: Any) -> "subprocess.Popen[str]":
        """Start a command in it."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        return subprocess.Popen(["nsenter", "--target", str(self.pid), "--net", *command], text=True, **pipes | more)

    def __enter__(self) -> "Network":
        return self

    def __exit__(self, *_: object) -> None:
        self._keeper.communicate()


def main() -> None:
    """Two cameras that let everybody in, one with ONVIF and one with RTSP alone, until standard input ends."""
    from tests.rigs.cameras.onvif import Camera, OnvifCamera
    from tests.rigs.cameras.rtsp_door import RtspDoor
    door = RtspDoor(ONVIF_CAMERA, ("/main", "/sub"), "", port=554)
    other = RtspDoor(PLAIN_CAMERA, ("/stream1", "/stream2"), "", port=554)
    with OnvifCamera(Camera(login=""), ONVIF_CAMERA) as camera, door, other:
        camera.join(ONVIF_CAMERA)
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
