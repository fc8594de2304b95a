"""The ids of the devices that a ward expects: a text file, one a line, anything behind the id is a note."""
import re
from pathlib import Path

from agent.config.load import ConfigError

ID = re.compile(r"[a-z0-9-]{1,64}")


def read(file: str) -> list[str]:
    """The ids in `file`; none for "". Raises ConfigError."""
    if not file:
        return []
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "is not a UTF-8 text"
        raise ConfigError(f"[ward] devices_file: {file}: {cause}; correct the path, or put it there") from error
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].replace(",", " ").split()
        if words and not ID.fullmatch(words[0]):
            raise ConfigError(f"{file}:{number}: a device's id is made of a-z, 0-9 and '-', as in c-7f3a9c21b04d")
        found += words[:1]
    return found
