"""What each key is for, in the words of the file with the defaults: the one place where they are written."""
import re
from pathlib import Path

from agent.config.load import TEMPLATE

HEADER = re.compile(r"^#?\[\[?([a-z_.]+)\]\]?")
KEY = re.compile(r"^#?([a-z_]+) = .*?(?:\s# (.*))?$")


def notes(template: Path = TEMPLATE) -> dict[str, str]:
    """The comment of every key that has one in `template`, by its dotted name: "camera.motion.fps"."""
    found: dict[str, str] = {}
    table = ""
    for line in template.read_text(encoding="utf-8").splitlines():
        if header := HEADER.match(line):
            table = header[1]
        elif (key := KEY.match(line)) and key[2]:
            found[f"{table}.{key[1]}"] = key[2]
    return found
