"""What each role has loaded when it beats for the second time, while nothing happens."""
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rigs.wait import HANG_S, free_port

# Libraries from elsewhere, by role: only these. What is for one moment loads in that moment, or in another process.
MSGSPEC = {"msgspec", "typing_extensions"}
LIBRARIES = {
    "keeper": MSGSPEC | {"cryptography"},
    "link": MSGSPEC,
    "web": MSGSPEC | {"anyio", "click", "h11", "markupsafe", "multipart", "python_multipart", "starlette", "uvicorn"},
    "capture": MSGSPEC | {"av", "cryptography", "cv2", "cython_runtime", "numpy"},
    "cli.run": MSGSPEC,
}
# Parts of Python of 0.3 MB and more, and the roles that use them at rest.
LARGE = {"asyncio", "configparser", "email", "html", "http", "multiprocessing", "pickle", "ssl",
         "subprocess", "tarfile", "unittest", "xml", "zipfile"}
PARTS = {"keeper": set(), "link": {"ssl"}, "capture": {"pickle"}, "cli.run": {"subprocess"},
         "web": {"asyncio", "configparser", "email", "html", "http", "multiprocessing", "pickle", "ssl", "subprocess"}}
OURS = {"agent", "sitecustomize"}
ASKED = """
import runpy, sys, threading
threading.Thread(target=lambda: sys.stdin.readline() and print(*sys.modules, flush=True), daemon=True).start()
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
# Rooms of ours for what happens now and then.
NOW_AND_THEN = (r"agent\.(store\.export|keeper\.(pack|export_proof)|core\.media\.mp4\.cut|"
                r"cli\.(doctor|update)|privileged)\b")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A device with one camera, whose keeper has been there."""
    place = tmp_path_factory.mktemp("device")
    (place / "taimat.toml").write_text(
        f'[store]\nfolder = "{place}/store"\nruntime = "{place}/run"\n[web]\nport = {free_port()}\n'
        f'[[camera]]\nname = "gate"\nsource = "file:{place}/gate.mp4"\n')
    loaded(place, "keeper")
    return place


def loaded(place: Path, role: str) -> set[str]:
    """The modules that a process of this role holds when it beats for the second time."""
    door = place / "notify"
    door.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(door))
        notified.settimeout(HANG_S)
        which = ["--network"] if role == "capture" else []
        process = subprocess.Popen([sys.executable, "-c", ASKED, f"agent.{role}", "--config", place / "taimat.toml",
                                    *which], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   env={**os.environ, "NOTIFY_SOCKET": str(door)})
        try:
            beats_n = 0
            while beats_n < 2:
                beats_n += b"WATCHDOG=1" in notified.recv(4096)
            process.stdin.write("\n")
            process.stdin.flush()
            return set(process.stdout.readline().split())
        finally:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("role", ["keeper", "link", "web", "capture"])
def test_a_role_has_loaded_only_what_it_uses_at_rest(place, role):
    names = loaded(place, role)
    tops = {name.partition(".")[0] for name in names}
    own = {name for name in tops if not name.startswith("_")} - set(sys.stdlib_module_names) - OURS
    assert own <= LIBRARIES[role]
    assert tops & LARGE <= PARTS[role]
    assert role == "web" or not [name for name in names if re.match(NOW_AND_THEN, name)]      # its handlers cut films


def test_the_supervisor_loads_no_library_for_its_start():
    ask = "import sys, agent.cli.run; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.split()
    tops = {name.partition(".")[0] for name in said}
    assert {name for name in tops if not name.startswith("_")} - set(sys.stdlib_module_names) - OURS <= MSGSPEC
    assert tops & LARGE == PARTS["cli.run"]
