"""The real `taimat` command, in this process or in one of its own."""
import contextlib
import io
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

from agent.__main__ import main
from tests.rigs.forked import forked
from tests.rigs.wait import HANG_S, until

REPO = Path(__file__).parents[2]


def environment(home: Path) -> dict[str, str]:
    """As for a fresh user with `home`, who can import the checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TAIMAT_", "XDG_"))}
    return kept | {"HOME": str(home), "PYTHONPATH": str(REPO), "COLUMNS": "100"}


def taimat(home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `taimat` with these arguments to its end, in this process, which must keep its user.

    A command that forks, becomes another program or takes another user's rights needs `taimat_process`.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    words, code, user, umask = ["taimat", *map(str, arguments)], 0, os.geteuid(), os.umask(0)
    os.umask(umask)
    with contextlib.ExitStack() as stack:
        stack.callback(os.umask, umask)
        stack.enter_context(mock.patch.dict(os.environ, environment(home), clear=True))
        stack.enter_context(mock.patch.object(sys, "argv", words))
        stack.enter_context(mock.patch.object(sys, "stdin", stack.enter_context(open(os.devnull))))
        for name in ("fork", "execv"):
            stack.enter_context(mock.patch.object(os, name, side_effect=AssertionError("use taimat_process")))
        stack.enter_context(contextlib.chdir(home))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    assert os.geteuid() == user, "use taimat_process"
    return subprocess.CompletedProcess(words, code, *(told.buffer.getvalue().decode() for told in (out, err)))


def taimat_process(home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `taimat` with these arguments to its end, in a process of its own."""
    return forked("agent.__main__:main", arguments, home, environment(home))


def taimat_until(told: str, home: Path, *arguments: object) -> tuple[int, str]:
    """Run `taimat` until its output has this pattern, then press Ctrl-C; the exit code, and all that was said."""
    with tempfile.TemporaryFile("w+") as output:
        running = subprocess.Popen([sys.executable, "-u", "-m", "agent", *map(str, arguments)], cwd=home,
                                   env=environment(home), stdin=subprocess.DEVNULL, stdout=output, stderr=output)

        def said() -> str:
            return os.pread(output.fileno(), 1 << 20, 0).decode()

        try:
            until(lambda: re.search(told, said()) or running.poll() is not None, f"{told} in what it says")
            running.send_signal(signal.SIGINT)
            return running.wait(HANG_S), said()
        finally:
            running.kill()
            running.wait()


def on_terminal(home: Path, columns: int, *arguments: object) -> str:
    """What `taimat` writes to a terminal of this width that knows no colours, whatever its exit code."""
    mine, its = pty.openpty()
    running = subprocess.Popen([sys.executable, "-m", "agent", *map(str, arguments)], cwd=home, stdin=its, stdout=its,
                               stderr=its, env=environment(home) | {"TERM": "dumb", "COLUMNS": str(columns)})
    os.close(its)
    with open(mine, "rb", buffering=0) as screen, contextlib.suppress(OSError):     # which is how its end is told
        said = bytearray()
        while piece := screen.read(65_536):
            said += piece
    running.wait(HANG_S)
    return said.decode().replace("\r\n", "\n")


def write_config(folder: Path, camera: str = "", more: str = "") -> Path:
    """A configuration whose store lies below `folder`; `camera` is a `source`, "" for no camera."""
    path = folder / "taimat.toml"
    cameras = f'[[camera]]\nname = "yard"\nsource = "{camera}"\n' if camera else ""
    # However full this machine is, no keeper is to make room.
    store = f'[store]\nfolder = "{folder}/store"\nruntime = "{folder}/run"\nfree_floor_pct = 1\n'
    path.write_text(f"{store}[web]\nenabled = false\n{cameras}{more}")
    path.chmod(0o600)
    return path
