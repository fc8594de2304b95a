"""What each key is for, in the words of config/default.toml: the one place where they are written."""
import re

from agent.config.load import TEMPLATE

HEADER = re.compile(r"^#?\[\[?([a-z_.]+)\]\]?")
KEY = re.compile(r"^#?([a-z_]+) = .*?(?:\s# (.*))?$")


def notes() -> dict[str, str]:
    """The comment of every key that has one, by its dotted name: "camera.motion.fps"."""
    found: dict[str, str] = {}
    table = ""
    for line in TEMPLATE.read_text(encoding="utf-8").splitlines():
        if header := HEADER.match(line):
            table = header[1]
        elif (key := KEY.match(line)) and key[2]:
            found[f"{table}.{key[1]}"] = key[2]
    return found
