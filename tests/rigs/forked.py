"""Commands of ours in processes of their own, that begin where the imports are over.

Most of what a short command takes is the start of Python and its imports. Python's fork server has done both once; each
command gets a fork of it, with a folder, variables, output and exit code of its own. The way of a real start, from the
shell's line to `main`, is for tests that start a command themselves, as systemd's in tests/systemd.
"""
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

from tests.rigs.wait import HANG_S

FORKS = multiprocessing.get_context("forkserver")
# Those without threads of their own: a fork would leave them behind.
FORKS.set_forkserver_preload([__name__, "agent.__main__", *(f"agent.cli.{name}" for name in (
    "config", "clips.main", "events", "pause", "pair", "verify.main", "export.main", "requests", "household_key",
    "update.main", "card.main", "home", "busy", "ward.main")), *(f"agent.ward.{name}" for name in (
        "authority.init", "authority.doctor", "configure", "desk.officers"))])


def forked(main: str, arguments: Sequence[object], cwd: Path, env: Mapping[str, str],
           limit_s: float = HANG_S) -> CompletedProcess[str]:
    """Run the function `main` ("module:function") as a command with these arguments, without input, to its end.

    Raises TimeoutExpired.
    """
    words = [*map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder)
        process = FORKS.Process(target=_run, args=(main, words, str(cwd), dict(env), folder))
        process.start()
        process.join(limit_s)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutExpired([main, *words], limit_s)
        return CompletedProcess([main, *words], process.exitcode, (said / "1").read_text(), (said / "2").read_text())


def _run(main: str, words: list[str], cwd: str, env: dict[str, str], said: str) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number in (1, 2):
        os.dup2(os.open(f"{said}/{number}", os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    module, _, function = main.partition(":")
    sys.argv = [module, *words]
    command: Callable[[], int | None] = getattr(import_module(module), function)
    sys.exit(command())
