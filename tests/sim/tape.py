"""What a program asked of its card: its own system calls, SQLite's among them, with their data, as strace saw them."""
import functools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.rigs.wait import HANG_S

ROOT = Path(__file__).parents[2]
# All by which a file or a name can change. Not among them: stores into a mapped file, which here only SQLite's index
# of its log is, and that is made anew at every start.
CALLS = ("open,openat,openat2,creat,close,dup,dup2,dup3,lseek,write,pwrite64,writev,pwritev,pwritev2,sendfile,splice,"
         "copy_file_range,truncate,ftruncate,fallocate,fsync,fdatasync,sync,syncfs,sync_file_range,rename,renameat,"
         "renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir")
LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)")
BEGUN = re.compile(r"(\d+) +(\w+\(.*) <unfinished \.\.\.>")
ENDED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)")
BUFFER = re.compile(r'iov_base="([^"]*)"')
STRING_B_MAX = 1 << 24


class Call(NamedTuple):
    """One call that succeeded. Text in `args` is as the kernel got it: hex for strings, words and numbers for the rest.
    """

    name: str
    args: Sequence[str]
    result: int

    def text(self, number: int) -> str:
        """An argument that is a path."""
        return self.data(number).decode()

    def data(self, number: int) -> bytes:
        """An argument that is bytes."""
        return bytes.fromhex(self.args[number].strip('"').replace("\\x", ""))

    def pieces(self) -> bytes:
        """The bytes of an argument that is a vector of buffers, if there is one."""
        return b"".join(bytes.fromhex(found.replace("\\x", "")) for found in BUFFER.findall(", ".join(self.args)))

    def number(self, number: int) -> int:
        """An argument that is a whole number."""
        return int(self.args[number], 0)


@functools.cache
def missing() -> str:
    """What is missing to read calls here, with its remedy; "" if nothing is."""
    if not shutil.which("strace"):
        return "no strace: apt install strace"
    tried = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "true"], capture_output=True, text=True)
    return f"strace can't trace here: {tried.stderr.strip()[:200]}" if tried.returncode else ""


def watch(log: Path, *words: str | Path, options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run a Python module of this tree under strace, which writes to `log`; `options` are more words for strace."""
    command = ["strace", "-f", "--seccomp-bpf", "-qq", "-xx", "-s", str(STRING_B_MAX), "-e", f"trace={CALLS}",
               "-e", "signal=none", "-o", log, *options, sys.executable, "-m", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=HANG_S)


def calls(log: Path) -> Iterator[Call]:
    """The calls that succeeded, in the order in which they ended."""
    begun: dict[str, str] = {}
    with log.open() as lines:
        for line in lines:
            if found := BEGUN.match(line):
                begun[found[1]] = found[2]
            else:
                if found := ENDED.match(line):
                    line = f"{found[1]} {begun.pop(found[1])}{found[2]}"
                if (found := LINE.match(line)) and int(found[4]) >= 0:
                    yield Call(found[2], found[3].split(", "), int(found[4]))
