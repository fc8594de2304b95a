"""Reading the configuration: all of it or a list of what is wrong, each with its line."""
import contextlib
import tomllib
from pathlib import Path

import msgspec

from agent.config import check, defaults
from agent.config.positions import line_of, positions
from agent.config.settings import Settings
from agent.host.files import write_durably

DEFAULT_PATH = Path("/etc/taimat/taimat.toml")
STATE = Path("/var/lib/taimat")
TEMPLATE = Path(__file__).with_name("default.toml")
EXIT_BAD_CONFIG = 78        # sysexits.h EX_CONFIG: systemd does not start such a unit again


class ConfigError(Exception):
    """The configuration can't be used; each line is "file:line: key: what is wrong and what would be right"."""


def parse(text: str, file: str) -> Settings:
    """The settings in a TOML text; `file` names it in errors. Raises ConfigError with every problem found."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: {error}") from error
    own, common = defaults.apart(table)
    problems = [*defaults.check_common(common), *check.check_table(own, Settings)]
    if not problems:
        settings = msgspec.convert(defaults.merged(own, common), Settings)
        problems = [defaults.placed(problem, own, common) for problem in check.check_whole(settings)]
        if not problems:
            return settings
    found = positions(text)
    lines = sorted((line_of(found, p.path) or 0, f"{check.key_name(p.path)}: {p.text}") for p in problems)
    raise ConfigError("\n".join(f"{file}:{number}: {line}" if number else f"{file}: {line}" for number, line in lines))


def load(path: Path) -> Settings:
    """The settings in the file at `path`. Raises ConfigError."""
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; make one with: taimat config init {path}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not a UTF-8 text (byte {error.start})") from error


def _good_copy(path: Path) -> Path:
    """Beside the file; but a device's roles may not write to /etc."""
    folder = STATE if path == DEFAULT_PATH else path.parent
    return folder / f"{path.name}.last-good"


def keep_as_good(path: Path) -> None:
    """Remember the file, which was just loaded, as the last good one; a folder that can't be written is no obstacle."""
    with contextlib.suppress(OSError):
        data, copy = path.read_bytes(), _good_copy(path)
        if not copy.exists() or copy.read_bytes() != data:
            write_durably(copy, data)


def load_or_last_good(path: Path) -> tuple[Settings, str | None]:
    """The settings, or the last good ones and what is wrong with the present ones.

    A camera on a wall must not go dark over a typo. Raises ConfigError when there is no last good one either.
    """
    try:
        return load(path), None
    except ConfigError as error:
        try:
            return load(_good_copy(path)), str(error)
        except ConfigError:
            raise error from None
