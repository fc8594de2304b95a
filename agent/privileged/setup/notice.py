"""Shows the pairing code while no browser is paired: on the screen, on the serial console, and in a file on the card's
boot partition, which any computer can read. A code that was written there before the first start is used.
"""
import contextlib
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.config.settings import Web
from agent.core.contract.decisions import ANSWER_B_MAX, SOCKET, DecisionAnswer, UseFirstCode
from agent.core.contract.setup import PairingState
from agent.core.household import access
from agent.host.address import is_loopback_address
from agent.host.files import open_plain, write_durably, write_whole
from agent.host.sockets import ask

CODE_FILE, NOTE_FILE = "taimat-code.txt", "taimat-pairing.txt"
CODE_FILE_B_MAX = 256
BOOT_TYPES = ("vfat", "msdos")
# The console's fonts have no Vietnamese letters. agetty(8) replaces \4 by the present address.
SCREEN, NOTE = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("screen.txt", "pairing.txt"))

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NoticePlaces:
    """Where the code is shown."""

    screen: Path = Path("/run/issue.d/taimat.issue")
    bell: Path = Path("/run/agetty.reload")         # if it changes, the consoles read their issue again
    boot: Path = Path("/boot/firmware")
    mounts: Path = Path("/proc/self/mountinfo")

    def show(self, state: PairingState, web: Web) -> None:
        """Shows the code, or removes it once it is used or if no phone could open the page."""
        wanted = bool(state.code) and web.enabled and not is_loopback_address(web.listen)
        words = {"host": os.uname().nodename.partition(".")[0], "scheme": "https" if web.tls else "http",
                 "port": web.port, "code": access.grouped(state.code)}
        if _put(self.screen, SCREEN.format(**words) if wanted else ""):
            with contextlib.suppress(OSError):
                os.utime(self.bell)
        if self.is_card:
            _put(self.boot / NOTE_FILE, NOTE.format(**words).replace("\n", "\r\n") if wanted else "")

    @property
    def is_card(self) -> bool:
        """Whether the boot partition is mounted, with a file system that any computer reads."""
        with contextlib.suppress(OSError):
            for line in self.mounts.read_text().splitlines():
                mount, _, kind = line.partition(" - ")
                if mount.split()[4] == str(self.boot) and kind.split()[0] in BOOT_TYPES:
                    return True
        return False

    def use_code(self, runtime: Path) -> None:
        """Sends the code on the boot partition to the keeper, and removes it, even if it came too late."""
        path = self.boot / CODE_FILE
        if not self.is_card or not os.path.lexists(path):
            return
        try:
            code = read_code(path)
            line = msgspec.json.encode(UseFirstCode(code=code)) + b"\n"
            answer = msgspec.json.decode(ask(runtime / SOCKET, line, answer_b_max=ANSWER_B_MAX), type=DecisionAnswer)
            if answer.why not in ("", "too_late"):
                raise ValueError(f"the keeper answers {answer.why}")
            path.unlink()
            _log.info("the pairing code of %s %s", path, "came too late" if answer.why else "is in use")
        except (OSError, ValueError) as error:
            _log.error("%s: %s", path, error)


def read_code(path: Path) -> str:
    """Returns the pairing code in a file. Raises OSError, and ValueError if it is not one."""
    with open(open_plain(path), "rb") as file:
        text = file.read(CODE_FILE_B_MAX).decode("ascii", "replace").strip()
    code = re.sub(r"[\s-]", "", text).upper().translate(access.ALIKE)
    if len(code) != access.CODE_N or set(code) - set(access.ALPHABET) or len(set(code)) < access.UNLIKE_MIN_N:
        raise ValueError(f"takes {access.CODE_N} characters of {access.ALPHABET}, not nearly all the same")
    return code


def _put(path: Path, text: str) -> bool:
    """Writes the text, or removes the file if it is "". Returns whether that changed anything; logs errors."""
    data = text.encode()
    try:
        if not text:
            path.unlink()
            return True
        if path.exists() and path.read_bytes() == data:
            return False
        (write_whole if path.is_relative_to("/run") else write_durably)(path, data, 0o600)
        return True
    except FileNotFoundError:
        return False
    except OSError as error:
        _log.error("%s: %s", path, error.strerror)
        return False
